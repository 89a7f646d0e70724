//! Destinations that bytes may go to, each with how many: the entries of `lists/declared_destinations.txt`, for all workloads, and those
//! of the policy, for some.
//!
//! An entry is a network, an address or a name, and may have a budget behind it: `10.0.0.0/8 unlimited`,
//! `203.0.113.0/24 500GB/day`, `*.example.org 1 GiB/day`. Without one, the budget follows what is usual. A declared destination is
//! not exempt from being counted: what goes to it is held against its budget.

use crate::event::NamedBy;
use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// How many bytes may go to a declared destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// What is usual there, threefold, and 64 MiB, in 24 hours.
    Usual,
    /// So many payload bytes in 24 hours.
    PerDay(u64),
    /// As many as it likes.
    Unlimited,
}

/// Payload bytes that may go in 24 hours to where a workload only downloads from, unless a budget says otherwise: 64 MiB, what its
/// requests come to. It does not follow what is usual.
pub const REQUESTS: u64 = 64 << 20;

/// What a destination is declared for. Bytes that arrive are not counted, so that this decides only how many may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Bytes may go there.
    Upload,
    /// Bytes come from there; what goes there are requests ([`REQUESTS`]).
    Download,
    /// Both.
    #[default]
    Both,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Direction; 3] = [Direction::Upload, Direction::Download, Direction::Both];

    /// Its name in the policy.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Upload => "upload",
            Direction::Download => "download",
            Direction::Both => "both",
        }
    }
}

/// Whom an entry declares.
#[derive(Clone, Debug, PartialEq, Eq)]
enum To {
    Network(IpNet),
    /// A name, in lower case; with everything below it, and not itself, if it was written `*.name`.
    Name {
        name: Box<str>,
        below: bool,
    },
}

/// A declared destination: a line of `lists/declared_destinations.txt`, or an entry of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredEntry {
    /// Whom, as it is written there: the destination's id.
    pub id: Arc<str>,
    /// How many bytes.
    pub budget: Budget,
    /// What for.
    pub direction: Direction,
    to: To,
}

impl DeclaredEntry {
    /// The destination `to`, with a budget as it is written in the list; without one, `direction` decides.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn new(to: &str, budget: Option<&str>, direction: Direction) -> Result<DeclaredEntry, EntryError> {
        let network = to.parse::<IpNet>().or_else(|_| to.parse::<IpAddr>().map(IpNet::from));
        let budget = match (budget.map(str::trim), direction) {
            (None | Some(""), Direction::Download) => Budget::PerDay(REQUESTS),
            (None | Some(""), _) => Budget::Usual,
            (Some("unlimited"), _) => Budget::Unlimited,
            (Some(budget), _) => Budget::PerDay(bytes_a_day(budget).ok_or(EntryError::Budget)?),
        };
        let id = to.into();
        let to = match network {
            // Flows to IPv4 peers of IPv6 sockets are IPv4 here.
            Ok(network) => To::Network(network),
            Err(_) => name(to).ok_or(EntryError::Destination)?,
        };
        Ok(DeclaredEntry { id, budget, direction, to })
    }

    /// The network, of an entry that is one.
    pub fn network(&self) -> Option<IpNet> {
        match self.to {
            To::Network(network) => Some(network),
            To::Name { .. } => None,
        }
    }
}

/// Why a line is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum EntryError {
    #[error("is neither a network nor a name: write one like 10.0.0.0/8 (CIDR), storage.example.org or *.example.org")]
    Destination,
    #[error("has a budget that cannot be read: write `unlimited`, or bytes a day like 500GB/day")]
    Budget,
}

impl FromStr for DeclaredEntry {
    type Err = EntryError;

    /// A line of the list: the destination, and behind a blank its budget.
    fn from_str(line: &str) -> Result<DeclaredEntry, EntryError> {
        let (destination, budget) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        DeclaredEntry::new(destination, Some(budget), Direction::Both)
    }
}

/// RFC 1123: letters, digits and hyphens, at least two labels, the last with a letter (else it is half an address).
fn name(text: &str) -> Option<To> {
    let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let right = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let labels: Vec<_> = name.split('.').collect();
    let top = labels.last()?.bytes().any(|byte| byte.is_ascii_alphabetic());
    (labels.len() >= 2 && name.len() <= 253 && top && labels.iter().all(|label| right(label)))
        .then(|| To::Name { name: name.into(), below })
}

/// `500GB/day`, `1.5 GiB/day`; whole bytes.
fn bytes_a_day(text: &str) -> Option<u64> {
    let amount = text.strip_suffix("/day")?.trim();
    let digits = amount.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(amount.len());
    let (number, unit) = amount.split_at_checked(digits)?;
    let unit: u64 = match unit.trim() {
        "B" | "" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * unit as f64;
    // Floats beyond this are no whole numbers any more, and no budget either.
    (0.0..9e15).contains(&bytes).then_some(bytes as u64)
}

/// All declared destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// The longest prefix first, so that the nearest entry is found first.
    networks: Vec<(IpNet, DeclaredEntry)>,
    /// Exact names first, then the longest.
    names: Vec<DeclaredEntry>,
}

impl Declared {
    /// These entries. Of two that declare the same the first counts.
    pub fn new(entries: impl IntoIterator<Item = DeclaredEntry>) -> Declared {
        let mut declared = Declared::default();
        for entry in entries {
            match entry.network() {
                Some(network) => declared.networks.push((network, entry)),
                None => declared.names.push(entry),
            }
        }
        declared.networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        declared.names.sort_by_key(|entry| match &entry.to {
            To::Name { name, below } => (*below, std::cmp::Reverse(name.len())),
            To::Network(_) => (true, std::cmp::Reverse(0)),
        });
        declared
    }

    /// The entry that says most about a destination: its name first, if it is known by a DNS answer, then its address. A server
    /// name in a hello alone declares nothing: whoever sends writes it.
    pub fn find(&self, name: Option<&str>, by: NamedBy, address: Option<IpAddr>) -> Option<&DeclaredEntry> {
        let named = name.filter(|_| by == NamedBy::Dns).and_then(|name| self.named(name));
        named.or_else(|| {
            let address = address?.to_canonical();
            self.networks.iter().find(|(network, _)| network.contains(&address)).map(|(_, entry)| entry)
        })
    }

    fn named(&self, asked: &str) -> Option<&DeclaredEntry> {
        let asked = asked.strip_suffix('.').unwrap_or(asked).to_ascii_lowercase();
        self.names.iter().find(|entry| match &entry.to {
            To::Name { name, below: false } => **name == *asked,
            To::Name { name, below: true } => {
                asked.strip_suffix(&**name).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
            }
            To::Network(_) => false,
        })
    }
}
