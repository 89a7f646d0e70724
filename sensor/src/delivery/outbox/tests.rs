//! The outbox: what is kept, shown and given away, on a disk that works and on one that does not.

use super::events::{EventSource, Events};
use super::keeper::{Ask, Keeper, Shared};
use super::queue::Queue;
use super::screen::Screen;
use super::source::SpoolSource;
use super::unkept::Unkept;
use super::{Outbox, Parcel};
use crate::delivery::otlp::{Section, Settings, Source as _};
use crate::delivery::spool::{Directory, Entry, Files, Kind, Limits, Spool};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

fn parcel(severity: u8, number: usize) -> Parcel {
    let record = format!("{{\"number\":{number}}}").into_bytes().into();
    Parcel { kind: Kind::Alert, severity, time: 1, uid: format!("uid-{number}").into(), record, shown: Box::default() }
}

fn uids(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| &*entry.uid).collect()
}

/// A real directory whose writes can be refused, as those of a full disk are.
struct Fickle {
    directory: Directory,
    full: Arc<AtomicBool>,
}

impl Fickle {
    fn checked<T>(&mut self, act: impl FnOnce(&mut Directory) -> io::Result<T>) -> io::Result<T> {
        if self.full.load(Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { act(&mut self.directory) }
    }
}

impl Files for Fickle {
    fn list(&mut self) -> io::Result<Vec<String>> {
        self.directory.list()
    }
    fn size(&mut self, name: &str) -> io::Result<u64> {
        self.directory.size(name)
    }
    fn read(&mut self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        self.directory.read(name, most)
    }
    fn read_at(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.directory.read_at(name, offset, length)
    }
    fn create(&mut self, name: &str) -> io::Result<()> {
        self.checked(|files| files.create(name))
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.checked(|files| files.append(name, bytes))
    }
    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.checked(|files| files.sync(name))
    }
    fn close(&mut self, name: &str) {
        self.directory.close(name);
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.checked(|files| files.rename(from, to))
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.directory.remove(name)
    }
    fn sync_directory(&mut self) -> io::Result<()> {
        self.checked(Directory::sync_directory)
    }
}

/// A keeper on a disk that can be filled.
struct Scene {
    directory: tempfile::TempDir,
    shared: Arc<Shared>,
    full: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Scene {
    fn new() -> Scene {
        let (directory, full) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
        let files = Fickle { directory: Directory::open(&directory.path().join("spool")).unwrap(), full: full.clone() };
        let (spool, _) = Spool::open_in(files, Limits::default()).unwrap();
        let shared = Arc::new(Shared::default());
        let keeper = Keeper::new(spool, Arc::clone(&shared), Screen::start().unwrap());
        Scene { directory, shared, full, keeper: Some(std::thread::spawn(move || keeper.run())) }
    }

    fn take(&self, records: usize) -> Vec<Entry> {
        let mut source = SpoolSource::new(Arc::clone(&self.shared));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let taking = async { tokio::time::timeout(Duration::from_secs(20), source.take(records, 1 << 20)).await };
        runtime.block_on(taking).expect("there is something")
    }

    fn until(&self, what: &str, condition: impl Fn(&super::keeper::Kept) -> bool) {
        let begun = Instant::now();
        while !condition(&self.shared.kept()) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {:?}", self.shared.kept());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the keeper; what a new one finds in the spool.
    fn reopened(mut self) -> Vec<Entry> {
        self.shared.end();
        self.keeper.take().unwrap().join().unwrap();
        let (mut spool, _) = Spool::open(&self.directory.path().join("spool"), Limits::default()).unwrap();
        spool.take(1000, 1 << 20)
    }
}

#[test]
fn what_is_posted_is_kept_until_it_was_acknowledged() {
    let scene = Scene::new();
    (0..3).for_each(|number| scene.shared.post(parcel(17, number)));
    scene.until("they are kept", |kept| kept.entries == 3);
    let taken = scene.take(2);
    assert_eq!(uids(&taken), ["uid-0", "uid-1"]);
    scene.shared.ask(Ask::Acknowledge([taken[0].id].into()));
    scene.shared.ask(Ask::PutBack([taken[1].id].into()));
    assert_eq!(uids(&scene.take(2)), ["uid-1", "uid-2"]);
    assert_eq!(uids(&scene.reopened()), ["uid-1", "uid-2"], "nobody acknowledged them");
}

#[test]
fn who_waits_gets_what_comes_and_in_the_end_nothing() {
    let scene = Scene::new();
    let shared = Arc::clone(&scene.shared);
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        shared.post(parcel(9, 7));
    });
    assert_eq!(uids(&scene.take(9)), ["uid-7"]);
    later.join().unwrap();
    scene.shared.close();
    assert!(scene.take(9).is_empty(), "there will be no more");
}

#[test]
fn a_question_that_nobody_waits_for_takes_nothing() {
    let scene = Scene::new();
    let (answer, gone) = tokio::sync::oneshot::channel();
    drop(gone);
    scene.shared.ask(Ask::Take { records: 9, bytes: 1 << 20, answer });
    scene.shared.post(parcel(17, 1));
    assert_eq!(uids(&scene.take(9)), ["uid-1"]);
}

