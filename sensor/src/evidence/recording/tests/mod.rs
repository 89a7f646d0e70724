//! What is recorded comes back, whatever happened to the disk or the file.

mod damage;
mod events;
mod recorder;

use super::{Header, Limits, Reader, Record, VERSION, pack};
use crate::event::{Body, BootTime, Event, Tick, WallClock};
use std::io::Read;

pub fn header() -> Header {
    Header {
        policy: None,
        format: VERSION,
        sensor: "0.1.0".into(),
        clock: WallClock { boot_unix_nanos: 1_795_264_467_265_325_375 },
        rules: "ab".into(),
        classes: "cd".into(),
        limits: Limits { processes: 100, workloads: 50 },
    }
}

/// An event that is told apart by its time.
pub fn tick(time: u64) -> Event {
    Event::new(BootTime(time), None, Default::default(), Body::Tick(Tick::default()))
}

/// A frame of these records.
pub fn frame(records: &[Record]) -> Vec<u8> {
    let lines: Vec<String> =
        records.iter().map(|record| format!("{}\n", serde_json::to_string(record).unwrap())).collect();
    pack(lines.concat().as_bytes()).unwrap()
}

/// Everything after the header.
pub fn rest<R: Read>(reader: &mut Reader<R>) -> Vec<Record> {
    std::iter::from_fn(|| reader.next().unwrap()).collect()
}

/// The times of the events of it.
pub fn times(records: &[Record]) -> Vec<u64> {
    let time = |record: &Record| if let Record::Event(event) = record { Some(event.time.0) } else { None };
    records.iter().filter_map(time).collect()
}
