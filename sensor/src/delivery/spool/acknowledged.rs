//! Acknowledgements beside a segment: which of its records are done.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One record that is done.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Done {
    id: U64,
    /// Of the record: an acknowledgement that outlived its segment must not hit another one.
    record: U32,
    /// CRC-32 of both.
    sum: U32,
}

/// Bytes of an acknowledgement.
pub(super) const SIZE: usize = size_of::<Done>();

impl Done {
    fn new(id: u64, record: u32) -> Done {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&id.to_le_bytes());
        sum.update(&record.to_le_bytes());
        // Zeros, as a file system may leave them, are no acknowledgement.
        Done { id: id.into(), record: record.into(), sum: (!sum.finalize()).into() }
    }
}

/// Writes one to the end of `out`.
pub(super) fn encode(id: u64, record: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(Done::new(id, record).as_bytes());
}

/// The ids and checksums in a file. A write that was cut may have moved those after it, so they are looked for at each byte.
pub(super) fn scan(bytes: &[u8]) -> Vec<(u64, u32)> {
    let (mut done, mut at) = (Vec::new(), 0);
    while let Some(Ok(found)) = bytes.get(at..at + SIZE).map(Done::read_from_bytes) {
        let (id, record) = (found.id.get(), found.record.get());
        let right = Done::new(id, record).sum == found.sum;
        if right {
            done.push((id, record));
        }
        at += if right { SIZE } else { 1 };
    }
    done
}
