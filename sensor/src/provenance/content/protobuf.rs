//! Models that are protobufs: no magic, but fields that have to be there, in their order, and that fit the file.

use super::bytes::varint;
use super::{Format, Found, Sample};

/// Fields of a message that are looked at.
const FIELDS_MAX: usize = 16;

/// A field of a message.
struct Field<'a> {
    number: u64,
    /// A number's value; of what has a length, that.
    value: u64,
    has_length: bool,
    /// What is in the head of its content and all that follows it.
    content: &'a [u8],
}

pub(super) fn by_fields(sample: &Sample<'_>) -> Option<Found> {
    // Both begin with a number in field 1.
    sample.head.starts_with(b"\x08").then(|| saved_model(sample).or_else(|| onnx(sample))).flatten()
}

/// `SavedModel`: version 1 of the schema, then graphs. One is what is always written.
fn saved_model(sample: &Sample<'_>) -> Option<Found> {
    let graph = field(sample.head.strip_prefix(b"\x08\x01")?)?;
    let end = position(sample, graph.content).checked_add(graph.value)?;
    if graph.number != 2 || !graph.has_length || end > sample.size {
        return None;
    }
    // Its `MetaInfoDef`, which it cannot be without, has a list of operations, tags and versions.
    let about = field(graph.content)?;
    let fits = about.number == 1 && about.has_length && about.value < graph.value;
    let inner = field(about.content).filter(|inner| (1..=9).contains(&inner.number))?;
    (fits && (!inner.has_length || inner.value <= about.value))
        .then_some(Found::sure(Format::TfSavedModel, end == sample.size))
}

/// `ModelProto`: the version of the format, who wrote it, the graph; what it imports may stand before or after.
fn onnx(sample: &Sample<'_>) -> Option<Found> {
    let version = field(sample.head)?;
    if version.number != 1 || version.has_length || !(3..=20).contains(&version.value) {
        return None;
    }
    let (mut rest, mut named) = (version.content, false);
    for _ in 0..FIELDS_MAX {
        let field = field(rest)?;
        let is_text = || {
            let text = usize::try_from(field.value).ok().and_then(|length| field.content.get(..length));
            text.is_some_and(|text| std::str::from_utf8(text).is_ok_and(|text| !text.contains('\0')))
        };
        match (field.number, field.has_length) {
            (5, false) => rest = field.content,
            (2..=4 | 6, true) if is_text() => named |= field.number == 2 && field.value > 0,
            (8 | 14 | 20 | 25, true) => (),
            (7, true) => return graph(sample, &field).then_some(Found::sure(Format::Onnx, named)),
            _ => return None,
        }
        if field.has_length {
            rest = field.content.get(usize::try_from(field.value).ok()?..)?;
        }
    }
    None
}

/// Whether it is a `GraphProto` that fits: nodes first, each with the names of what goes in or out, or itself named.
fn graph(sample: &Sample<'_>, graph: &Field<'_>) -> bool {
    let fits = position(sample, graph.content).checked_add(graph.value).is_some_and(|end| end <= sample.size);
    let part = field(graph.content).filter(|part| part.has_length && part.value <= graph.value);
    fits && part.is_some_and(|part| match part.number {
        1 => field(part.content)
            .is_some_and(|inner| inner.has_length && (1..=7).contains(&inner.number) && inner.value <= part.value),
        // A graph without nodes has its name, its tensors or its inputs.
        2 | 5 | 11 => true,
        _ => false,
    })
}

/// The field at the front of `bytes`: its number is 1 to 31, its type a number or something with a length.
fn field(bytes: &[u8]) -> Option<Field<'_>> {
    let (tag, rest) = varint(bytes)?;
    let (value, content) = varint(rest)?;
    let number = tag >> 3;
    let has_length = match tag & 7 {
        0 => false,
        2 => true,
        _ => return None,
    };
    (1..=31).contains(&number).then_some(Field { number, value, has_length, content })
}

/// Where `rest`, which is the end of the head, begins in the file.
fn position(sample: &Sample<'_>, rest: &[u8]) -> u64 {
    (sample.head.len() - rest.len().min(sample.head.len())) as u64
}
