//! Models that say what they are in their first bytes.

use super::bytes::{contains, find, u16_at, u32_at, u64_at};
use super::{Format, Found, Sample};

/// The longest header that safetensors' own reader takes.
const SAFETENSORS_HEADER_MAX: u64 = 100_000_000;

const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
/// The table footer's magic of LevelDB, which TensorFlow's checkpoints use.
const TABLE: &[u8] = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb";

pub(super) fn by_magic(sample: &Sample<'_>) -> Option<Found> {
    let head = sample.head;
    let certain = |format, is: bool| is.then_some(Found::certain(format));
    safetensors(sample)
        .or_else(|| gguf(head))
        .or_else(|| certain(Format::Ggml, is_ggml(head)))
        .or_else(|| certain(Format::Tensorizer, head.starts_with(b"|TZR|") && u32_at(head, 5).is_some_and(|n| n < 256)))
        .or_else(|| certain(Format::Rknn, head.starts_with(b"RKNN\0\0\0\0") || head.starts_with(b"CYPTRKNN")))
        .or_else(|| certain(Format::Lightgbm, head.starts_with(b"tree\nversion=v")))
        .or_else(|| certain(Format::Catboost, is_catboost(sample)))
        .or_else(|| certain(Format::TfCheckpoint, is_tf_checkpoint(sample)))
        .or_else(|| flatbuffer(sample))
        .or_else(|| hdf5(head))
        .or_else(|| xgboost(sample))
        .or_else(|| ocdbt(sample))
        .or_else(|| numpy(head))
        .or_else(|| tensorrt(head))
}

/// A length, then so much JSON. Trainers put pages of metadata in front of the tensors: these may begin past the head.
fn safetensors(sample: &Sample<'_>) -> Option<Found> {
    let length = u64_at(sample.head, 0)?;
    let text = sample.head.get(8..)?;
    if !(8..=SAFETENSORS_HEADER_MAX).contains(&length) || !text.starts_with(b"{") {
        return None;
    }
    let text = text.get(..usize::try_from(length).ok()?.min(text.len()))?;
    let named = text.trim_ascii_start().starts_with(b"{\"__metadata__\"")
        || contains(text, b"\"data_offsets\"") && contains(text, b"\"dtype\"");
    // The first piece of a file that was cut: its own reader would not take it.
    let whole = length.checked_add(8).is_some_and(|end| end <= sample.size);
    let is_json = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    (named || text.get(1..)?.trim_ascii_start().starts_with(b"\"") && text.iter().all(is_json))
        .then_some(Found::sure(Format::Safetensors, named && whole))
}

/// The version follows, of either byte order.
fn gguf(head: &[u8]) -> Option<Found> {
    let version = head.strip_prefix(b"GGUF").and_then(|rest| u32_at(rest, 0))?;
    let known = (1..=3).contains(&version) || (1..=3).contains(&version.swap_bytes());
    Some(Found::sure(Format::Gguf, known))
}

/// A magic number, written as a number: its letters are backwards. All but the oldest have a version.
fn is_ggml(head: &[u8]) -> bool {
    let versioned = [b"fmgg", b"tjgg", b"algg"].into_iter().any(|magic| head.starts_with(magic));
    // The oldest has its count of words next.
    u32_at(head, 4).is_some_and(|next| {
        versioned && (1..=3).contains(&next) || head.starts_with(b"lmgg") && (1..=10_000_000).contains(&next)
    })
}

/// The length of its core, then a FlatBuffer: the place of its root, which is within the core.
fn is_catboost(sample: &Sample<'_>) -> bool {
    let Some(rest) = sample.head.strip_prefix(b"CBM1") else { return false };
    let (Some(core), Some(root)) = (u32_at(rest, 0), u32_at(rest, 4)) else { return false };
    u64::from(core) + 8 <= sample.size && (4..core).contains(&root)
}

/// The table's first key is empty, and its value the header: number of shards, byte order, version. Other tables' are not.
fn is_tf_checkpoint(sample: &Sample<'_>) -> bool {
    let header = sample.head.strip_prefix(b"\0\0").and_then(|rest| rest.split_first());
    let Some((length, header)) = header.filter(|(length, _)| (2..=32).contains(*length)) else { return false };
    let header = header.get(..usize::from(*length)).unwrap_or_default();
    sample.tail.ends_with(TABLE) && header.starts_with(b"\x08") && contains(header, b"\x1a")
}

