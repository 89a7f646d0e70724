//! Where bytes go: what the ledger tells destinations apart by.

use super::super::names::registered_domain;
use crate::event::{Body, DestinationSums, Event, NamedBy, SavedPlace};
use crate::policy::{Declared, DeclaredEntry};
use std::net::IpAddr;
use std::sync::Arc;

/// A destination, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// By name.
    Domain {
        /// The registered domain: what somebody bought.
        registered: Arc<str>,
        /// The whole name.
        name: Arc<str>,
        /// What told it.
        by: NamedBy,
        /// The address that it goes to.
        address: Option<IpAddr>,
    },
    /// By address.
    Address(IpAddr),
    /// Several at once, for which the kernel had no room.
    Merged,
}

impl Destination {
    /// The address, where it is known.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Destination::Domain { address, .. } => *address,
            Destination::Address(address) => Some(*address),
            Destination::Merged => None,
        }
    }

    /// What it was judged by.
    pub fn by(&self) -> NamedBy {
        match self {
            Destination::Domain { by, .. } => *by,
            _ => NamedBy::Address,
        }
    }

    /// The entry that declares it.
    pub fn entry<'d>(&self, declared: &'d Declared) -> Option<&'d DeclaredEntry> {
        let name = match self {
            Destination::Domain { name, .. } => Some(&**name),
            _ => None,
        };
        declared.find(name, self.by(), self.address())
    }

    /// The row of the ledger that it is summed in.
    pub fn place(&self, entry: Option<&DeclaredEntry>) -> Place {
        match (entry, self) {
            (Some(entry), _) => Place::Declared(Arc::clone(&entry.id)),
            (None, Destination::Domain { registered, by: NamedBy::Dns, .. }) => Place::Domain(Arc::clone(registered)),
            // What a client says of its server is for show: who sends could say something else each time.
            (None, Destination::Domain { address, .. }) => address.map_or(Place::Others, Place::Address),
            (None, Destination::Address(address)) => Place::Address(*address),
            (None, Destination::Merged) => Place::Others,
        }
    }

    /// What an event says of it, without sums.
    pub fn facts(&self, place: &Place) -> DestinationSums {
        DestinationSums {
            id: place.id(),
            declared: matches!(place, Place::Declared(_)),
            public: self.address().is_some_and(is_public),
            ..DestinationSums::default()
        }
    }
}

/// Where the bytes of a flow, connect or growth go; `None` for what stays on this host, which is not counted. The one place that
/// knows how an event names its destination: by the name in a DNS answer or a hello, else by its address.
pub fn destination_of(event: &Event) -> Option<Destination> {
    let address = match &event.body {
        // Of merged peers the report names one only.
        Body::Flow(flow) if flow.peers_merged => return Some(Destination::Merged),
        Body::Flow(flow) => flow.endpoints.peer_address,
        Body::Connect(connect) => connect.endpoints.peer_address,
        Body::Egress(grown) => match grown.peer {
            Some(address) => address,
            None => return Some(Destination::Merged),
        },
        _ => return None,
    };
    if stays_here(address) {
        return None;
    }
    let address = address.to_canonical();
    let named = event.server.as_ref().and_then(|server| Some((server.name.as_ref()?, server.by)));
    Some(match named {
        Some((name, by)) => Destination::Domain {
            registered: registered_domain(name).into(),
            name: Arc::clone(name),
            by,
            address: Some(address),
        },
        None => Destination::Address(address),
    })
}

/// A row of the ledger. What is declared is one row an entry, so that spreading bytes over a declared network gains nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A declared entry, by its id.
    Declared(Arc<str>),
    /// A registered domain.
    Domain(Arc<str>),
    /// An address.
    Address(IpAddr),
    /// Whatever there was no room to tell apart.
    Others,
}

impl Place {
    /// The value of the field `weir.destination.id`.
    pub fn id(&self) -> Box<str> {
        match self {
            Place::Declared(id) | Place::Domain(id) => (**id).into(),
            Place::Address(address) => address.to_string().into(),
            Place::Others => "others".into(),
        }
    }

    pub(super) fn saved(&self) -> SavedPlace {
        match self {
            Place::Declared(id) => SavedPlace::Declared((**id).into()),
            Place::Domain(name) => SavedPlace::Domain((**name).into()),
            Place::Address(address) => SavedPlace::Address(*address),
            Place::Others => SavedPlace::Others,
        }
    }

    pub(super) fn restored(saved: &SavedPlace) -> Place {
        match saved {
            SavedPlace::Declared(id) => Place::Declared((**id).into()),
            SavedPlace::Domain(name) => Place::Domain((**name).into()),
            SavedPlace::Address(address) => Place::Address(*address),
            SavedPlace::Others => Place::Others,
        }
    }
}

/// Whether bytes to `address` stay on this host: loopback, and the unspecified address, which connects to it (tcp_v4_connect,
/// ip_route_output_key).
pub fn stays_here(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// Whether `address` is one of the public internet's: in none of the blocks that are private, shared, link-local or multicast
/// (RFC 6890 and its registries). The blocks for documentation count as public: only tests have them.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || shared
                || a == 0
                // Multicast, reserved, broadcast.
                || a >= 224)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unicast_link_local()
                || address.is_unique_local())
        }
    }
}
