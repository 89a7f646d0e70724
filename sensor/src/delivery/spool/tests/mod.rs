//! The spool against what disks, file systems and people do.

mod damage;
mod directory;
mod full;
mod killed;
mod memory;
mod model;
mod queue;

use super::*;
use memory::Memory;
use std::path::Path;

/// Small enough to be full soon.
const SMALL: Limits = Limits { bytes: 64 << 10, segment: 4 << 10, record: 2 << 10 };

/// A draft of a severity, with a body of some bytes.
fn draft<'a>(severity: u8, uid: &'a str, bytes: &'a [u8]) -> Draft<'a> {
    Draft { kind: Kind::Alert, severity, time: 7, uid, bytes }
}

fn open(memory: &Memory) -> Spool<Memory> {
    Spool::open_in(memory.clone(), SMALL).expect("it opens").0
}

/// Appends one, which there must be room for.
fn put<F: Files>(spool: &mut Spool<F>, severity: u8, uid: &str) -> u64 {
    let appended = spool.append(&[draft(severity, uid, uid.as_bytes())]).expect("it is written");
    appended.ids[0].expect("there is room")
}

/// Takes and acknowledges all there is; the uids.
fn drain<F: Files>(spool: &mut Spool<F>) -> Vec<String> {
    let mut uids = Vec::new();
    loop {
        let entries = spool.take(10, 10_000);
        if entries.is_empty() {
            return uids;
        }
        spool.acknowledge(&entries.iter().map(|entry| entry.id).collect::<Vec<_>>());
        uids.extend(entries.into_iter().map(|entry| entry.uid.into_string()));
    }
}

fn open_real(path: &Path) -> Spool {
    Spool::open(path, Limits::default()).expect("it opens").0
}
