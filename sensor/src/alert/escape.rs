//! Making text that others wrote harmless for terminals and for readers.

use std::fmt::Write as _;

/// Longest value in a sentence, in characters.
pub const VALUE_MAX: usize = 256;

/// `text` with every character escaped (`\u{202e}`) that a terminal would obey or a reader would not see: controls, format
/// characters that change the direction or the look of their neighbours, line and paragraph separators, blanks of no width,
/// private use and tags. Longer text loses its middle: in paths and command lines both ends say most.
pub fn escape(text: &str, max: usize) -> String {
    let length = text.chars().count();
    let (head, tail) = if length > max { (max / 2, max - max / 2 - 1) } else { (length, 0) };
    let mut escaped = String::with_capacity(text.len().min(4 * max));
    for (index, character) in text.chars().enumerate() {
        if index >= head && index + tail < length {
            if index == head {
                escaped.push('\u{2026}');
            }
        } else if is_harmful(character) {
            // Writing to a String does not fail.
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// General categories Cc, Cf, Zl, Zp, Co and what renders as nothing (Unicode 16).
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}
