//! Training and evaluation data.

use super::bytes::{contains, u16_at, u32_at, u64_at};
use super::{Format, Found, Sample};

pub(super) fn by_magic(sample: &Sample<'_>) -> Option<Found> {
    let Sample { head, tail, .. } = *sample;
    // Being written still, or cut: only the beginning is there.
    let both =
        |format, front: &[u8], back: &[u8]| head.starts_with(front).then(|| Found::sure(format, tail.ends_with(back)));
    parquet(sample)
        .or_else(|| both(Format::Arrow, b"ARROW1\0\0", b"ARROW1"))
        .or_else(|| both(Format::Feather, b"FEA1", b"FEA1"))
        .or_else(|| is_arrow_stream(sample).then_some(Found::certain(Format::Arrow)))
        .or_else(|| head.starts_with(b"Obj\x01").then(|| Found::sure(Format::Avro, contains(head, b"avro.schema"))))
        .or_else(|| is_orc(sample).then_some(Found::certain(Format::Orc)))
        .or_else(|| is_lance(sample).then_some(Found::certain(Format::Lance)))
        .or_else(|| is_tfrecord(sample).then_some(Found::certain(Format::Tfrecord)))
}

/// A magic at both ends (`PARE`: its footer is encrypted), and the footer's length before the second.
fn parquet(sample: &Sample<'_>) -> Option<Found> {
    let magic = sample.head.first_chunk::<4>().filter(|magic| matches!(*magic, b"PAR1" | b"PARE"))?;
    let footer = sample.tail.strip_suffix(magic).and_then(<[u8]>::last_chunk).map(|bytes| u32::from_le_bytes(*bytes));
    Some(Found::sure(Format::Parquet, footer.is_some_and(|length| u64::from(length) + 12 <= sample.size)))
}

/// A message begins with 0xffffffff and the length of its FlatBuffer, of which `version` and `header_type` are looked at: the
/// first message is a schema (org.apache.arrow.flatbuf.Message).
fn is_arrow_stream(sample: &Sample<'_>) -> bool {
    const SCHEMA: u8 = 1;
    let is_schema = || -> Option<bool> {
        let length = sample.head.strip_prefix(b"\xff\xff\xff\xff").and_then(|rest| u32_at(rest, 0))?;
        if length % 8 != 0 || u64::from(length) + 8 > sample.size {
            return None;
        }
        let message = sample.head.get(8..)?;
        let table = usize::try_from(u32_at(message, 0)?).ok()?;
        // The vtable stands before or after the table, by a signed distance.
        let distance = i64::from(u32_at(message, table)?.cast_signed());
        let vtable = usize::try_from(i64::try_from(table).ok()?.checked_sub(distance)?).ok()?;
        let field = |index: usize| {
            let offset = u16_at(message, vtable.checked_add(4 + 2 * index)?).filter(|offset| *offset != 0)?;
            message.get(table.checked_add(usize::from(offset))?).copied()
        };
        let entries = u16_at(message, vtable)?;
        // Version 0 is the default, and left away.
        Some(entries >= 8 && field(0).unwrap_or(0) <= 4 && field(1)? == SCHEMA)
    };
    is_schema().unwrap_or(false)
}

/// A magic at the front and one in the postscript, whose length is the last byte.
fn is_orc(sample: &Sample<'_>) -> bool {
    let postscript = sample
        .tail
        .split_last()
        .is_some_and(|(length, rest)| (4..=sample.size).contains(&u64::from(*length)) && rest.ends_with(b"ORC"));
    sample.head.starts_with(b"ORC") && postscript
}

/// A footer: where the metadata is, the version of the format, the magic.
fn is_lance(sample: &Sample<'_>) -> bool {
    let footer = sample.tail.last_chunk::<16>();
    footer.is_some_and(|footer| {
        // In version 2 the first eight bytes are two counts.
        let (major, minor) = (u16_at(footer, 8), u16_at(footer, 10));
        let legacy = u64_at(footer, 0).is_some_and(|place| place < sample.size);
        let sane = match major {
            Some(0) => legacy || minor == Some(3),
            Some(major) => major <= 16,
            None => false,
        };
        footer.ends_with(b"LANC") && sane && minor.is_some_and(|minor| minor <= 64)
    })
}

/// A length, a checksum of it, so many bytes, and a checksum of them. What TensorBoard reads is of the same form, and no dataset.
fn is_tfrecord(sample: &Sample<'_>) -> bool {
    let (Some(bytes), Some(told)) = (sample.head.first_chunk::<8>(), u32_at(sample.head, 8)) else { return false };
    let length = u64::from_le_bytes(*bytes);
    length.checked_add(16).is_some_and(|end| end <= sample.size)
        && masked_crc32c(bytes) == told
        && !contains(sample.head.get(12..).unwrap_or_default(), b"brain.Event:")
}

/// CRC-32C, turned and shifted as TensorFlow does, so that sums of sums stay good.
pub(super) fn masked_crc32c(bytes: &[u8; 8]) -> u32 {
    let crc = !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    });
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}
