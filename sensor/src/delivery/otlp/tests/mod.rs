mod answers;
mod records;
mod sending;
mod settings;

use super::{Entry, Kind};

fn entry(id: u64, kind: Kind) -> Entry {
    Entry { id, kind, severity: 17, uid: format!("{id}/0").into(), bytes: b"{}".as_slice().into() }
}
