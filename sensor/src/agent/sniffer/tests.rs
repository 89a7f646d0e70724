//! Real files in a directory, and file systems that hang, played by a look that does not return.

use super::*;
use crate::event::{Class, text};
use crate::provenance::ClassTable;
use crate::provenance::content::{Format, samples};
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

const PATIENCE: Duration = Duration::from_secs(30);

fn sniffer() -> Sniffer {
    Sniffer::new(ClassTable::load(None).expect("the built-in file is right").contents(), Limits::default())
}

fn a_file(format: Format) -> Vec<u8> {
    samples::all().into_iter().find(|(is, ..)| *is == format).expect("each format has a sample").2
}

/// The question that an open of `path` by this process would lead to.
fn request(path: &Path) -> Request {
    let stat = fs::symlink_metadata(path).expect("it is there");
    let (major, minor) = (rustix::fs::major(stat.dev()), rustix::fs::minor(stat.dev()));
    Request {
        file: FileId { device: major << 20 | minor, inode: stat.ino() },
        changed_unix_nanos: stat.ctime() * 1_000_000_000 + stat.ctime_nsec(),
        size: stat.len(),
        path: text::lossless(path.as_os_str().as_bytes(), text::TEXT_MAX),
        pid: std::process::id(),
        mount_namespace: 0,
        as_it_is: false,
    }
}

fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    // As the kernel has it: without links.
    let path = directory.path().canonicalize().expect("it is there");
    (directory, path)
}

fn answer(sniffer: &mut Sniffer) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, sniffer.answer()).await }).expect("an answer comes")
}

/// Asks and waits for the answer.
fn asked(sniffer: &mut Sniffer, request: Request) -> Result<Content, Unread> {
    assert_eq!(sniffer.ask(request.clone()), Asked::Waiting);
    let verdict = answer(sniffer);
    assert_eq!(verdict.request, request);
    verdict.content
}

fn format(content: Result<Content, Unread>) -> Option<Format> {
    content.expect("it was read").found.map(|found| found.format)
}

fn assert_all_accounted_for(sniffer: &Sniffer) {
    let Counts { asked, known, joined, refused, unknown, recognised, .. } = sniffer.counts();
    let Counts { gone, changed, not_permitted, not_regular, failed, hung, .. } = sniffer.counts();
    let answered = unknown + recognised + gone + changed + not_permitted + not_regular + failed + hung;
    assert_eq!(asked, known + joined + refused + answered + sniffer.pending() as u64, "{:?}", sniffer.counts());
}

/// Does something to a file until its change time is another: the clock of some file systems ticks a few times a second only.
fn until_changed(path: &Path, mut change: impl FnMut()) {
    let before = request(path).changed_unix_nanos;
    let end = Instant::now() + PATIENCE;
    while request(path).changed_unix_nanos == before {
        assert!(Instant::now() < end, "its change time stands still");
        change();
    }
}

#[test]
fn a_renamed_copy_is_what_it_was_and_is_read_once() {
    let (_directory, path) = directory();
    let mut sniffer = sniffer();
    let odd = std::ffi::OsString::from_vec(b"holiday \xff\\x80.jpg".to_vec());
    for (name, kind) in [("blob".as_ref(), Format::Gguf), (odd.as_os_str(), Format::Safetensors)] {
        let path = path.join(name);
        fs::write(&path, a_file(kind)).expect("it can be written");
        let content = asked(&mut sniffer, request(&path));
        assert_eq!(format(content), Some(kind), "{name:?}");
        assert!(content.expect("it was read").classes.contains(Class::Weights));
        assert_eq!(sniffer.ask(request(&path)), Asked::Known(content));
    }
    let path = path.join("config.json");
    fs::write(&path, b"{\"dtype\": 1}").expect("it can be written");
    assert_eq!(format(asked(&mut sniffer, request(&path))), None);
    let expected = Counts { asked: 5, known: 2, recognised: 2, unknown: 1, ..Counts::default() };
    assert_eq!(sniffer.counts(), expected);
    assert_all_accounted_for(&sniffer);
}

