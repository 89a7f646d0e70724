//! What a receiver refused for good: kept for a person to read, with its reason, in two files that take turns.

use super::{Entry, Files};
use serde::de::IgnoredAny;
use serde_json::json;
use std::io;

pub(super) const NAME: &str = "aside.jsonl";
const OLDER: &str = "aside.1.jsonl";
/// Most bytes of one file, before the last record in it.
const SIZE_MAX: u64 = 4 << 20;
/// Most characters of a reason: receivers write it.
const REASON_MAX: usize = 512;

/// Writes them; durable when it returns.
pub(super) fn write(files: &mut impl Files, entries: &[Entry], reason: &str) -> io::Result<()> {
    let size = match files.size(NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        result => result?,
    };
    let size = if size > SIZE_MAX {
        files.rename(NAME, OLDER)?;
        0
    } else {
        size
    };
    let reason: String = reason.chars().take(REASON_MAX).collect();
    // After a line that was cut, a new one.
    let whole = size == 0 || files.read_at(NAME, size - 1, 1)? == b"\n";
    let mut text = if whole { String::new() } else { "\n".to_owned() };
    for entry in entries {
        let about = json!({ "kind": entry.kind.name(), "severity_number": entry.severity, "log.record.uid": entry.uid, "reason": reason });
        let about = about.to_string();
        text.push_str(about.trim_end_matches('}'));
        text.push_str(",\"record\":");
        text.push_str(&record(&entry.bytes));
        text.push_str("}\n");
    }
    files.append(NAME, text.as_bytes())?;
    files.sync(NAME)?;
    files.sync_directory()
}

/// As it is, if it is JSON on one line; as a string otherwise.
fn record(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok() && !text.contains('\n');
    if is_json { text.into_owned() } else { json!(text).to_string() }
}
