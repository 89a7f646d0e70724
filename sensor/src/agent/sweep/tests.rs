//! Real pipes, memfds, files and mounts of this process, in the real `/proc`.

use super::*;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(30);

fn entry(file: impl AsFd, kind: Kind) -> Entry {
    let stat = rustix::fs::fstat(file).expect("it is open");
    let device = rustix::fs::major(stat.st_dev) << 20 | rustix::fs::minor(stat.st_dev);
    Entry { key: InodeKey { inode: stat.st_ino, device, reserved: 0 }, kind, idle: IDLE }
}

/// A sweep for which this process is the only one: others may have files in flight just now, or not be for us to look at.
fn sweep(proc: &tempfile::TempDir) -> Sweep {
    let (own, pid) = (Path::new("/proc/self"), std::process::id().to_string());
    for name in ["self", &pid] {
        let link = proc.path().join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(own, link).expect("a link can be made");
        }
    }
    let namespace = fs::metadata("/proc/self/ns/pid").expect("namespaces can be seen").ino();
    Sweep { proc: proc.path().to_owned(), namespace, idle: IDLE }
}

/// What is gone. Other tests of this process may have descriptors in flight for a moment.
fn gone(entries: &[Entry]) -> Vec<u64> {
    let proc = tempfile::tempdir().expect("a directory can be made");
    let end = Instant::now() + PATIENCE;
    loop {
        match sweep(&proc).gone(entries) {
            Ok(keys) => return keys.iter().map(|key| key.inode).collect(),
            Err(Uncertain::Hidden(_)) if Instant::now() < end => std::thread::yield_now(),
            Err(reason) => panic!("{reason}"),
        }
    }
}

#[test]
fn what_is_open_or_mapped_stays_and_what_nobody_has_goes() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (path, named) = (directory.path().join("unlinked"), directory.path().join("named"));
    let pipe = std::io::pipe().expect("a pipe can be made");
    let socket = std::os::unix::net::UnixStream::pair().expect("sockets can be made");
    let memory = File::from(memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made"));
    let mut unlinked = File::create_new(&path).expect("a file can be made");
    let kept = File::create_new(&named).expect("a file can be made");
    unlinked.write_all(&[0; 4096]).expect("it can be written");
    fs::remove_file(&path).expect("it can be removed");
    let entries = [
        entry(&pipe.0, Kind::Pipe),
        entry(&socket.0, Kind::Socket),
        entry(&memory, Kind::Memory),
        entry(&unlinked, Kind::File { unlinked: true }),
        entry(&kept, Kind::File { unlinked: false }),
    ];
    assert_eq!(gone(&entries), [0; 0], "all are open");

    // SAFETY: a mapping of its own of a page of that file, which is not touched and taken away below.
    let mapped = unsafe {
        let place = std::ptr::null_mut();
        libc::mmap(place, 4096, libc::PROT_READ, libc::MAP_SHARED, unlinked.as_raw_fd(), 0)
    };
    assert_ne!(mapped, libc::MAP_FAILED);
    drop((pipe, socket, memory, unlinked, kept));
    let inodes = entries.map(|entry| entry.key.inode);
    assert_eq!(gone(&entries), inodes[..3], "one is mapped, one has a name");
    // SAFETY: the mapping from above, which nothing refers to.
    assert_eq!(unsafe { libc::munmap(mapped, 4096) }, 0);
    assert_eq!(gone(&entries), inodes[..4]);
    let used = entries.map(|entry| Entry { idle: IDLE - Duration::from_nanos(1), ..entry });
    assert_eq!(gone(&used), [0; 0], "used a moment ago");
}

#[test]
fn a_descriptor_that_only_a_thread_has_is_found() {
    let (to_thread, from_test) = channel::<()>();
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        // SAFETY: this thread gets a copy of the table of descriptors; it ends in this test.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
        let memory = memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made");
        sender.send(entry(&memory, Kind::Memory)).expect("the test waits");
        let _ = from_test.recv();
    });
    let entries = [receiver.recv_timeout(PATIENCE).expect("the thread tells")];
    let while_open = gone(&entries);
    drop(to_thread);
    thread.join().expect("it does not panic");
    assert_eq!(while_open, [0; 0], "only the thread has it");
    assert_eq!(gone(&entries), [entries[0].key.inode]);
}