#[test]
fn a_large_file_is_told_by_its_end_too() {
    let (_directory, path) = directory();
    let path = path.join("rows");
    let mut file = b"PAR1".to_vec();
    file.resize(100_000, 0);
    file.extend(b"\x10\0\0\0PAR1");
    fs::write(&path, file).expect("it can be written");
    let found = asked(&mut sniffer(), request(&path)).expect("it was read").found.expect("it was told");
    assert_eq!((found.format, found.confidence.name()), (Format::Parquet, "certain"));
}

#[test]
fn a_deleted_file_is_read_while_the_process_has_it_open() {
    let (_directory, path) = directory();
    let path = path.join("model.bin");
    fs::write(&path, a_file(Format::Gguf)).expect("it can be written");
    let asked_for = request(&path);
    let open = File::open(&path).expect("it can be read");
    // So that its removal is another change time.
    until_changed(&path, || {
        fs::set_permissions(&path, fs::metadata(&path).expect("is there").permissions()).expect("own")
    });
    fs::remove_file(&path).expect("it can be removed");
    let mut sniffer = sniffer();
    let content = asked(&mut sniffer, asked_for.clone());
    assert_eq!(format(content), Some(Format::Gguf));
    let later = content.expect("it was read").changed_unix_nanos;
    assert!(later > asked_for.changed_unix_nanos);
    let as_it_is = Request { changed_unix_nanos: later, ..asked_for.clone() };
    assert_eq!(sniffer.ask(as_it_is), Asked::Known(content), "known by both of its states");
    drop(open);
    assert_eq!(asked(&mut self::sniffer(), asked_for), Err(Unread::Gone), "closed");
}

#[test]
fn another_file_or_another_state_of_it_is_not_taken_for_the_one_asked_about() {
    let (_directory, path) = directory();
    let (name, other) = (path.join("model.bin"), path.join("other"));
    fs::write(&name, a_file(Format::Gguf)).expect("it can be written");
    let mut sniffer = sniffer();
    let first = request(&name);
    until_changed(&name, || fs::write(&name, a_file(Format::Onnx)).expect("it can be written"));
    assert_eq!(asked(&mut sniffer, first.clone()), Err(Unread::Changed));
    let second = request(&name);
    fs::write(&other, a_file(Format::Gguf)).expect("it can be written");
    fs::rename(&other, &name).expect("it can be renamed");
    assert_eq!(asked(&mut sniffer, second.clone()), Err(Unread::Gone));
    std::os::unix::fs::symlink(&name, &other).expect("a link can be made");
    let linked = Request { path: request(&other).path, ..request(&name) };
    assert_eq!(asked(&mut sniffer, linked), Err(Unread::Gone), "a link in its place is not followed");
    assert_eq!(sniffer.ask(second), Asked::Waiting, "what may be otherwise another time is not remembered");
    assert_eq!(answer(&mut sniffer).content, Err(Unread::Gone));
    let relative = Request { path: "model.bin".into(), ..request(&name) };
    assert_eq!(asked(&mut sniffer, relative.clone()), Err(Unread::Gone), "its place is not known");
    let _open = File::open(&name).expect("it can be read");
    assert_eq!(format(asked(&mut sniffer, relative)), Some(Format::Gguf), "but a descriptor leads to it");
    let nobody = Request { pid: u32::MAX, ..first };
    assert_eq!(asked(&mut sniffer, nobody), Err(Unread::Gone));
    assert_all_accounted_for(&sniffer);
}

#[test]
fn where_stat_tells_another_device_the_rest_must_agree() {
    let (_directory, path) = directory();
    let path = path.join("layer");
    fs::write(&path, a_file(Format::Gguf)).expect("it can be written");
    let layered = Request { file: FileId { device: 1, ..request(&path).file }, ..request(&path) };
    let mut sniffer = sniffer();
    assert_eq!(format(asked(&mut sniffer, layered.clone())), Some(Format::Gguf));
    let longer = Request { file: FileId { device: 2, ..layered.file }, size: layered.size + 1, ..layered };
    assert_eq!(asked(&mut sniffer, longer), Err(Unread::Gone));
}

