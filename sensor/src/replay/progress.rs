//! How far a replay is, for whoever waits for it at a terminal.

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Nothing is said before it has taken so long, and then this often.
const FIRST: Duration = Duration::from_secs(1);
const EACH: Duration = Duration::from_millis(200);
/// Events between two looks at the clock.
const STEP: u64 = 1_024;

/// One line on standard error that is written over.
pub struct Progress {
    shown: bool,
    wanted: bool,
    begun: Instant,
    next: Instant,
}

impl Progress {
    /// It begins now.
    pub fn new(wanted: bool) -> Progress {
        let begun = Instant::now();
        Progress { shown: false, wanted, begun, next: begun + FIRST }
    }

    /// It begins only now.
    pub fn begin(&mut self) {
        self.begun = Instant::now();
        self.next = self.begun + FIRST;
    }

    /// So many events are done with, and this part of the file.
    pub fn say(&mut self, events: u64, part: Option<f64>) {
        if !self.wanted || !events.is_multiple_of(STEP) || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + EACH;
        self.shown = true;
        let rate = events as f64 / self.elapsed().as_secs_f64();
        let part = part.map_or_else(String::new, |part| format!("{:3.0} %, ", part * 100.0));
        // Nobody has to see it.
        let _ = write!(anstream::stderr(), "\r\x1b[K{part}{events} events, {rate:.0} a second");
    }

    /// The time since it began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(anstream::stderr(), "\r\x1b[K");
        }
    }
}
