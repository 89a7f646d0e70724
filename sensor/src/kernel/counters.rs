//! What became of every event in the kernel: the map `COUNTERS`, and runs that the kernel left out.

use super::load::Attached;
use super::sys;
use crate::event::{BootTime, Kind, Lost};
use aya::maps::{Map, MapData, MapError, PerCpuArray};
use sensor_common::count::{Outcome, index};

/// Cause under which runs are counted that the kernel left out (`bpf_prog_info.recursion_misses`, 5.12). It does so when a
/// program would interrupt itself; whether such a run would have sent something is not known, so it counts as lost.
pub const MISSED_BY_KERNEL: &str = "missed_by_kernel";

const KINDS: usize = Kind::MAX;
const OUTCOMES: usize = Outcome::ALL.len();

/// Totals over all CPUs since the programs were loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    outcomes: [[u64; OUTCOMES]; KINDS],
    missed: [u64; KINDS],
}

impl Totals {
    /// How many events of that kind came out like that.
    pub fn get(&self, kind: Kind, outcome: Outcome) -> u64 {
        self.outcomes.get(kind as usize - 1).and_then(|row| row.get(outcome as usize)).copied().unwrap_or(0)
    }

    /// How many runs of that kind's programs the kernel left out.
    pub fn missed(&self, kind: Kind) -> u64 {
        self.missed.get(kind as usize - 1).copied().unwrap_or(0)
    }

    /// Events of that kind that were lost, for whatever cause.
    pub fn lost(&self, kind: Kind) -> u64 {
        let drops = Outcome::ALL.into_iter().filter(|outcome| outcome.is_drop());
        drops.fold(self.missed(kind), |sum, outcome| sum.saturating_add(self.get(kind, outcome)))
    }

    /// Sets one total: for tests of what reads them.
    pub fn set(&mut self, kind: Kind, outcome: Outcome, total: u64) {
        if let Some(place) = self.outcomes.get_mut(kind as usize - 1).and_then(|row| row.get_mut(outcome as usize)) {
            *place = total;
        }
    }

    /// What was lost between `earlier`, read at `since`, and these totals.
    pub fn lost_since(&self, earlier: &Totals, since: BootTime) -> Vec<Lost> {
        let mut lost = Vec::new();
        for kind in Kind::ALL {
            let mut add = |cause: &'static str, now: u64, then: u64| match now.saturating_sub(then) {
                0 => (),
                count => lost.push(Lost { since, kind: kind.name().into(), cause: cause.into(), count }),
            };
            for outcome in Outcome::ALL.into_iter().filter(|outcome| outcome.is_drop()) {
                add(outcome.name(), self.get(kind, outcome), earlier.get(kind, outcome));
            }
            add(MISSED_BY_KERNEL, self.missed(kind), earlier.missed(kind));
        }
        lost
    }
}

/// Reads the totals.
pub struct Counters {
    map: PerCpuArray<MapData, u64>,
}

impl Counters {
    /// On the map `COUNTERS`.
    ///
    /// # Errors
    /// When the map has another shape.
    pub fn new(map: Map) -> Result<Counters, MapError> {
        Ok(Counters { map: PerCpuArray::try_from(map)? })
    }

    /// The totals now. Programs go on counting meanwhile: `Seen` of a kind is read last, so that it is never less than the
    /// sum of what became of the seen.
    ///
    /// One system call a total (some 50) and one a program (15): about 50 us.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn read(&self, attached: &[Attached]) -> Result<Totals, MapError> {
        let mut totals = Totals::default();
        for kind in Kind::ALL {
            for outcome in Outcome::ALL.into_iter().rev() {
                let total =
                    self.map.get(&index(kind, outcome), 0)?.iter().fold(0u64, |sum, cpu| sum.wrapping_add(*cpu));
                totals.set(kind, outcome, total);
            }
        }
        for program in attached {
            if let Ok(statistics) = sys::program_statistics(program.descriptor())
                && let Some(missed) = totals.missed.get_mut(program.kind as usize - 1)
            {
                *missed = missed.saturating_add(statistics.recursion_misses);
            }
        }
        Ok(totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // `Counters::read` reads outcomes from the last to the first: `Seen` must be the first.
    const _: () = assert!(Outcome::Seen as u32 == 0);

    #[test]
    fn only_drops_are_lost_and_only_what_is_new() {
        let (mut earlier, mut now) = (Totals::default(), Totals::default());
        earlier.set(Kind::Open, Outcome::RingFull, 3);
        now.set(Kind::Open, Outcome::RingFull, 10);
        now.set(Kind::Open, Outcome::Sent, 100);
        now.set(Kind::Open, Outcome::OutOfScope, 100);
        now.set(Kind::Flow, Outcome::TableFull, 2);
        now.missed[Kind::Exec as usize - 1] = 1;
        let since = BootTime(7);
        let lost = |kind: Kind, cause: &'static str, count| Lost {
            since,
            kind: kind.name().into(),
            cause: cause.into(),
            count,
        };
        assert_eq!(
            now.lost_since(&earlier, since),
            [
                lost(Kind::Exec, MISSED_BY_KERNEL, 1),
                lost(Kind::Open, "ring_full", 7),
                lost(Kind::Flow, "table_full", 2)
            ]
        );
        assert_eq!(now.lost_since(&now, since), []);
        assert_eq!((now.lost(Kind::Open), now.lost(Kind::Exec), now.lost(Kind::Fork)), (10, 1, 0));
    }
}
