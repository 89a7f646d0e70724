//! Classified content on its way between processes and what carries it.

use super::{Classes, File, serial};
use sensor_common::label::{Carrier, Direction};
use serde::{Deserialize, Serialize};

/// A process took content out of a thing that carries some, or gave some to a thing. Told at the first time and at
/// each doubling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The thing. A pipe or a socket has no path, an IPv4 or IPv6 socket no id either.
    pub file: File,
    /// What kind of thing.
    #[serde(with = "serial")]
    pub carrier: Carrier,
    /// Which way.
    #[serde(with = "serial")]
    pub direction: Direction,
    /// Bytes between the two in this direction so far.
    pub bytes: u64,
    /// Nothing more is told before there are so many: the most that can have moved by the next report.
    pub until: u64,
    /// The kernel's number of an IPv4 or IPv6 socket.
    pub socket_cookie: Option<u64>,
    /// It is mapped: nothing tells of what is read or written there.
    pub mapped: bool,
    /// `bytes` is the most that can have moved.
    pub bound: bool,
    /// An io_uring request did it.
    pub io_uring: bool,
    /// Classes of what it can have been, as the kernel side knew.
    pub classes: Classes,
}

/// What the kernel side knew of what somebody holds: a bound, which no lost event makes smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Classes.
    pub classes: Classes,
    /// Most bytes of them.
    pub bytes: u64,
}