/// The place of the root, then the identifier.
fn flatbuffer(sample: &Sample<'_>) -> Option<Found> {
    let (root, name) = (u32_at(sample.head, 0)?, sample.head.get(4..8)?);
    if root < 8 || u64::from(root) >= sample.size {
        return None;
    }
    let digits = |bytes: Option<&[u8]>| bytes.is_some_and(|bytes| bytes.iter().all(u8::is_ascii_digit));
    match name {
        b"TFL3" => Some(Found::certain(Format::Tflite)),
        [b'E', b'T', ..] if digits(name.get(2..)) => {
            let extended = sample.head.get(8..10) == Some(b"eh") && digits(sample.head.get(10..12));
            Some(Found::sure(Format::Executorch, extended))
        }
        _ => None,
    }
}

/// A user's block may come first, of 512 bytes or a doubling of it. What Keras writes says so in attributes at the front.
fn hdf5(head: &[u8]) -> Option<Found> {
    [0, 512, 1024, 2048].into_iter().find(|at| head.get(*at..).is_some_and(|rest| rest.starts_with(HDF5)))?;
    let words = [&b"keras_version"[..], b"layer_names", b"model_weights", b"weight_names", b"_layer_checkpoint"];
    Some(Found::sure(Format::Hdf5, words.into_iter().any(|word| contains(head, word))))
}

/// Its first key is `learner`: UBJSON writes keys behind a length of eight bytes, the highest first.
fn xgboost(sample: &Sample<'_>) -> Option<Found> {
    let head = sample.head;
    let is_json = || {
        let at =
            head.trim_ascii_start().strip_prefix(b"{").and_then(|rest| find(rest, b"\"learner\"").map(|at| (rest, at)));
        // `version` may come before it; attributes, a gradient booster and feature names are what a learner has.
        at.is_some_and(|(rest, at)| {
            let learner = rest.get(at..).unwrap_or_default();
            at < 64
                && [&b"\"attributes\""[..], b"\"feature_names\"", b"\"gradient_booster\""]
                    .into_iter()
                    .any(|key| contains(learner.get(..64).unwrap_or(learner), key))
        })
    };
    match head {
        [b'{', b'L', 0, 0, 0, 0, 0, 0, 0, 7, rest @ ..] if rest.starts_with(b"learner{") => {
            Some(Found::certain(Format::Xgboost))
        }
        [b'b', b'i', b'n', b'f', ..] => Some(Found::likely(Format::Xgboost)),
        _ => is_json().then_some(Found::certain(Format::Xgboost)),
    }
}

/// A magic, the highest byte first, then the length of all, version 0, and how it is compressed. A manifest is a file of its own;
/// nodes lie in larger ones.
fn ocdbt(sample: &Sample<'_>) -> Option<Found> {
    let rest = sample.head.strip_prefix(b"\x0c\xdb")?;
    let (kind, length) = (rest.first_chunk::<2>()?, u64_at(rest, 2)?);
    let sane = rest.get(10) == Some(&0) && rest.get(11).is_some_and(|compression| *compression <= 1);
    match kind {
        _ if !sane || length > sample.size => None,
        [0x3a, 0x2a] => Some(Found::sure(Format::Ocdbt, length == sample.size)),
        [0x20, 0xde] | [0x12, 0x34] => Some(Found::likely(Format::Ocdbt)),
        _ => None,
    }
}

/// A version, the header's length, and a dictionary.
fn numpy(head: &[u8]) -> Option<Found> {
    let rest = head.strip_prefix(b"\x93NUMPY")?;
    let dictionary = match rest {
        [1, 0, ..] if u16_at(rest, 2).is_some_and(|length| length >= 16) => rest.get(4..)?,
        [2 | 3, 0, ..] if u32_at(rest, 2).is_some_and(|length| length >= 16) => rest.get(6..)?,
        _ => return None,
    };
    dictionary.starts_with(b"{").then_some(Found::likely(Format::Npy))
}

/// Magics that are commonly seen; nobody has written down what follows, but that the version is at byte 24.
fn tensorrt(head: &[u8]) -> Option<Found> {
    let magic = head.starts_with(b"ptrt") || head.starts_with(b"ftrt");
    (magic && head.len() > 32).then_some(Found::likely(Format::Tensorrt))
}
