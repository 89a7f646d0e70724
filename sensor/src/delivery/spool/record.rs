//! A record in a segment: how it is written, and how a segment is read that may have been torn or changed.

use std::borrow::Cow;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One alert.
    Alert,
    /// An incident, as it is now.
    Incident,
    /// What the sensor saw and did not see.
    Coverage,
    /// One event.
    Event,
}

impl Kind {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Alert => "alert",
            Kind::Incident => "incident",
            Kind::Coverage => "coverage",
            Kind::Event => "event",
        }
    }

    fn code(self) -> u8 {
        match self {
            Kind::Alert => 1,
            Kind::Incident => 2,
            Kind::Coverage => 3,
            Kind::Event => 4,
        }
    }

    fn of(code: u8) -> Option<Kind> {
        [Kind::Alert, Kind::Incident, Kind::Coverage, Kind::Event].into_iter().find(|kind| kind.code() == code)
    }
}

/// What is to be delivered.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// What it is.
    pub kind: Kind,
    /// OpenTelemetry's severity number; more than 24 counts as 24.
    pub severity: u8,
    /// When it was told, in nanoseconds since 1970: for the age of what waits, never for order.
    pub time: u64,
    /// By which receivers know that they have it already; 255 bytes at most.
    pub uid: &'a str,
    /// UTF-8.
    pub bytes: &'a [u8],
}

/// What was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of this spool.
    pub id: u64,
    /// What it is.
    pub kind: Kind,
    /// OpenTelemetry's severity number.
    pub severity: u8,
    /// When it was told, in nanoseconds since 1970.
    pub time: u64,
    /// By which receivers know that they have it already.
    pub uid: Box<str>,
    /// As they were appended.
    pub bytes: Box<[u8]>,
}

/// 0xff is in no UTF-8 text, and so in no record but here (and in lengths, ids and checksums).
const MARKER: [u8; 4] = [NEVER, b'W', b'S', b'1'];
/// The byte that no record may have.
const NEVER: u8 = 0xff;
/// OpenTelemetry's highest.
const SEVERITY_MAX: u8 = 24;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    marker: [u8; 4],
    id: U64,
    time: U64,
    /// Of the uid and the bytes.
    length: U32,
    uid_length: u8,
    kind: u8,
    severity: u8,
    reserved: u8,
    /// CRC-32 of the uid and the bytes.
    body: U32,
    /// CRC-32 of all before it.
    header: U32,
}

/// Bytes of a header.
pub(super) const HEADER: usize = size_of::<Header>();

impl Header {
    fn sum(&self) -> u32 {
        let bytes = self.as_bytes();
        crc32fast::hash(bytes.get(..HEADER - 4).unwrap_or(bytes))
    }

    /// The header that `bytes` begin with, if it is right.
    fn read(bytes: &[u8]) -> Option<Header> {
        let (header, _) = Header::read_from_prefix(bytes).ok()?;
        let right = header.marker == MARKER
            && header.header.get() == header.sum()
            && u32::from(header.uid_length) <= header.length.get()
            && header.severity <= SEVERITY_MAX;
        right.then_some(header)
    }

    fn length(&self) -> usize {
        self.length.get() as usize
    }
}

/// The severity number as it is kept.
pub(super) fn severity(draft: &Draft<'_>) -> u8 {
    draft.severity.min(SEVERITY_MAX)
}

/// Bytes of a draft as a record; nothing if it cannot be one.
pub(super) fn size(draft: &Draft<'_>) -> Option<u64> {
    let fits = draft.uid.len() <= usize::from(u8::MAX) && !draft.bytes.contains(&NEVER);
    fits.then(|| (HEADER + draft.uid.len() + draft.bytes.len()) as u64)
}

/// Writes a record to the end of `out`. A draft's uid has 255 bytes at most, and its bytes are fewer than 4 GiB.
pub fn encode(draft: &Draft<'_>, id: u64, out: &mut Vec<u8>) -> Found {
    let mut sum = crc32fast::Hasher::new();
    sum.update(draft.uid.as_bytes());
    sum.update(draft.bytes);
    let mut header = Header {
        marker: MARKER,
        id: id.into(),
        time: draft.time.into(),
        length: ((draft.uid.len() + draft.bytes.len()) as u32).into(),
        uid_length: draft.uid.len() as u8,
        kind: draft.kind.code(),
        severity: severity(draft),
        reserved: 0,
        body: sum.finalize().into(),
        header: 0.into(),
    };
    header.header = header.sum().into();
    let offset = out.len() as u32;
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(draft.uid.as_bytes());
    out.extend_from_slice(draft.bytes);
    found(&header, offset)
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Of the record.
    pub id: u64,
    /// When it was told, in nanoseconds since 1970.
    pub time: u64,
    /// OpenTelemetry's severity number.
    pub severity: u8,
    /// In the segment.
    pub offset: u32,
    /// With the header.
    pub length: u32,
    /// CRC-32 of the uid and the bytes.
    pub sum: u32,
}

fn found(header: &Header, offset: u32) -> Found {
    Found {
        id: header.id.get(),
        time: header.time.get(),
        severity: header.severity,
        offset,
        length: header.length.get() + HEADER as u32,
        sum: header.body.get(),
    }
}

/// What a segment has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Right ones, in the order in which they lie; their ids rise.
    pub records: Vec<Found>,
    /// Records that are cut off, or after which nothing is right: 0 or 1.
    pub torn: u64,
    /// Places where something is not as it was written, and something right follows or the length is right.
    pub flipped: u64,
}

/// Reads a segment, whatever it is: at most 4 GiB.
pub fn scan(bytes: &[u8]) -> Scan {
    let (mut scan, mut at, mut last) = (Scan::default(), 0, None);
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let header = Header::read(rest).filter(|header| Some(header.id.get()) > last);
        let Some(header) = header else {
            let Some(next) = next_header(bytes, at + 1, last) else {
                scan.torn = 1;
                break;
            };
            scan.flipped += 1;
            at = next;
            continue;
        };
        let Some(body) = rest.get(HEADER..HEADER + header.length()) else {
            scan.torn = 1;
            break;
        };
        if is_right(&header, body) {
            last = Some(header.id.get());
            scan.records.push(found(&header, at as u32));
        } else {
            scan.flipped += 1;
        }
        at += HEADER + body.len();
    }
    scan
}

/// Where the next right header is, from `from` on.
fn next_header(bytes: &[u8], from: usize, last: Option<u64>) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|byte| *byte == NEVER)?;
        if Header::read(bytes.get(at..)?).is_some_and(|header| Some(header.id.get()) > last) {
            return Some(at);
        }
        at += 1;
    }
}

fn is_right(header: &Header, body: &[u8]) -> bool {
    crc32fast::hash(body) == header.body.get()
        && Kind::of(header.kind).is_some()
        && body.get(..usize::from(header.uid_length)).is_some_and(|uid| std::str::from_utf8(uid).is_ok())
}

/// The record that `bytes` are, if they are the one that was found there.
pub(super) fn decode(bytes: &[u8], expected: u64, sum: u32) -> Option<Entry> {
    let header = Header::read(bytes)?;
    let body = bytes.get(HEADER..HEADER + header.length())?;
    let (uid, rest) = body.split_at_checked(usize::from(header.uid_length))?;
    let same = header.id.get() == expected && header.body.get() == sum && is_right(&header, body);
    same.then_some(Entry {
        id: expected,
        kind: Kind::of(header.kind)?,
        severity: header.severity,
        time: header.time.get(),
        uid: Cow::into_owned(String::from_utf8_lossy(uid)).into(),
        bytes: rest.into(),
    })
}
