//! How bad an incident is: what its rules add up to.
//!
//! Every distinct rule counts as many points as its level takes: low 1, medium 2, high 3, critical 5; informational nothing. The
//! incident has the highest level that its points suffice for. So one rule says what it says by itself; two low ones are medium,
//! three high, five critical; two medium ones are high, two high ones critical, and a high one with a medium one.
//!
//! | level | points | for example |
//! |---|---|---|
//! | low | 1 | low |
//! | medium | 2 | medium; low + low |
//! | high | 3 | high; medium + low; low + low + low; high + low |
//! | critical | 5 | critical; high + medium; high + low + low; medium + medium + low; five low |
//!
//! A rule counts once, however often it holds: forty opens are no worse than one. Rules that hold of one and the same event say
//! the same thing twice, so only the highest of them counts, until one of them holds of another event too.

use super::part::Told;
use crate::detection::Level;

/// The points that a rule of `level` counts, and that an incident of `level` takes.
pub const fn points(level: Level) -> u32 {
    match level {
        Level::Informational => 0,
        Level::Low => 1,
        Level::Medium => 2,
        Level::High => 3,
        Level::Critical => 5,
    }
}

/// The level that so many points suffice for.
pub fn level(sum: u32) -> Level {
    [Level::Critical, Level::High, Level::Medium, Level::Low]
        .into_iter()
        .find(|level| sum >= points(*level))
        .unwrap_or_default()
}

/// What rules add up to: their points, and how many of them count.
pub fn sum(rules: &[Told]) -> (u32, usize) {
    let counts = |at: usize, rule: &Told| {
        let outdone = |(other_at, other): (usize, &Told)| {
            let same = other_at != at && !other.independent && other.first_event == rule.first_event;
            same && (other.level, std::cmp::Reverse(other_at)) > (rule.level, std::cmp::Reverse(at))
        };
        points(rule.level) > 0 && (rule.independent || !rules.iter().enumerate().any(outdone))
    };
    let counting = rules.iter().enumerate().filter(|(at, rule)| counts(*at, rule));
    counting.fold((0, 0), |(sum, count), (_, rule)| (sum + points(rule.level), count + 1))
}
