//! How a timeline is put into a page so that no text in it can end the script element that holds it.

use super::super::timeline::model::Timeline;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize as _;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// The largest integer up to which JavaScript's numbers tell all integers apart: 2^53 - 1, `Number.MAX_SAFE_INTEGER`.
const LARGEST_EXACT: u64 = (1 << 53) - 1;

/// Writes a timeline as JSON for a script element.
///
/// # Errors
/// `out` refuses.
pub fn write(timeline: &Timeline, out: &mut impl Write) -> io::Result<()> {
    Ok(timeline.serialize(&mut Serializer::with_formatter(out, Embedded))?)
}

/// The source expression of an inline script or sheet in a content security policy.
pub fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// JSON without the characters that mean something to HTML, and without integers that JavaScript would round.
struct Embedded;

impl Formatter for Embedded {
    /// `<`, `>` and `&` begin and end what HTML knows; U+2028 and U+2029 end lines of JavaScript.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (before, from) = rest.split_at(at);
            let mut characters = from.chars();
            out.write_all(before.as_bytes())?;
            if let Some(character) = characters.next() {
                write!(out, "\\u{:04x}", u32::from(character))?;
            }
            rest = characters.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_u64<W: ?Sized + Write>(&mut self, out: &mut W, value: u64) -> io::Result<()> {
        if value > LARGEST_EXACT { write!(out, "\"{value}\"") } else { CompactFormatter.write_u64(out, value) }
    }

    fn write_i64<W: ?Sized + Write>(&mut self, out: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() > LARGEST_EXACT {
            write!(out, "\"{value}\"")
        } else {
            CompactFormatter.write_i64(out, value)
        }
    }
}
