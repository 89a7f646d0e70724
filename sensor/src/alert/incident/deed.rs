//! What a process of an incident did: what a trace shows on its span.

use super::key::named;
use super::part::shortened;
use crate::event::{Body, BootTime, Event};

/// Something that a process did, as an alert's proof tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When it did it first.
    pub time: BootTime,
    /// `weir.event.kind`.
    pub kind: &'static str,
    /// To what.
    pub object: Object,
}

/// What something was done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A path (`file.path`).
    File(Box<str>),
    /// A name or an address (`weir.destination.id`).
    Destination(Box<str>),
    /// What has no short name.
    Other,
}

impl Deed {
    /// What an event's process did.
    pub fn of(event: &Event) -> Deed {
        let peer = match &event.body {
            Body::Flow(flow) => Some(flow.endpoints),
            Body::Connect(connect) => Some(connect.endpoints),
            _ => None,
        };
        let name = || named(event, "weir.destination.id").or_else(|| named(event, "server.address"));
        let object = match (&event.body, peer) {
            (Body::Exec(exec), _) => Object::File(shortened(&exec.file.path)),
            (Body::Open(open), _) => Object::File(shortened(&open.file.path)),
            (Body::FileChange(change), _) => Object::File(shortened(&change.file.path)),
            (_, Some(peer)) => Object::Destination(shortened(&name().unwrap_or_else(|| peer.peer_address.to_string()))),
            _ => Object::Other,
        };
        Deed { time: event.time, kind: event.body.kind_name(), object }
    }

    /// Whether it is the same, at whatever time.
    pub fn is(&self, other: &Deed) -> bool {
        self.kind == other.kind && self.object == other.object
    }
}
