//! What the table remembers of an incident beside what it is about: its links, and what was told of it.

use super::Key;
use super::content::{Growth, Incident};
use super::scale;
use super::table::REMIND;
use crate::alert::{Alert, Uid};
use crate::detection::Level;
use crate::event::BootTime;
use std::collections::VecDeque;

/// Most links of an incident; the one that was used least recently goes.
pub const KEYS_MAX: usize = 128;
/// Alerts that are remembered as not told. Of one that is forgotten the next revision is told.
const HUSHED_MAX: usize = 64;

/// An open incident.
#[derive(Debug)]
pub struct State {
    /// What it is about.
    pub incident: Incident,
    /// The least recently used first.
    pub keys: VecDeque<Key>,
    hushed: VecDeque<Uid>,
    /// The level of the latest record, if there was one.
    said: Option<Level>,
    /// Records so far under its own id.
    records: u32,
    /// What was last told of its size, by an alert or a record.
    told_size: Size,
    /// The highest level of its alerts.
    alerts_level: Level,
    /// It became one with another, and no record has said so.
    merged: bool,
}

/// How large an incident is.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    bytes: u64,
    /// Sources and destinations together.
    things: u64,
}

/// What is to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tell {
    /// The alert itself.
    pub alert: bool,
    /// A record of the incident.
    pub record: bool,
}

impl State {
    /// One that has nothing in it yet.
    pub fn new(incident: Incident) -> State {
        State {
            incident,
            keys: VecDeque::new(),
            hushed: VecDeque::new(),
            said: None,
            records: 0,
            told_size: Size::default(),
            alerts_level: Level::Informational,
            merged: false,
        }
    }

    /// Takes an alert in, and says what of it is worth telling.
    pub fn take_in(&mut self, alert: &Alert) -> Tell {
        let level_before = self.incident.level;
        let merged = std::mem::take(&mut self.merged);
        let growth = self.incident.take_in(alert);
        self.alerts_level = self.alerts_level.max(alert.rule.level);
        let (points, rules) = scale::sum(self.incident.rules.items());
        // A level that was reached stays, also where two incidents that were one count less together.
        let level = scale::level(points).max(self.alerts_level).max(level_before);
        self.incident.level = level;

        let tell_alert = self.is_worth_telling(alert, growth, merged || level > level_before);
        let size = Size::of(&self.incident);
        let rises = match self.said {
            Some(said) => level > said,
            None => rules > 1 || level > self.alerts_level,
        };
        let record = level >= Level::Medium && (rises || merged || (!tell_alert && size.has_doubled(self.told_size)));
        if tell_alert {
            self.told(alert);
        } else {
            self.hush(alert);
        }
        if tell_alert || record {
            self.told_size = size;
        }
        if record {
            self.incident.revision = self.records;
            self.records = self.records.saturating_add(1);
            self.said = Some(level);
        }
        Tell { alert: tell_alert, record }
    }

    /// A rule's first alert is; a later one if it adds something or nothing of the rule was told for long; a revision if its
    /// alert was.
    fn is_worth_telling(&self, alert: &Alert, growth: Growth, news: bool) -> bool {
        if alert.revision > 0 {
            return !self.hushed.contains(&alert.uid);
        }
        let same = self.incident.rules.items().iter().find(|told| told.rule.id == alert.rule.id);
        // Of a rule for which there was no room nothing is known, so it is told: too much rather than too little.
        let Some(same) = same else { return true };
        let quiet = same.told.is_none_or(|told| alert.time.since(told) >= REMIND);
        growth.rule || self.has_room(growth) || news || quiet
    }

    /// Whether what is new was kept. What did not fit may have been there before.
    fn has_room(&self, growth: Growth) -> bool {
        let (sources, destinations) = (&self.incident.sources, &self.incident.destinations);
        growth.source && sources.beyond() == 0 || growth.destination && destinations.beyond() == 0
    }

    fn told(&mut self, alert: &Alert) {
        if let Some(rule) = self.incident.rules.get_mut(|told| told.rule.id == alert.rule.id) {
            rule.told = Some(alert.time);
        }
    }

    fn hush(&mut self, alert: &Alert) {
        self.incident.suppressed = self.incident.suppressed.saturating_add(1);
        if !self.hushed.contains(&alert.uid) {
            if self.hushed.len() >= HUSHED_MAX {
                self.hushed.pop_front();
            }
            self.hushed.push_back(alert.uid);
        }
    }

    /// Takes in another incident, which turned out to be this one. Its links are the table's to hand over.
    pub fn absorb(&mut self, other: State) {
        self.incident.absorb(other.incident);
        self.alerts_level = self.alerts_level.max(other.alerts_level);
        self.said = self.said.max(other.said);
        self.told_size = Size {
            bytes: self.told_size.bytes.saturating_add(other.told_size.bytes),
            things: self.told_size.things.saturating_add(other.told_size.things),
        };
        let room = HUSHED_MAX.saturating_sub(self.hushed.len());
        self.hushed.extend(other.hushed.into_iter().rev().take(room));
        self.merged = true;
    }

    /// Since when nothing joined it.
    pub fn quiet_since(&self) -> BootTime {
        self.incident.time
    }
}

impl Size {
    fn of(incident: &Incident) -> Size {
        Size { bytes: incident.bytes(), things: incident.sources.total().saturating_add(incident.destinations.total()) }
    }

    fn has_doubled(self, before: Size) -> bool {
        let doubled = |now: u64, before: u64| now > 0 && now >= before.saturating_mul(2);
        doubled(self.bytes, before.bytes) || doubled(self.things, before.things)
    }
}
