//! How long to wait before the next attempt.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
/// The longest pause that the sender chooses by itself.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// The longest that a collector may ask for: beyond that a wrong answer would be a silence.
pub(super) const ASKED_MAX: Duration = Duration::from_secs(3600);

/// Pauses that double from a second to a minute, each shortened by up to a half at random, so that the sensors of a cluster do not come
/// back all at once.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    next: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    pub(super) fn new(random: fastrand::Rng) -> Backoff {
        Backoff { next: FIRST, random }
    }

    /// It went well.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The pause after one more failure; never less than what the collector asked for, up to [`ASKED_MAX`].
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(LONGEST);
        let pause = whole.mul_f64(0.5 + self.random.f64() / 2.0);
        // Those that were asked to wait equally long are spread over what comes after it.
        asked.map_or(pause, |asked| asked.min(ASKED_MAX).saturating_add(pause / 4))
    }

    /// The longest pause, for what waits for a person.
    pub(super) fn long_pause(&mut self) -> Duration {
        self.next = LONGEST;
        self.pause(None)
    }
}