#[test]
fn pipes_and_directories_are_left_alone() {
    let (_directory, path) = directory();
    let pipe = path.join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .expect("a pipe can be made");
    let mut sniffer = sniffer();
    assert_eq!(asked(&mut sniffer, request(&pipe)), Err(Unread::NotRegular));
    assert_eq!(asked(&mut sniffer, request(&path)), Err(Unread::NotRegular));
    assert_eq!(sniffer.ask(request(&pipe)), Asked::Known(Err(Unread::NotRegular)));
}

#[test]
fn what_may_not_be_read_is_said_so() {
    use std::os::unix::fs::PermissionsExt;
    let (_directory, path) = directory();
    let path = path.join("key");
    fs::write(&path, a_file(Format::PemPrivateKey)).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let asked_for = request(&path);
    let result = std::thread::spawn(move || {
        // SAFETY: the system call changes this thread's ids only, and the thread ends here. Without root it fails, and the
        // file's permissions are enough.
        unsafe { libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) };
        read::read(&asked_for, &Neighbours::default()).map(|_| ())
    });
    assert_eq!(result.join().expect("it does not panic"), Err(Unread::NotPermitted));
}

/// A look that waits to be let go for files on device 7; how often it has begun is counted there.
fn hanging(limits: Limits) -> (Sniffer, Sender<()>, Receiver<FileId>) {
    let (release, released) = channel::<()>();
    let (begin, begun) = channel();
    let released = Arc::new(Mutex::new(released));
    let sniffer = Sniffer::reading(limits, move |request| {
        let _ = begin.send(request.file);
        if request.file.device == 7 {
            let _ = released.lock().expect("nobody panics").recv();
        }
        Ok(Content {
            found: None,
            classes: Classes::default(),
            changed_unix_nanos: request.changed_unix_nanos,
            born_unix_nanos: None,
            size: 1,
        })
    });
    (sniffer, release, begun)
}

fn on(device: u32, inode: u64) -> Request {
    let file = FileId { device, inode };
    Request { file, changed_unix_nanos: 1, size: 1, path: "/x".into(), pid: 1, mount_namespace: 0, as_it_is: false }
}

/// Keeps house until the condition holds.
fn until(sniffer: &mut Sniffer, mut holds: impl FnMut(&mut Sniffer) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds(sniffer) {
        assert!(Instant::now() < end, "it never did: {:?}", sniffer.counts());
        sniffer.keep_house(Instant::now());
        std::thread::yield_now();
    }
}

#[test]
fn a_file_system_that_hangs_costs_one_thread_until_it_answers() {
    let (mut sniffer, release, begun) = hanging(Limits { threads: 1, ..Limits::default() });
    assert_eq!(sniffer.ask(on(7, 1)), Asked::Waiting);
    begun.recv_timeout(PATIENCE).expect("the thread is at it");
    assert_eq!(sniffer.ask(on(7, 1)), Asked::Waiting, "one answer for both");
    assert_eq!(sniffer.ask(on(8, 1)), Asked::Waiting);
    assert_eq!(sniffer.ask(on(7, 2)), Asked::Waiting, "nobody knows yet");
    sniffer.keep_house(Instant::now());
    assert_eq!(sniffer.counts().hung, 0, "it has time yet");

    sniffer.keep_house(Instant::now() + Limits::default().deadline);
    let mut answers = [answer(&mut sniffer), answer(&mut sniffer), answer(&mut sniffer)];
    answers.sort_by_key(|verdict| verdict.request.file);
    let contents = answers.map(|verdict| verdict.content.map(|content| content.found));
    assert_eq!(contents, [Err(Unread::Hung), Err(Unread::Hung), Ok(None)]);
    assert_eq!(sniffer.ask(on(7, 3)), Asked::Refused, "the next thread would hang as well");
    assert_eq!(sniffer.ask(on(8, 2)), Asked::Waiting);
    assert_eq!(answer(&mut sniffer).content.map(|content| content.found), Ok(None));
    assert_all_accounted_for(&sniffer);

    release.send(()).expect("the thread waits");
    until(&mut sniffer, |sniffer| sniffer.pool.written_off() == 0);
    assert_eq!(sniffer.try_answer(), None, "an answer too late is none");
    drop(release);
    assert_eq!(sniffer.ask(on(7, 1)), Asked::Waiting, "it may be asked again");
    assert_eq!(answer(&mut sniffer).content.map(|content| content.found), Ok(None));
    assert_all_accounted_for(&sniffer);
}

