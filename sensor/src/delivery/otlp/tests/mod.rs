mod answers;
mod records;
mod sending;
mod settings;

use crate::delivery::spool::{Entry, Kind};

fn entry(id: u64, kind: Kind) -> Entry {
    Entry { id, kind, severity: 17, time: 0, uid: format!("{id}/0").into(), bytes: b"{}".as_slice().into() }
}
