//! Pickles: two weak bytes, and what follows them.

use super::bytes::{contains, u64_at};
use super::{Format, Found, Sample};

/// What the old `torch.save` writes first: its magic number, as a pickle of protocol 2.
const TORCH: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Modules of which an estimator at a pickle's front is.
const ESTIMATORS: [&[u8]; 5] = [b"sklearn.", b"xgboost.", b"lightgbm.", b"catboost.", b"imblearn."];

/// Bytes at the front in which the first global's module is.
const FIRST_GLOBAL: usize = 128;

pub(super) fn by_opcodes(sample: &Sample<'_>) -> Option<Found> {
    let head = sample.head;
    if head.starts_with(TORCH) {
        return Some(Found::certain(Format::PytorchLegacy));
    }
    let [0x80, 2..=5, rest @ ..] = head else { return None };
    let framed = rest.first() == Some(&0x95) && u64_at(rest, 1).is_some_and(|length| length < sample.size);
    // Frames came with protocol 4. What is very short, or too long for one, stands outside.
    if !framed && !rest.first().is_some_and(|opcode| is_opcode(*opcode)) {
        return None;
    }
    let front = head.get(..FIRST_GLOBAL).unwrap_or(head);
    if contains(head, b"joblib.numpy_pickle") && !ESTIMATORS.iter().any(|module| contains(front, module)) {
        return Some(Found::likely(Format::Joblib));
    }
    if ESTIMATORS.iter().any(|module| contains(front, module)) {
        return Some(Found::certain(Format::Sklearn));
    }
    // The last opcode is STOP, unless a pickle is followed by what it describes.
    (framed || sample.tail.ends_with(b".")).then_some(Found::likely(Format::Pickle))
}

/// Whether a pickle can go on with it: a collection, a global, a string, bytes, a number.
fn is_opcode(opcode: u8) -> bool {
    matches!(
        opcode,
        b'}' | b']' | b')' | b'(' | b'c' | b'X' | b'U' | b'T' | b'C' | b'B' | b'K' | b'M' | b'J' | b'G' | b'N'
    ) || matches!(opcode, 0x85..=0x8f | 0x96)
}
