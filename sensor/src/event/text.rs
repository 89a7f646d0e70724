//! Text out of bytes that an attacker wrote: paths, arguments, names.

use std::fmt::Write;

/// Most bytes of one text in an event: what [`sensor_common::record::PATH_MAX`] bytes can grow to, so that nothing of a
/// record is cut; what comes from elsewhere (`/proc`) is.
pub const TEXT_MAX: usize = 4 * (sensor_common::record::PATH_MAX + 1);

/// `bytes` as text that loses nothing: bytes that are not UTF-8 are written `\xNN`. At most `max` bytes long, cut at the end
/// between characters.
///
/// Two different inputs give two different texts (unless cut): only escapes for 80 to ff are ever written, and a backslash
/// that would read as one of them, or as the escape of a backslash, is written `\x5c`. So the names of systemd units
/// (`dev-disk-by\x2duuid`) stay as they are.
pub fn lossless(bytes: &[u8], max: usize) -> Box<str> {
    let mut text = String::with_capacity(bytes.len().min(max));
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        for (at, character) in valid.char_indices() {
            let escape = character == '\\' && reads_as_escape(valid.get(at + 1..).unwrap_or_default());
            let len = if escape { 4 } else { character.len_utf8() };
            if text.len() + len > max {
                return text.into();
            }
            text.push_str(if escape { r"\x5c" } else { valid.get(at..at + len).unwrap_or_default() });
        }
        for byte in chunk.invalid() {
            if text.len() + 4 > max {
                return text.into();
            }
            // Writing to a String cannot fail.
            let _ = write!(text, r"\x{byte:02x}");
        }
    }
    text.into()
}

/// The bytes of which [`lossless`] made a text that was not cut.
pub fn original(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        let after = escape.get(1..).unwrap_or_default();
        let byte = after.get(1..3).filter(|_| reads_as_escape(after)).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(b'\\'));
        rest = if byte.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Whether a backslash before `rest` looks like the start of something that [`lossless`] writes.
fn reads_as_escape(rest: &str) -> bool {
    let mut rest = rest.bytes();
    let (Some(b'x'), Some(high), Some(low)) = (rest.next(), rest.next(), rest.next()) else { return false };
    low.is_ascii_hexdigit()
        && (matches!(high, b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F') || (high, low | 0x20) == (b'5', b'c'))
}

/// Which of `known` is most like `name`, if any is like it at all: at most a third of its letters differ.
pub(crate) fn most_like<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    // What is as long as this is no misspelling, and costs the product of the lengths.
    let name = Some(name).filter(|name| name.len() <= 100)?.to_ascii_lowercase();
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}