#[test]
fn what_a_full_disk_does_not_take_is_sent_from_memory_and_kept_later() {
    let scene = Scene::new();
    scene.shared.post(parcel(17, 0));
    scene.until("the first is kept", |kept| kept.entries == 1);
    scene.full.store(true, Relaxed);
    (1..4).for_each(|number| scene.shared.post(parcel(17, number)));
    scene.until("the disk is full", |kept| kept.entries == 4 && kept.trouble.is_some());
    let first = scene.take(1);
    assert_eq!(uids(&first), ["uid-0"], "what is on the disk is still sent");
    scene.shared.ask(Ask::Acknowledge([first[0].id].into()));
    let second = scene.take(1);
    assert_eq!(uids(&second), ["uid-1"], "and what is not on it as well");
    scene.shared.ask(Ask::Acknowledge([second[0].id].into()));
    scene.full.store(false, Relaxed);
    scene.until("the disk takes it again", |kept| kept.trouble.is_none());
    assert_eq!(uids(&scene.reopened()), ["uid-2", "uid-3"]);
}

#[test]
fn what_an_earlier_run_lost_is_not_told_as_lost_again() {
    let scene = Scene::new();
    scene.shared.post(Parcel { record: vec![b' '; 600 << 10].into(), ..parcel(17, 0) });
    let refused =
        |kept: &super::keeper::Kept| kept.losses.iter().find(|(name, _)| *name == "refused").map(|(_, count)| *count);
    scene.until("it is too large for a record", |kept| refused(kept) == Some(1) && kept.lost_ever == 1);
    let Scene { directory, shared, mut keeper, .. } = scene;
    shared.end();
    keeper.take().unwrap().join().unwrap();
    let (spool, _) = Spool::open(&directory.path().join("spool"), Limits::default()).unwrap();
    let shared = Arc::new(Shared::default());
    let keeper = Keeper::new(spool, Arc::clone(&shared), Screen::start().unwrap());
    let keeper = std::thread::spawn(move || keeper.run());
    shared.end();
    keeper.join().unwrap();
    let kept = shared.kept();
    assert_eq!((refused(&kept), kept.lost_ever), (Some(0), 1), "it is known, and not said to be new");
}

#[test]
fn what_is_held_in_memory_is_bounded_and_the_least_severe_goes_first() {
    let mut unkept = Unkept::default();
    let large = |severity, number| Parcel { record: vec![b' '; 6 << 20].into(), ..parcel(severity, number) };
    [(17, 0), (9, 1), (21, 2)].into_iter().for_each(|(severity, number)| unkept.hold(large(severity, number)));
    assert_eq!(unkept.lost().iter().collect::<Vec<_>>(), [(&9, &1)]);
    assert_eq!(uids(&unkept.take(9, usize::MAX)), ["uid-2", "uid-0"]);
    unkept.hold(large(21, 3));
    assert_eq!(unkept.lost().values().sum::<u64>(), 2, "what is on its way stays: there is no room for another");
}

#[test]
fn a_full_queue_loses_the_least_severe_and_oldest_and_counts_them() {
    let size = 128 + 5 + "{\"number\":0}".len();
    let mut queue = Queue::with_room(3 * size);
    [(17, 0), (9, 1), (9, 2), (17, 3), (10, 4)]
        .into_iter()
        .for_each(|(severity, number)| queue.push(parcel(severity, number)));
    let kept: Vec<_> = queue.take().into_iter().map(|parcel| parcel.uid).collect();
    assert_eq!(kept, ["uid-0".into(), "uid-3".into(), "uid-4".into()] as [Box<str>; 3]);
    assert_eq!(queue.lost().iter().collect::<Vec<_>>(), [(&9, &2)]);
    (5..8).for_each(|number| queue.push(parcel(21, number)));
    queue.push(parcel(17, 9));
    assert_eq!(queue.lost().get(&17), Some(&1), "it is less severe than all that is there");
    assert_eq!(queue.take().len(), 3);
    assert!(queue.is_empty());
}

#[test]
fn events_are_taken_together_put_back_in_order_and_dropped_when_there_is_no_room() {
    let events = Arc::new(Events::default());
    let event = |number: u64| events.push(format!("{number}").into(), number, vec![b' '; 1 << 20].into());
    (0..9).for_each(event);
    assert_eq!(events.counts(), (2, 0), "seven and what they cost are eight MiB");
    events.close();
    let mut source = EventSource::new(Arc::clone(&events));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let first = source.take(2, 8 << 20).await;
        assert_eq!(uids(&first), ["0", "1"]);
        source.put_back(&[first[0].id, first[1].id]).await;
        let again = source.take(9, 3 << 20).await;
        assert_eq!(uids(&again), ["0", "1", "2"]);
        source.acknowledge(&[again[0].id, again[1].id]).await;
        source.set_aside(&[again[2].id], "no").await;
        assert_eq!(source.take(9, 8 << 20).await.len(), 4);
        assert!(source.take(9, 8 << 20).await.is_empty());
    });
    assert_eq!(events.counts(), (3, 2));
}

#[test]
fn it_ends_in_time_beside_a_collector_that_never_answers() {
    let hung = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", hung.local_addr().unwrap());
    let variable = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    let settings = Settings::new(variable, &Section::default(), "weir.yml").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spool");
    let outbox = Outbox::open(&path, Limits::default(), &settings, true).unwrap();
    let begun = Instant::now();
    (0..100).for_each(|number| outbox.post(parcel(17, number)));
    outbox.event("e".into(), 1, b"{}".as_slice().into());
    assert!(begun.elapsed() < Duration::from_secs(1), "whoever posts waits for nobody");
    outbox.finish();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let (_, opened) = Spool::open(&path, Limits::default()).unwrap();
    assert_eq!(opened.entries, 100);
}
