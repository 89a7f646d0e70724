//! How bad an incident is: what its rules add up to.
//!
//! Every distinct rule counts points by its level: low 1, medium 2, high 3, critical 5; informational nothing. Three make the
//! incident high, five critical; it is never less than the worst of its rules. So one rule says what it says by itself, and two low
//! ones are low: two of these are soon together, three are not.
//!
//! | level | points | for example |
//! |---|---|---|
//! | high | 3 | high; low + low + low; medium + low; medium + medium; high + low |
//! | critical | 5 | critical; high + medium; high + high; high + low + low; medium + medium + low; five low |
//!
//! A rule counts once, however often it holds: forty opens are no worse than one. Rules that hold of one and the same event say
//! the same thing twice, so only the highest of them counts, until one of them holds of another event too.

use super::part::Told;
use crate::detection::Level;

/// The points that a rule of `level` counts.
pub const fn points(level: Level) -> u32 {
    match level {
        Level::Informational => 0,
        Level::Low => 1,
        Level::Medium => 2,
        Level::High => 3,
        Level::Critical => 5,
    }
}

/// The level that so many points make, if they make any.
pub fn level(sum: u32) -> Level {
    match sum {
        0..3 => Level::Informational,
        3..5 => Level::High,
        5.. => Level::Critical,
    }
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
