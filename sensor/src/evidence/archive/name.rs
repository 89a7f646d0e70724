//! Names of files in an archive: what they may be, so that unpacking one does no harm anywhere.

/// Most bytes of a name: what ustar has without tricks.
const LENGTH_MAX: usize = 100;
/// Most directories.
const DEPTH_MAX: usize = 4;

/// The files that every archive begins with.
pub const MANIFEST: &str = "manifest.json";
/// See [`MANIFEST`].
pub const SIGNATURE: &str = "manifest.sig";
/// The events, one [`Row`](super::super::source::Row) a line.
pub const EVENTS: &str = "events.jsonl";
/// Alerts and incidents, one [`Told`](super::super::source::Told) a line.
pub const TOLD: &str = "told.jsonl";
/// Coverage records, in the same form.
pub const COVERAGE: &str = "coverage.jsonl";
/// What is missing, one [`Gap`](super::super::source::Gap) a line.
pub const GAPS: &str = "gaps.jsonl";
/// What went into the line, as `weir replay` takes it.
pub const RAW: &str = "raw.weir";
/// The timeline, in the form of its model.
pub const TIMELINE: &str = "timeline.json";

/// Whether an archive may have a file of this name: letters, digits, `.`, `_` and `-`, in a few directories, none of them hidden.
pub fn is_plain(name: &str) -> bool {
    let part = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    name.len() <= LENGTH_MAX && name.split('/').count() <= DEPTH_MAX && name.split('/').all(part)
}

/// A name like `name` that an archive may have.
pub fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/') { c } else { '_' };
    let parts: Vec<String> = name
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| match part.chars().map(plain).collect::<String>() {
            part if part.starts_with(['.', '-']) => format!("_{part}"),
            part => part,
        })
        .collect();
    let kept = parts.len().saturating_sub(DEPTH_MAX);
    let name = parts.get(kept..).unwrap_or_default().join("/");
    // The end of a name says more than its beginning.
    let mut name = name.get(name.len().saturating_sub(LENGTH_MAX)..).unwrap_or_default();
    while !name.is_empty() && !is_plain(name) {
        name = name.get(1..).unwrap_or_default();
    }
    if name.is_empty() { "_".to_owned() } else { name.to_owned() }
}
