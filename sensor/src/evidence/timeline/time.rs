//! Times as timelines have them.

use super::model::Time;
use crate::event::Rfc3339;
use std::time::UNIX_EPOCH;

/// Nanoseconds since 1970 of what is written as in records: `2026-08-01T12:00:00.123456Z`.
pub fn nanos(text: &str) -> Option<u64> {
    // Not the weak form, which takes other things as well.
    let time = humantime::parse_rfc3339(text).ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}

impl Time {
    /// Of nanoseconds since 1970.
    pub fn of(nanos: u64) -> Time {
        let micros = Rfc3339::new(nanos).to_string();
        Time { nanos, text: format!("{}{:03}Z", micros.trim_end_matches('Z'), nanos % 1_000) }
    }
}

/// Seconds from `zero` to `nanos` with a sign: "-0.003120", "+12.000001".
pub fn relative(nanos: u64, zero: u64) -> String {
    let sign = if nanos < zero { '-' } else { '+' };
    let apart = nanos.abs_diff(zero);
    format!("{sign}{}.{:06}", apart / 1_000_000_000, apart % 1_000_000_000 / 1_000)
}
