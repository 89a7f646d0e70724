//! The two clocks: the kernel's boot clock, which everything on the line uses, and wall time, which people read.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Nanoseconds of `CLOCK_BOOTTIME`: monotonic, counts suspend, starts at boot. The only time on the event line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BootTime(pub u64);

impl BootTime {
    /// Time from `earlier` to this, zero if it is later.
    pub fn since(self, earlier: BootTime) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time and `duration` more, at most the end of time.
    pub fn plus(self, duration: Duration) -> BootTime {
        BootTime(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// How boot time maps to wall time: the one place where the two meet. Taken by the agent, carried to the outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WallClock {
    /// Nanoseconds since the Unix epoch at boot time zero.
    pub boot_unix_nanos: i128,
}

impl WallClock {
    /// From readings of `CLOCK_REALTIME` and `CLOCK_BOOTTIME` taken together, nanoseconds.
    pub fn new(unix_nanos: i128, boot: BootTime) -> WallClock {
        WallClock { boot_unix_nanos: unix_nanos - i128::from(boot.0) }
    }

    /// Nanoseconds since the Unix epoch; 0 for a time before it.
    pub fn unix_nanos(self, time: BootTime) -> u64 {
        u64::try_from(self.boot_unix_nanos.saturating_add(i128::from(time.0))).unwrap_or(0)
    }

    /// RFC 3339 in UTC with microseconds: `2026-07-01T12:00:00.000001Z`.
    pub fn rfc3339(self, time: BootTime) -> Rfc3339 {
        Rfc3339(self.unix_nanos(time))
    }
}

/// Nanoseconds since the Unix epoch, displayed as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(u64);

impl Rfc3339 {
    /// Of nanoseconds since the Unix epoch.
    pub fn new(unix_nanos: u64) -> Rfc3339 {
        Rfc3339(unix_nanos)
    }
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let (day_seconds, days) = (seconds % 86_400, seconds / 86_400);
        // Civil date from days since 1970-01-01, in the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level
        // date algorithms"); all values are non-negative here.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
            day_seconds / 3_600,
            day_seconds / 60 % 60,
            day_seconds % 60,
            self.0 % 1_000_000_000 / 1_000
        )
    }
}
