//! ClientHellos: put together from the packets that a flow begins with, and asked for the server's name.
//!
//! Bounded in every way: the kernel sends at most four packets of 2 KiB of a flow, and here at most 8 KiB of each are kept. A hello that is
//! longer, or is cut into more packets, has no name; the flow then goes by its address.

use super::initial;
use crate::event::host_name;
use std::net::IpAddr;
use tls_parser::{SNIType, TlsExtension, parse_tls_extension_sni_content, parse_tls_handshake_client_hello};

/// Most bytes that are kept of a hello.
pub const HELLO_MAX: usize = 8192;
/// Most pieces of one, between which something is missing.
const PIECES_MAX: usize = 64;
/// Longest name of a host (RFC 1035, section 2.3.4).
const NAME_MAX: usize = 255;

/// What was found in the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It may be a hello, and there is more to come.
    More,
    /// It is none, or names nobody.
    Nothing,
    /// The server's name.
    Name(Box<str>),
}

/// The beginning of a flow, as far as it has come.
#[derive(Debug)]
pub enum Assembly {
    /// Of TCP: TLS records.
    Tls(Vec<u8>),
    /// Of UDP: QUIC's Initial packets.
    Quic {
        /// The connection id that the client chose for the server, of which the keys are made.
        id: Option<Box<[u8]>>,
        /// The stream of CRYPTO frames, in pieces that arrive in any order.
        crypto: Pieces,
    },
}

impl Assembly {
    /// Nothing yet.
    pub fn new(quic: bool) -> Assembly {
        if quic { Assembly::Quic { id: None, crypto: Pieces::default() } } else { Assembly::Tls(Vec::new()) }
    }

    /// Adds a packet; `offset` is that of [`crate::event::Hello`].
    pub fn add(&mut self, offset: u32, bytes: &[u8]) -> Found {
        match self {
            Assembly::Tls(stream) => {
                // What is missing in between was lost, and does not come again.
                if usize::try_from(offset).ok() != Some(stream.len()) || stream.len() + bytes.len() > HELLO_MAX {
                    return Found::Nothing;
                }
                stream.extend_from_slice(bytes);
                tls(stream)
            }
            Assembly::Quic { id, crypto } => {
                initial::read(bytes, id, |at, piece| crypto.add(at, piece));
                match crypto.is_empty() {
                    // Not the one that it looked like; the next may be.
                    true => Found::More,
                    false => client_hello(crypto.beginning()),
                }
            }
        }
    }
}

/// The pieces of a stream, put together where they meet.
#[derive(Debug, Default)]
pub struct Pieces {
    /// By where each begins; none touches another.
    pieces: Vec<(usize, Vec<u8>)>,
}

impl Pieces {
    /// Adds a piece; of what came before, the first stays. What goes beyond the bounds is dropped.
    pub fn add(&mut self, at: u64, bytes: &[u8]) {
        let Ok(at) = usize::try_from(at) else { return };
        if bytes.is_empty() || at.saturating_add(bytes.len()) > HELLO_MAX || self.pieces.len() >= PIECES_MAX {
            return;
        }
        self.pieces.push((at, bytes.to_vec()));
        // Stable: of two that begin at the same place the earlier comes first.
        self.pieces.sort_by_key(|(at, _)| *at);
        let mut joined: Vec<(usize, Vec<u8>)> = Vec::with_capacity(self.pieces.len());
        for (at, bytes) in self.pieces.drain(..) {
            match joined.last_mut() {
                Some((start, last)) if at <= *start + last.len() => {
                    let known = *start + last.len() - at;
                    last.extend_from_slice(bytes.get(known..).unwrap_or_default());
                }
                _ => joined.push((at, bytes)),
            }
        }
        self.pieces = joined;
    }

    /// Whether there is nothing yet.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// What there is from the stream's first byte on, up to the first gap.
    pub fn beginning(&self) -> &[u8] {
        match self.pieces.first() {
            Some((0, bytes)) => bytes,
            _ => &[],
        }
    }
}

/// The hello in TLS records (RFC 8446, section 5.1): they may cut it anywhere.
pub fn tls(stream: &[u8]) -> Found {
    let mut message = Vec::new();
    let mut rest = stream;
    while let [kind, major, _, high, low, after @ ..] = rest {
        if *kind != 22 || *major != 3 {
            return Found::Nothing;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        message.extend_from_slice(after.get(..length).unwrap_or(after));
        rest = after.get(length..).unwrap_or_default();
        match client_hello(&message) {
            Found::More => {}
            found => return found,
        }
    }
    Found::More
}

/// The server's name in the handshake message that `bytes` begin with (RFC 8446, section 4.1.2).
pub fn client_hello(bytes: &[u8]) -> Found {
    let (kind, [high, middle, low], body) = match bytes {
        [kind, high, middle, low, body @ ..] => (*kind, [*high, *middle, *low], body),
        [] | [1, ..] => return Found::More,
        _ => return Found::Nothing,
    };
    let length = u32::from_be_bytes([0, high, middle, low]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if kind != 1 || length > HELLO_MAX {
        return Found::Nothing;
    }
    let Some(body) = body.get(..length) else { return Found::More };
    let Ok((_, hello)) = parse_tls_handshake_client_hello(body) else { return Found::Nothing };
    // One by one: an extension that the parser does not understand must not hide the next.
    let mut rest = hello.ext.unwrap_or_default();
    while let [type_high, type_low, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((content, next)) = after.split_at_checked(length) else { break };
        if [*type_high, *type_low] == [0, 0] {
            return match parse_tls_extension_sni_content(content) {
                Ok((_, TlsExtension::SNI(names))) => named(&names),
                _ => Found::Nothing,
            };
        }
        rest = next;
    }
    Found::Nothing
}

fn named(names: &[(SNIType, &[u8])]) -> Found {
    let name = names.iter().find(|(kind, _)| *kind == SNIType::HostName).map(|(_, name)| *name);
    let name = name.filter(|name| name.len() <= NAME_MAX).map(host_name).filter(|name| !name.is_empty());
    // An address is no name (RFC 6066, section 3).
    match name.filter(|name| name.parse::<IpAddr>().is_err()) {
        Some(name) => Found::Name(name),
        None => Found::Nothing,
    }
}
