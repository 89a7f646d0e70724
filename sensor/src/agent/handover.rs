//! From one agent to the next, where programs stay in the kernel between them (`kernel/pins.rs`).
//!
//! The next agent finds in the ring what happened meanwhile, and in the kernel's counters what was lost and what left; how far these
//! had been told is kept with the ledger, in one file, so that both are of the same moment however the agent ends.

use super::{Agent, AgentError, Settings, system};
use crate::delivery::OutputError;
use crate::event::{Body, BootTime, Event, Kind, Lost, SavedLedger};
use crate::kernel::{self, EgressCounters, Left, Lineage, Pins, Totals, counters};
use sensor_common::count::Outcome;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::time::Duration;
use tokio::signal::unix::Signal;

/// How often it is looked whether the agent before has ended.
const LOOK: Duration = Duration::from_millis(50);
/// What an agent that is killed holds beside the pins (its state directory) goes a moment after them.
const SETTLE: Duration = Duration::from_millis(100);

/// The own programs, where they stay in the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Pinned {
    /// Which they are.
    pub generation: u32,
    /// On which maps.
    pub lineage: Lineage,
}

/// The file of the ledger.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// The ledger.
    #[serde(flatten)]
    pub ledger: SavedLedger,
    /// How far the kernel's counts are in it; `None` where nothing stays in the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// How far the kernel's counts were told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The boot of which they are ([`system::boot`]).
    boot: Box<str>,
    /// The programs by which they were counted.
    generation: u32,
    /// The maps in which they were.
    lineage: Lineage,
    /// When; nanoseconds of `CLOCK_BOOTTIME`.
    time: u64,
    /// The agent ended in order: all that it took from the ring it has told.
    in_order: bool,
    /// Losses: kind, cause, count.
    lost: Vec<(Box<str>, Box<str>, u64)>,
    /// Bytes out: the key of the map `EGRESS`, hexadecimal, and its count.
    egress: Vec<(Box<str>, u64)>,
}

/// The pins, as soon as no other agent has them; `None` if nothing is to stay, or a signal came first.
///
/// # Errors
/// [`kernel::PinError`]
pub async fn wait(settings: &Settings, ends: [&mut Signal; 2]) -> Result<Option<Pins>, AgentError> {
    let Some(directory) = &settings.pin else { return Ok(None) };
    let pins = Pins::open(directory).map_err(kernel::LoadError::from)?;
    if pins.try_lock().map_err(kernel::LoadError::from)? {
        return Ok(Some(pins));
    }
    // Not by `eprintln!`, which panics where nobody takes it.
    let _ = writeln!(anstream::stderr(), "Another weir is watching; this one takes over when it ends.");
    tracing::info!(directory = %directory.display(), "another agent has the pins: waiting for its end");
    let [terminate, interrupt] = ends;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => if pins.try_lock().map_err(kernel::LoadError::from)? {
                tokio::time::sleep(SETTLE).await;
                return Ok(Some(pins));
            },
            _ = terminate.recv() => return Ok(None),
            _ = interrupt.recv() => return Ok(None),
        }
    }
}

impl Told {
    /// As it is now.
    pub fn now(pinned: Pinned, in_order: bool, totals: &Totals, time: BootTime, egress: &EgressCounters) -> Told {
        let causes = |kind: Kind| {
            let drops = Outcome::ALL.into_iter().filter(|outcome| outcome.is_drop());
            let counted = drops.map(move |outcome| (outcome.name(), totals.get(kind, outcome)));
            counted.chain([(counters::MISSED_BY_KERNEL, totals.missed(kind))])
        };
        let lost =
            Kind::ALL.into_iter().flat_map(|kind| causes(kind).map(move |(cause, count)| (kind.name(), cause, count)));
        Told {
            boot: system::boot(),
            generation: pinned.generation,
            lineage: pinned.lineage,
            time: time.0,
            in_order,
            lost: lost
                .filter(|(_, _, count)| *count > 0)
                .map(|(kind, cause, count)| (kind.into(), cause.into(), count))
                .collect(),
            egress: egress.told(),
        }
    }

    /// Whether it is of the maps that count now. Not of the agent before, it may be: that one was killed before it saved anything; then
    /// the ledger is of the same moment, and nothing is charged twice or left out.
    fn is_of(&self, lineage: Lineage) -> bool {
        self.boot == system::boot() && self.lineage == lineage
    }

    /// The agent before ended in order, and what it left goes on.
    pub fn continues(told: Option<&Told>, left: Option<&Left>, lineage: Lineage) -> bool {
        let both = told.zip(left);
        both.is_some_and(|(told, left)| told.in_order && told.generation == left.generation && told.is_of(lineage))
    }

    fn lost(&self, kind: Kind, cause: &str) -> u64 {
        let found = self.lost.iter().find(|(of, why, _)| **of == *kind.name() && **why == *cause);
        found.map_or(0, |(_, _, count)| *count)
    }

    /// Makes of the losses in `totals` those that were told.
    fn put_losses(&self, totals: &mut Totals) {
        for kind in Kind::ALL {
            for outcome in Outcome::ALL.into_iter().filter(|outcome| outcome.is_drop()) {
                totals.set(kind, outcome, self.lost(kind, outcome.name()));
            }
        }
    }
}

impl Agent {
    /// Goes on from what the agent before has left and told.
    pub(super) fn take_up(&mut self, left: Left, told: Option<Told>) -> Result<(), OutputError> {
        let now = system::now();
        let lineage = self.pinned.map(|pinned| pinned.lineage).unwrap_or_default();
        let Some(told) = told.filter(|told| told.is_of(lineage)) else {
            tracing::warn!(
                "what left the machine since the agent before this one ended is not known: its state directory is not this one's"
            );
            self.egress.read(now);
            return Ok(());
        };
        // What was lost since that one's end is this one's to tell; what was seen is not counted again.
        match self.counters.read(&self.programs) {
            Ok(mut totals) => {
                told.put_losses(&mut totals);
                self.health.goes_on_from(&totals);
                self.collected.goes_on_from(now, &totals);
                (self.before, self.before_time) = (totals, BootTime(told.time));
            }
            Err(error) => tracing::warn!(%error, "the kernel side's counters cannot be read: losses go unsaid"),
        }
        self.egress.restore(&told.egress, BootTime(told.time));
        // Of its programs; the kernel counts those of this agent from nothing.
        for (kind, missed) in Kind::ALL.into_iter().zip(left.missed) {
            let before =
                if told.generation == left.generation { told.lost(kind, counters::MISSED_BY_KERNEL) } else { 0 };
            let count = missed.saturating_sub(before);
            if count > 0 {
                let (since, cause) = (BootTime(told.time), counters::MISSED_BY_KERNEL.into());
                let lost = Lost { since, kind: kind.name().into(), cause, count };
                self.push(Event::new(now, None, Default::default(), Body::Lost(lost)))?;
            }
        }
        let Some(mut ring) = left.ring else { return Ok(()) };
        while let Some(record) = ring.next() {
            match kernel::decode(&record) {
                Ok(event) => self.push(event)?,
                Err(reason) => self.unreadable(&reason),
            }
        }
        Ok(())
    }

    /// How far the kernel's counts are told, if somebody is to go on from there.
    pub(super) fn told(&self, in_order: bool) -> Option<Told> {
        Some(Told::now(self.pinned?, in_order, &self.before, self.before_time, &self.egress))
    }
}
