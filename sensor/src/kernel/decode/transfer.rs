//! Records about content on its way between processes and what carries it.

use super::file::file;
use super::{Malformed, fixed, split};
use crate::event::{Carrier, Classes, Direction, Label, Transfer};
use sensor_common::classify::CLASSES;
use sensor_common::label;
use sensor_common::record::{self, transfer_flags};

pub(super) fn transfer(bytes: &[u8]) -> Result<Transfer, Malformed> {
    const WHAT: &str = "transfer";
    let (transfer, tail) = fixed::<record::Transfer>(bytes, WHAT)?;
    let (path, _) = split(tail, transfer.path.len.into())?;
    let carrier = Carrier::from_wire(transfer.carrier).ok_or(Malformed::Code { what: WHAT, code: transfer.carrier })?;
    let direction =
        Direction::from_wire(transfer.direction).ok_or(Malformed::Code { what: WHAT, code: transfer.direction })?;
    let mut file = file(&transfer.file, transfer.path.flags, path, Classes::default());
    if path.is_empty() {
        file.path = "".into();
    }
    Ok(Transfer {
        file,
        carrier,
        direction,
        bytes: transfer.bytes,
        until: transfer.until,
        socket_cookie: Some(transfer.cookie).filter(|cookie| *cookie != 0),
        mapped: transfer.flags & transfer_flags::MAPPED != 0,
        bound: transfer.flags & transfer_flags::BOUND != 0,
        io_uring: transfer.flags & transfer_flags::IO_URING != 0,
        classes: Classes(transfer.classes & CLASSES),
    })
}

pub(super) fn label(label: &label::Label) -> Label {
    Label { classes: Classes(label.classes & CLASSES), bytes: label.bytes }
}