#[test]
fn with_every_thread_hanging_all_is_refused_until_one_comes_back() {
    let (mut sniffer, release, begun) = hanging(Limits { threads: 1, written_off: 0, ..Limits::default() });
    assert_eq!(sniffer.ask(on(7, 1)), Asked::Waiting);
    begun.recv_timeout(PATIENCE).expect("the thread is at it");
    assert_eq!(sniffer.ask(on(8, 1)), Asked::Waiting);
    sniffer.keep_house(Instant::now() + Limits::default().deadline);
    assert_eq!((answer(&mut sniffer).content, answer(&mut sniffer).content), (Err(Unread::Hung), Err(Unread::Hung)));
    assert_eq!(sniffer.ask(on(8, 1)), Asked::Refused);
    drop(release);
    until(&mut sniffer, |sniffer| sniffer.ask(on(8, 1)) == Asked::Waiting);
    assert!(answer(&mut sniffer).content.is_ok());
    assert_all_accounted_for(&sniffer);
}

#[test]
fn what_does_not_fit_is_refused_and_what_is_forgotten_is_read_again() {
    let (mut sniffer, release, begun) = hanging(Limits { queue: 2, threads: 1, remembered: 1, ..Limits::default() });
    assert_eq!(sniffer.ask(on(7, 1)), Asked::Waiting);
    begun.recv_timeout(PATIENCE).expect("the thread is at it");
    let outcomes = [2, 3, 4].map(|inode| sniffer.ask(on(8, inode)));
    assert_eq!(outcomes, [Asked::Waiting, Asked::Waiting, Asked::Refused]);
    assert_eq!((sniffer.pending(), sniffer.counts().refused), (3, 1));
    release.send(()).expect("the thread waits");
    let answered = [answer(&mut sniffer), answer(&mut sniffer), answer(&mut sniffer)];
    assert_eq!(answered.map(|verdict| verdict.request.file.inode), [1, 2, 3]);
    assert_eq!((sniffer.pending(), sniffer.evictions().live), (0, 2));
    assert!(matches!(sniffer.ask(on(8, 3)), Asked::Known(Ok(_))));
    assert_eq!(sniffer.ask(on(8, 2)), Asked::Waiting);
    assert!(answer(&mut sniffer).content.is_ok());
    assert_all_accounted_for(&sniffer);
}

#[test]
fn the_file_of_a_process_that_is_gone_is_read_by_way_of_another_in_its_mount_namespace() {
    let (_directory, path) = directory();
    let path = path.join("staged");
    fs::write(&path, a_file(Format::Gguf)).expect("it can be written");
    let namespace = fs::metadata("/proc/self/ns/mnt").expect("namespaces can be seen").ino();
    let mount_namespace = u32::try_from(namespace).expect("it is a small number");
    let gone = Request { pid: u32::MAX, mount_namespace, ..request(&path) };
    let mut sniffer = sniffer();
    assert_eq!(format(asked(&mut sniffer, gone.clone())), Some(Format::Gguf));
    let elsewhere = Request { mount_namespace: 1, as_it_is: true, ..gone };
    assert_eq!(asked(&mut sniffer, elsewhere), Err(Unread::Gone), "nobody is there");
}

#[test]
fn what_is_to_be_read_as_it_is_is_read_each_time() {
    let (_directory, path) = directory();
    let path = path.join("filled later");
    let mut open = File::create_new(&path).expect("it can be made");
    let as_it_is = Request { as_it_is: true, ..request(&path) };
    let mut sniffer = sniffer();
    assert_eq!(format(asked(&mut sniffer, as_it_is.clone())), None);
    std::io::Write::write_all(&mut open, &a_file(Format::Gguf)).expect("it can be written");
    let content = asked(&mut sniffer, as_it_is.clone()).expect("it was read");
    assert_eq!((format(Ok(content)), content.size), (Some(Format::Gguf), a_file(Format::Gguf).len() as u64));
    fs::remove_file(&path).expect("it can be removed");
    assert_eq!(format(asked(&mut sniffer, as_it_is)), Some(Format::Gguf), "and by the descriptor");
    assert_all_accounted_for(&sniffer);
}
