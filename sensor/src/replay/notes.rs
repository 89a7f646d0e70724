//! What has to be said about a replay beside its alerts, on standard error: whether it can be exact, and how fast it went.

use super::Summary;
use crate::alert::{VALUE_MAX, escape};
use crate::event::WallClock;
use crate::evidence::recording::Header;
use std::fmt;
use std::io::Write as _;
use std::time::Duration;

/// Digits by which digests are told apart.
const DIGITS: usize = 12;

fn note(sentence: fmt::Arguments<'_>) {
    // If nobody takes that, there is nobody left to tell.
    let _ = writeln!(anstream::stderr(), "note: {sentence}");
}

/// The recording is another version's.
pub fn version(header: &Header) {
    let own = env!("CARGO_PKG_VERSION");
    if &*header.sensor != own {
        let sensor = escape(&header.sensor, VALUE_MAX);
        note(format_args!("recorded by weir {sensor}, and this is weir {own}: alerts can differ from those of then"));
    }
}

/// What is gone by now is not what was gone by then.
pub fn digest(what: &str, then: &str, now: &str) {
    let short = |digest: &str| escape(digest, VALUE_MAX).chars().take(DIGITS).collect::<String>();
    if then != now && !then.is_empty() {
        let (then, now) = (short(then), short(now));
        note(format_args!(
            "recorded with other {what} (version {then}, now {now}): alerts can differ from those of then"
        ));
    }
}

/// A recording was put after another one.
pub fn second_header() {
    note(format_args!("another recording begins in this file: replay each by itself"));
}

/// Events are missing.
pub fn missing(summary: &Summary, clock: WallClock) {
    for gap in &summary.gaps {
        let (since, until) = (clock.rfc3339(gap.since), clock.rfc3339(gap.until));
        let reason = escape(&gap.reason, VALUE_MAX);
        note(format_args!("{} events between {since} and {until} were not recorded: {reason}", gap.events));
    }
    if summary.more_gaps > 0 {
        note(format_args!("there are {} more such gaps", summary.more_gaps));
    }
    let damage = summary.damage;
    if damage.frames > 0 {
        note(format_args!("the file is damaged in {} places, and what was there is missing", damage.frames));
    }
    if damage.torn {
        note(format_args!("the end of the file is cut off: what was recorded last, a second at most, is missing"));
    }
}

/// What was done.
pub fn speed(summary: &Summary, took: Duration) {
    let span = summary.last.since(summary.first.unwrap_or(summary.last));
    let (events, notices) = (summary.events, summary.notices);
    let times = span.as_secs_f64() / took.as_secs_f64().max(1e-9);
    let rate = events as f64 / took.as_secs_f64().max(1e-9);
    let _ = writeln!(
        anstream::stderr(),
        "{events} events of {}, {notices} alerts and incidents, in {:.2} s: {rate:.0} events a second, {times:.0} times as fast as they \
         happened",
        humantime::format_duration(Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))),
        took.as_secs_f64(),
    );
}
