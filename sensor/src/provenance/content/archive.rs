//! Zips and tars, by the names of the entries whose headers are in the head; and what is compressed, by its magic.
//!
//! Nothing is unpacked: a zip bomb is read like any other, a few names of it.

use super::bytes::{contains, find, u16_at};
use super::{Format, Found, Sample};

/// Headers of entries that are looked at.
const ENTRIES_MAX: usize = 16;

const ZIP_HEADER: &[u8] = b"PK\x03\x04";

pub(super) fn look_in(sample: &Sample<'_>) -> Option<Found> {
    if sample.head.starts_with(ZIP_HEADER) { Some(zip(sample)) } else { tar(sample.head) }
}

/// What is compressed. What is in it does not show.
pub(super) fn by_magic(sample: &Sample<'_>) -> Option<Found> {
    let head = sample.head;
    let magics = [
        (Format::Gzip, &b"\x1f\x8b\x08"[..]),
        (Format::Zstd, b"\x28\xb5\x2f\xfd"),
        (Format::Xz, b"\xfd7zXZ\0"),
        (Format::Lz4, b"\x04\x22\x4d\x18"),
        (Format::SevenZip, b"7z\xbc\xaf\x27\x1c"),
    ];
    if let Some((format, _)) = magics.into_iter().find(|(_, magic)| head.starts_with(magic)) {
        return Some(Found::certain(format));
    }
    match head {
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', ..] => Some(Found::certain(Format::Bzip2)),
        // The usual window, a level, no dictionary; then a block whose type is one of the three.
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, block, ..] if block & 6 != 6 => Some(Found::likely(Format::Zlib)),
        _ => None,
    }
}

/// The header of a zip's entry, as far as the head has it.
struct Entry<'a> {
    name: &'a [u8],
    extra: &'a [u8],
}

fn entry(header: &[u8]) -> Option<Entry<'_>> {
    let (name, extra) = (usize::from(u16_at(header, 26)?), usize::from(u16_at(header, 28)?));
    let rest = header.get(30..)?;
    let rest_of_extra = rest.get(name..)?;
    Some(Entry {
        name: rest.get(..name)?,
        extra: rest_of_extra.get(..extra.min(rest_of_extra.len())).unwrap_or_default(),
    })
}

fn zip(sample: &Sample<'_>) -> Found {
    // An entry's length is often told behind it only: headers are looked for, not jumped to.
    let mut rest = sample.head;
    let mut seen = Seen::default();
    for count in 0..ENTRIES_MAX {
        let Some(at) = find(rest, ZIP_HEADER) else { break };
        let header = rest.get(at..).unwrap_or_default();
        if let Some(entry) = entry(header) {
            seen.add(&entry, count == 0);
        }
        rest = header.get(ZIP_HEADER.len()..).unwrap_or_default();
    }
    // The last entry's name stands near the end too.
    let last_is = |name: &[u8]| contains(sample.tail, name);
    if seen.torch {
        Found::certain(if seen.code { Format::Torchscript } else { Format::PytorchZip })
    } else if seen.archive || last_is(b"MAR-INF/") {
        Found::certain(Format::Mar)
    } else if seen.keras || last_is(b"model.weights.h5") || contains(sample.head, b"\"keras_version\"") {
        Found::certain(Format::Keras)
    } else if seen.array {
        Found::likely(Format::Npz)
    } else {
        Found::certain(Format::Zip)
    }
}

/// What the names of a zip's entries say.
#[derive(Default)]
struct Seen {
    torch: bool,
    code: bool,
    archive: bool,
    keras: bool,
    array: bool,
}

impl Seen {
    fn add(&mut self, entry: &Entry<'_>, first: bool) {
        let name = entry.name;
        let within = name.iter().position(|byte| *byte == b'/').and_then(|slash| name.get(slash + 1..));
        // PyTorch's writer aligns tensors by a field of its own, filled with `Z`.
        let aligned = match entry.extra {
            [b'F', b'B', _, _, fill @ ..] => fill.iter().all(|byte| *byte == b'Z'),
            _ => false,
        };
        self.torch |= within == Some(b"data.pkl") || aligned;
        self.code |= within.is_some_and(|name| name == b"constants.pkl" || name.starts_with(b"code/"));
        self.archive |= name.starts_with(b"MAR-INF/");
        self.keras |= name == b"model.weights.h5";
        self.array |= first && name.ends_with(b".npy");
    }
}

/// A tar's blocks: each header says how long its entry is, and has a sum of itself.
fn tar(head: &[u8]) -> Option<Found> {
    const BLOCK: usize = 512;
    let (mut at, mut parts) = (0usize, 0);
    let mut is_tar = false;
    for _ in 0..ENTRIES_MAX {
        let Some(header) = head.get(at..).and_then(|rest| rest.get(..BLOCK)).filter(|header| is_tar_header(header))
        else {
            break;
        };
        is_tar = true;
        let name = header.get(..100).and_then(|name| name.split(|byte| *byte == 0).next()).unwrap_or_default();
        let name = name.strip_prefix(b"./").unwrap_or(name);
        if matches!(name, b"model_config.yaml" | b"model_weights.ckpt") || name.starts_with(b"model_weights/") {
            return Some(Found::certain(Format::Nemo));
        }
        parts += usize::from(matches!(name, b"sys_info" | b"pickle" | b"tensors" | b"storages"));
        let length = header.get(124..136).and_then(octal).and_then(|length| usize::try_from(length).ok());
        let next = length
            .and_then(|length| length.checked_next_multiple_of(BLOCK))
            .and_then(|length| at.checked_add(BLOCK)?.checked_add(length));
        let Some(next) = next else { break };
        at = next;
    }
    match parts {
        _ if !is_tar => None,
        0 => Some(Found::certain(Format::Tar)),
        // What torch.save wrote before 0.1.10.
        parts => Some(Found::sure(Format::PytorchLegacy, parts > 1)),
    }
}

/// Whether the block's sum is right, its own field counted as spaces.
fn is_tar_header(header: &[u8]) -> bool {
    const SUM: std::ops::Range<usize> = 148..156;
    let Some(told) = header.get(SUM).and_then(octal) else { return false };
    let bytes = header.iter().enumerate();
    let sum: u64 = bytes.map(|(at, byte)| if SUM.contains(&at) { 32 } else { u64::from(*byte) }).sum();
    // Of nothing but zeros the sum would be that of the spaces.
    sum == told && header.first().is_some_and(|byte| *byte != 0)
}

/// A number in octal digits, with spaces or zeros around it.
fn octal(field: &[u8]) -> Option<u64> {
    let field = field.split(|byte| *byte == 0).next()?.trim_ascii();
    let digit = |byte: &u8| matches!(byte, b'0'..=b'7').then(|| u64::from(byte - b'0'));
    (!field.is_empty()).then_some(())?;
    field.iter().try_fold(0u64, |sum, byte| sum.checked_mul(8)?.checked_add(digit(byte)?))
}