#[test]
fn what_is_in_flight_makes_nothing_certain() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let memory = memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made");
    let (one, other) = std::os::unix::net::UnixStream::pair().expect("sockets can be made");
    let entries = [entry(&memory, Kind::Memory)];
    let proc = tempfile::tempdir().expect("a directory can be made");
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [memory.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&one, &[std::io::IoSlice::new(b"x")], &mut control, SendFlags::empty()).expect("it can be sent");
    drop(memory);
    assert!(matches!(sweep(&proc).gone(&entries), Err(Uncertain::Hidden(_))));
    assert_eq!(sweep(&proc).certainly_gone(&entries), []);
    drop((one, other));
    assert_eq!(gone(&entries), [entries[0].key.inode]);
}

#[test]
fn files_of_a_file_system_that_is_no_longer_mounted_go_unless_they_are_open() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mount = |on: bool| {
        let program = if on { &["mount", "-t", "tmpfs", "none"][..] } else { &["umount", "-l"] };
        let mut command = std::process::Command::new(program[0]);
        command.args(&program[1..]).arg(directory.path()).stderr(std::process::Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !mount(true) {
        eprintln!("skipped: mounting takes root");
        return;
    }
    // A tmpfs numbers its files from 1 on, and the lowest numbers are always in use somewhere: numbers alone are compared.
    for _ in 0..3000 {
        drop(File::create_new(directory.path().join("x")).expect("a file can be made"));
        fs::remove_file(directory.path().join("x")).expect("it can be removed");
    }
    let open = File::create_new(directory.path().join("open")).expect("a file can be made");
    let closed = File::create_new(directory.path().join("closed")).expect("a file can be made");
    let entries = [&open, &closed].map(|file| entry(file, Kind::File { unlinked: false }));
    drop(closed);
    let mounted = gone(&entries);
    assert!(mount(false));
    assert_eq!(mounted, [0; 0]);
    assert_eq!(gone(&entries), [entries[1].key.inode], "the other is open");
}

#[test]
fn the_decision_is_by_kind_use_and_place() {
    let key = |inode, device| InodeKey { inode, device, reserved: 0 };
    let entry = |inode, device, kind| Entry { key: key(inode, device), kind, idle: IDLE };
    let named = Kind::File { unlinked: false };
    let entries = [entry(1, 1, Kind::Pipe), entry(2, 1, named), entry(3, 2, named), entry(4, 2, Kind::Socket)];
    let holders = |inodes: &[u64], devices: Option<&[u32]>| Holders {
        inodes: inodes.iter().copied().collect(),
        devices: devices.map(|devices| devices.iter().copied().collect()),
    };
    let inodes = |holders: Holders| holders.gone(&entries).iter().map(|key| key.inode).collect::<Vec<_>>();
    assert_eq!(inodes(holders(&[], Some(&[1]))), [1, 3, 4]);
    assert_eq!(inodes(holders(&[1, 3], Some(&[1]))), [4]);
    assert_eq!(inodes(holders(&[], None)), [1, 4], "somewhere it may be mounted");
}

#[test]
fn a_sweeper_answers_without_being_waited_for_and_counts() {
    let memory = memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made");
    let entries = vec![entry(&memory, Kind::Memory)];
    drop(memory);
    let proc = tempfile::tempdir().expect("a directory can be made");
    let mut sweeper = Sweeper { sweep: sweep(&proc), ..Sweeper::default() };
    assert_eq!(sweeper.take(), None);
    assert!(sweeper.start({
        let entries = entries.clone();
        move || entries
    }));
    assert!(!sweeper.start(move || entries), "one at a time");
    let end = Instant::now() + PATIENCE;
    let gone = loop {
        match sweeper.take() {
            Some(gone) => break gone,
            None => assert!(Instant::now() < end, "it never answered"),
        }
        std::thread::yield_now();
    };
    let counts = sweeper.counts();
    assert_eq!((counts.swept, counts.gone), (1, gone.len() as u64));
    assert_eq!(counts.uncertain == 1, gone.is_empty());
}

#[test]
fn where_others_cannot_be_seen_nothing_is_gone() {
    let memory = memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made");
    let entries = [entry(&memory, Kind::Memory)];
    drop(memory);
    let proc = tempfile::tempdir().expect("a directory can be made");
    let elsewhere = Sweep { namespace: 1, ..sweep(&proc) };
    assert!(matches!(elsewhere.gone(&entries), Err(Uncertain::Namespace(_))));
    // A process whose descriptors are kept from us: here, no directory at all.
    fs::create_dir(proc.path().join("7")).expect("a directory can be made");
    fs::write(proc.path().join("7/fd"), "").expect("a file can be written");
    assert!(matches!(sweep(&proc).gone(&entries), Err(Uncertain::Unreadable { .. })));
}
