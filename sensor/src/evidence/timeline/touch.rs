//! What an event says about the way that content takes: which file or carrier it reads, writes, makes.

use super::super::source::{Row, file_of};
use super::super::words::Facts;

/// What was done to a file or carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// DEVICE/INODE.
    pub file: Box<str>,
    /// Content came from it.
    pub reads: bool,
    /// Content went into it, or it got a name.
    pub writes: bool,
    /// It did not exist before.
    pub creates: bool,
    /// It has no name afterwards.
    pub ends: bool,
}

/// What `row` did to the file that it is about, if it is about one that has an id.
pub fn touch(row: &Row) -> Option<Touch> {
    let facts = Facts(&row.attributes);
    let (reads, writes) = match facts.kind() {
        "open" => match facts.text("weir.file.access") {
            Some("read") => (true, facts.flag("weir.file.created")),
            Some("write") => (false, true),
            Some("read_write") => (true, true),
            _ => return None,
        },
        "transfer" => match facts.text("weir.transfer.direction") {
            Some("in") => (true, false),
            Some("out") => (false, true),
            _ => (true, true),
        },
        "exec" => (true, false),
        "rename" | "link" | "truncate" | "unlink" => (false, true),
        _ => return None,
    };
    let creates = facts.kind() == "open" && facts.flag("weir.file.created");
    // A name of several is no end.
    let ends = facts.kind() == "unlink" && facts.number("weir.file.links").is_none_or(|links| links <= 1);
    Some(Touch { file: file_of(&row.attributes)?.into(), reads, writes, creates, ends })
}

/// Whether it is one of what may have brought or prepared what a process later gave on: what it read, got at and received, not
/// what else it did.
pub fn is_cause(row: &Row) -> bool {
    match Facts(&row.attributes).kind() {
        "process_access" | "connect" | "flow" | "dns" | "hello" => true,
        _ => touch(row).is_some_and(|touch| touch.reads),
    }
}

/// Whether so little went into a carrier that it cannot be what was held: less than a thousandth, as the words that a program
/// says about what it does.
pub fn is_small(row: &Row) -> bool {
    let facts = Facts(&row.attributes);
    facts.kind() == "transfer"
        && facts
            .number("weir.transfer.bytes")
            .zip(facts.number("weir.held.bytes"))
            .is_some_and(|(moved, held)| moved < held / 1000)
}
