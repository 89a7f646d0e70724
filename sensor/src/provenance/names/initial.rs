//! QUIC's Initial packets: protected with keys that anybody can make of what they say in the clear (RFC 9001, section 5.2; version 2:
//! RFC 9369, section 3.3).

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

/// Longest connection id (RFC 9000, section 17.2).
const ID_MAX: usize = 20;
/// Most packets in a datagram that are looked at. Clients send one or two.
const PACKETS_MAX: usize = 8;
/// Most frames of a packet that are looked at, padding not counted. Clients that scatter a hello use some 30.
const FRAMES_MAX: usize = 256;

/// What differs between versions.
pub(super) struct Version {
    salt: [u8; 20],
    key: &'static [u8],
    vector: &'static [u8],
    header: &'static [u8],
    /// The packet type of Initial packets.
    pub(super) initial: u8,
}

static VERSION_1: Version = Version {
    salt: [
        0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb,
        0x7f, 0x0a,
    ],
    key: b"tls13 quic key",
    vector: b"tls13 quic iv",
    header: b"tls13 quic hp",
    initial: 0,
};

static VERSION_2: Version = Version {
    salt: [
        0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd,
        0x2e, 0xd9,
    ],
    key: b"tls13 quicv2 key",
    vector: b"tls13 quicv2 iv",
    header: b"tls13 quicv2 hp",
    initial: 1,
};

pub(super) fn version(number: u32) -> Option<&'static Version> {
    match number {
        1 => Some(&VERSION_1),
        0x6b33_43cf => Some(&VERSION_2),
        _ => None,
    }
}

/// Reads the CRYPTO frames of a client's Initial packets in a datagram: each piece and where in the stream it belongs. `id` is the
/// connection id that the keys are made of: that of the first packet that can be read. A server that asks for a retry gives
/// another one (RFC 9001, section 5.2); packets that neither opens are left out.
pub(super) fn read(datagram: &[u8], id: &mut Option<Box<[u8]>>, mut crypto: impl FnMut(u64, &[u8])) {
    let mut rest = datagram;
    for _ in 0..PACKETS_MAX {
        let Some(packet) = Packet::parse(rest) else { return };
        let ids = [id.as_deref(), Some(packet.destination)];
        let mut ids: Vec<&[u8]> = ids.into_iter().flatten().collect();
        ids.dedup();
        let opened = ids.into_iter().find_map(|id| Some((Box::<[u8]>::from(id), packet.open(id)?)));
        if let Some((of, frames)) = opened {
            *id = Some(of);
            read_frames(&frames, &mut crypto);
        }
        rest = packet.after;
    }
}

/// A packet with a long header (RFC 9000, section 17.2).
struct Packet<'a> {
    /// How its version protects it; `None` if it is no Initial packet.
    version: Option<&'static Version>,
    destination: &'a [u8],
    /// From its first byte to its last.
    bytes: &'a [u8],
    /// Where its number begins.
    number: usize,
    /// What follows it in the datagram.
    after: &'a [u8],
}

