//! Making text that an attacker wrote safe to look at.

use std::fmt::{self, Write};

/// Text with everything visible: control characters (terminal escapes among them), separators that end a line, and
/// characters that are invisible or change the direction of text (Unicode TR 36, TR 9) are written `\u{...}`.
#[derive(Clone, Copy, Debug)]
pub struct Visible<'a>(pub &'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_hidden) {
            let (plain, tail) = rest.split_at(at);
            f.write_str(plain)?;
            let mut characters = tail.chars();
            match characters.next() {
                Some('\n') => f.write_str("\\n")?,
                Some('\t') => f.write_str("\\t")?,
                Some(hidden) => write!(f, "\\u{{{:x}}}", u32::from(hidden))?,
                None => {}
            }
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// An argument list as a person would type it: quoted where it has to be, cut at `limit` bytes.
pub fn command_line(args: &[Box<str>], limit: usize) -> String {
    let mut line = String::new();
    for arg in args {
        if !line.is_empty() {
            line.push(' ');
        }
        if line.len() + arg.len() > limit {
            line.push('…');
            break;
        }
        let plain = !arg.is_empty() && arg.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c));
        let _ = if plain { line.write_str(arg) } else { write!(line, "'{}'", Visible(arg)) };
    }
    line
}

/// Bytes as people say them: `26.2 MB` (powers of 1,000, as disks and networks are sold).
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1_000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}
