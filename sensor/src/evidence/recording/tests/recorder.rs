//! Writing, on disks that are as they should be and on others.

use super::super::record::{Gap, Record};
use super::super::sink::{Batch, Sink, Totals};
use super::super::{Reader, Recorder, Statistics};
use super::{header, rest, tick, times};
use crate::event::{BootTime, WallClock};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;

#[test]
fn everything_comes_back_in_order_with_the_clocks_between() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.weir");
    let mut recorder = Recorder::create(&path, header()).unwrap();
    let clock = |seconds: i128| WallClock { boot_unix_nanos: seconds * 1_000_000_000 };
    recorder.clock(header().clock);
    // Some batches of them.
    for time in 0..20_000 {
        recorder.event(&tick(time));
        if time == 10_000 {
            recorder.clock(clock(1));
            recorder.clock(clock(1));
        }
    }
    recorder.finish().unwrap();
    let size = path.metadata().unwrap();
    assert_eq!(recorder.statistics(), Statistics { recorded: 20_000, lost: 0, bytes: size.len() });
    assert_eq!(size.permissions().mode() & 0o7777, 0o600);

    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(*reader.header(), header());
    let records = rest(&mut reader);
    assert_eq!(times(&records), (0..20_000).collect::<Vec<_>>());
    let clocks: Vec<_> = records.iter().enumerate().filter(|(_, record)| !matches!(record, Record::Event(_))).collect();
    assert_eq!(clocks, [(10_001, &Record::Clock(clock(1)))], "told once, where it changed");
}

#[test]
fn what_was_handed_over_is_there_when_nobody_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.weir");
    let mut recorder = Recorder::create(&path, header()).unwrap();
    recorder.event(&tick(7));
    drop(recorder);
    assert_eq!(times(&rest(&mut Reader::open(&path).unwrap())), [7]);
}

#[test]
fn nothing_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.weir");
    std::fs::write(&path, "evidence").unwrap();
    assert!(Recorder::create(&path, header()).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"evidence");
}

fn batch(times: std::ops::RangeInclusive<u64>) -> Batch {
    let lines: String = times
        .clone()
        .map(|time| format!("{}\n", serde_json::to_string(&Record::Event(Box::new(tick(time)))).unwrap()))
        .collect();
    let events = Gap {
        since: BootTime(*times.start()),
        until: BootTime(*times.end()),
        events: times.count() as u64,
        reason: "".into(),
    };
    Batch { lines: lines.into_bytes(), events, gap: Gap::default() }
}

#[test]
fn a_full_disk_is_a_gap_when_there_is_room_again() {
    let totals = Totals::default();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.weir");
    let mut sink = Sink::new(File::create(&path).unwrap());
    sink.write(format!("{}\n", serde_json::to_string(&Record::Recording(header())).unwrap()).as_bytes()).unwrap();
    sink.take(batch(1..=2), &totals);
    // The kernel's own full disk, for two batches.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let file = sink.swap(full);
    sink.take(batch(3..=5), &totals);
    sink.take(batch(6..=6), &totals);
    sink.swap(file);
    sink.take(batch(7..=8), &totals);
    sink.take(batch(9..=9), &totals);
    sink.end().unwrap();
    let counted = [&totals.recorded, &totals.lost, &totals.bytes].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counted, [5, 4, path.metadata().unwrap().len()]);

    let mut reader = Reader::open(&path).unwrap();
    let records = rest(&mut reader);
    assert_eq!((times(&records), reader.damage().frames), (vec![1, 2, 7, 8, 9], 0));
    let Some(Record::Gap(gap)) = records.get(2) else { panic!("the gap is where it was: {records:?}") };
    assert_eq!((gap.since.0, gap.until.0, gap.events), (3, 6, 4));
    assert!(gap.reason.contains("No space left"), "{}", gap.reason);
}

#[test]
fn half_a_frame_is_taken_back() {
    let totals = Totals::default();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.weir");
    let mut sink = Sink::new(File::create(&path).unwrap());
    sink.write(format!("{}\n", serde_json::to_string(&Record::Recording(header())).unwrap()).as_bytes()).unwrap();
    let end = path.metadata().unwrap().len();
    // As a write leaves it that the disk had room for half of.
    {
        use std::io::Write as _;
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&[0x28, 0xb5, 0x2f, 0xfd, 0x24]).unwrap();
    }
    sink.take_back();
    assert_eq!(path.metadata().unwrap().len(), end);
    sink.take(batch(1..=1), &totals);
    assert_eq!(times(&rest(&mut Reader::open(&path).unwrap())), [1]);
}