impl<'a> Packet<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Packet<'a>> {
        let mut reader = Reader(bytes);
        let first = reader.byte()?;
        let version = version(u32::from_be_bytes(*reader.take(4)?.first_chunk()?))?;
        if first & 0xc0 != 0xc0 {
            return None;
        }
        let destination = reader.id()?;
        let _source = reader.id()?;
        let kind = first >> 4 & 3;
        // A retry, the fourth after the Initial's own, has no length.
        if kind == (version.initial + 3) % 4 {
            return None;
        }
        let initial = kind == version.initial;
        if initial {
            let token = reader.number()?;
            reader.take(token)?;
        }
        let length = reader.number()?;
        let number = bytes.len() - reader.0.len();
        reader.take(length)?;
        let (bytes, after) = bytes.split_at_checked(number.checked_add(usize::try_from(length).ok()?)?)?;
        Some(Packet { version: initial.then_some(version), destination, bytes, number, after })
    }

    /// What is in it, if the keys that `id` gives open it.
    fn open(&self, id: &[u8]) -> Option<Vec<u8>> {
        let keys = Keys::new(self.version?, id)?;
        // The sample begins where the number's fourth byte would end, however long it is (RFC 9001, section 5.4.2).
        let sample = self.bytes.get(self.number.checked_add(4)?..)?.get(..16)?;
        let [mask, masks @ ..] = keys.header.new_mask(sample).ok()?;
        let mut packet = self.bytes.to_vec();
        let first = packet.first_mut()?;
        *first ^= mask & 0x0f;
        let length = usize::from(*first & 3) + 1;
        let mut number = 0u32;
        for (byte, mask) in packet.get_mut(self.number..self.number + length)?.iter_mut().zip(masks) {
            *byte ^= mask;
            number = number << 8 | u32::from(*byte);
        }
        let (header, payload) = packet.split_at_mut_checked(self.number + length)?;
        let opened = keys.packet.open_in_place(keys.nonce(number), Aad::from(&*header), payload);
        opened.ok().map(|frames| frames.to_vec())
    }
}

/// A client's keys for Initial packets.
pub(super) struct Keys {
    pub(super) packet: LessSafeKey,
    vector: [u8; 12],
    pub(super) header: HeaderProtectionKey,
}

impl Keys {
    /// Those that the connection id gives.
    pub(super) fn new(version: &Version, id: &[u8]) -> Option<Keys> {
        let initial = Salt::new(HKDF_SHA256, &version.salt).extract(id);
        let client = Prk::new_less_safe(HKDF_SHA256, &expand::<32>(&initial, b"tls13 client in")?);
        let packet = UnboundKey::new(&AES_128_GCM, &expand::<16>(&client, version.key)?).ok()?;
        let header = HeaderProtectionKey::new(&AES_128, &expand::<16>(&client, version.header)?).ok()?;
        Some(Keys { packet: LessSafeKey::new(packet), vector: expand::<12>(&client, version.vector)?, header })
    }

    /// Of a packet's number. The first ones of a connection are small: nothing was cut off of them.
    pub(super) fn nonce(&self, number: u32) -> Nonce {
        let mut nonce = self.vector;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_be_bytes().into_iter().rev()) {
            *byte ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The frames that a client's Initial packet may have (RFC 9000, section 12.4); any other ends it.
fn read_frames(frames: &[u8], crypto: &mut impl FnMut(u64, &[u8])) -> Option<()> {
    let mut reader = Reader(frames);
    let mut count = 0;
    while let Some(kind) = reader.byte() {
        // PADDING
        if kind == 0 {
            continue;
        }
        count += 1;
        if count > FRAMES_MAX {
            return None;
        }
        match kind {
            // PING
            1 => {}
            // ACK: the largest, the delay, the number of ranges, the first one, the others; with ECN three counts more.
            2 | 3 => {
                reader.number()?;
                reader.number()?;
                let ranges = reader.number()?;
                reader.number()?;
                for _ in 0..ranges {
                    reader.number()?;
                    reader.number()?;
                }
                for _ in 0..if kind == 3 { 3 } else { 0 } {
                    reader.number()?;
                }
            }
            // CRYPTO
            6 => {
                let at = reader.number()?;
                let length = reader.number()?;
                crypto(at, reader.take(length)?);
            }
            _ => return None,
        }
    }
    Some(())
}

/// Reads from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// A connection id with its length.
    fn id(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.take(length.into()).filter(|id| id.len() <= ID_MAX)
    }

    /// A number of variable length (RFC 9000, section 16).
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let rest = self.take((1 << (first >> 6)) - 1)?;
        Some(rest.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// HKDF-Expand-Label with no context (RFC 8446, section 7.1); the label with its prefix.
fn expand<const N: usize>(secret: &Prk, label: &[u8]) -> Option<[u8; N]> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let info = [&length[..], &[u8::try_from(label.len()).ok()?], label, &[0]];
    let mut key = [0; N];
    secret.expand(&info, Length(N)).ok()?.fill(&mut key).ok()?;
    Some(key)
}
