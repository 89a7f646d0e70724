//! Open incidents, by the links of their alerts.

use super::content::Incident;
use super::key::{Key, Links, links_of};
use super::state::{KEYS_MAX, State};
use super::{Membership, Notice};
use crate::alert::{Alert, Uid};
use crate::detection::Level;
use crate::event::{Ancestor, BootTime, FileId, Workload};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// An incident that nothing joined for so long, in event time, is closed: what comes later is another one.
pub const QUIET: Duration = Duration::from_secs(24 * 3600);
/// A rule that goes on in an incident without anything new is told again after so long.
pub const REMIND: Duration = Duration::from_secs(24 * 3600);

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open incidents. Mostly about 2 kB each, at most about 110 kB, where every name in it is as long as can be.
    pub incidents: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { incidents: 256 }
    }
}

/// What became of alerts and incidents; totals since the start, but for `open`.
/// `opened = open + merged + closed + evicted`, and every alert is told or suppressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Incidents that are open.
    pub open: usize,
    /// Incidents that were opened.
    pub opened: u64,
    /// Incidents that became one with an older one.
    pub merged: u64,
    /// Incidents that were quiet for [`QUIET`].
    pub closed: u64,
    /// Incidents that were forgotten for want of room: what belongs to them will be another one.
    pub evicted: u64,
    /// Alerts that were told.
    pub told: u64,
    /// Alerts that were not told, because the incident tells of them.
    pub suppressed: u64,
    /// Records of incidents that were told.
    pub records: u64,
    /// Links that were forgotten or not taken for want of room: alerts that had only these will be another incident.
    pub links_lost: u64,
}

/// The open incidents.
#[derive(Debug, Default)]
pub struct Incidents {
    limits: Limits,
    /// By number, the oldest first.
    open: BTreeMap<u64, State>,
    /// Which incident has a link: each link is one incident's, and in its list.
    index: HashMap<Key, u64, ahash::RandomState>,
    next: u64,
    statistics: Statistics,
}

impl Incidents {
    /// With none open.
    pub fn new(limits: Limits) -> Incidents {
        Incidents { limits, ..Incidents::default() }
    }

    /// State and losses.
    pub fn statistics(&self) -> Statistics {
        Statistics { open: self.open.len(), ..self.statistics }
    }

    /// The open incidents, the oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.values().map(|state| &state.incident)
    }

    /// Takes an alert in; what comes out is what is to be told: the alert, a record of its incident, both or nothing. `within`
    /// says whether an ancestor is of a workload.
    pub fn push(&mut self, mut alert: Alert, within: &dyn Fn(&Ancestor, &Workload) -> bool) -> Vec<Notice> {
        self.close_quiet(alert.time);
        let links = links_of(&alert, within);
        let mut joined: Vec<u64> =
            links.has.iter().chain(&links.asks).filter_map(|key| self.index.get(key)).copied().collect();
        joined.sort_unstable();
        joined.dedup();
        if alert.rule.level == Level::Informational {
            return self.accompany(alert, joined.first().copied());
        }
        let number = match joined.first() {
            Some(number) => *number,
            // Nothing could ever join it.
            None if links.has.is_empty() => {
                alert.incident = Some(Membership { uid: uid(&alert), level: alert.rule.level });
                self.statistics.told += 1;
                return vec![Notice::Alert(Box::new(alert))];
            }
            None => self.open_one(&alert),
        };
        for other in joined.into_iter().skip(1) {
            self.merge(number, other);
        }
        self.link(number, links);
        let Some(state) = self.open.get_mut(&number) else { return vec![Notice::Alert(Box::new(alert))] };
        let tell = state.take_in(&alert);
        let incident = &state.incident;
        alert.incident = Some(Membership { uid: incident.uid, level: incident.level });
        let mut notices = Vec::new();
        if tell.alert {
            self.statistics.told += 1;
            notices.push(Notice::Alert(Box::new(alert)));
        } else {
            self.statistics.suppressed += 1;
        }
        if tell.record {
            self.statistics.records += 1;
            notices.push(Notice::Incident(Box::new(incident.clone())));
        }
        notices
    }

    /// That index and lists agree.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let keys: usize = self.open.values().map(|state| state.keys.len()).sum();
        assert_eq!(keys, self.index.len());
        for (number, state) in &self.open {
            assert!(state.keys.len() <= KEYS_MAX && state.keys.iter().all(|key| self.index.get(key) == Some(number)));
        }
    }

    /// What is for the record only opens no incident, joins none together and raises none; it only says which one it goes with.
    fn accompany(&mut self, mut alert: Alert, number: Option<u64>) -> Vec<Notice> {
        let state = number.and_then(|number| self.open.get(&number));
        alert.incident = state.map(|state| Membership { uid: state.incident.uid, level: state.incident.level });
        self.statistics.told += 1;
        vec![Notice::Alert(Box::new(alert))]
    }

    fn open_one(&mut self, alert: &Alert) -> u64 {
        while self.open.len() >= self.limits.incidents.max(1) {
            // The least bad, and of these the one that has been quiet the longest.
            let least = self.open.iter().min_by_key(|(_, state)| (state.incident.level, state.quiet_since()));
            let Some(number) = least.map(|(number, _)| *number) else { break };
            self.remove(number);
            self.statistics.evicted += 1;
        }
        let number = self.next;
        self.next += 1;
        self.statistics.opened += 1;
        self.open.insert(number, State::new(Incident::new(uid(alert), alert.begun)));
        number
    }

    fn close_quiet(&mut self, now: BootTime) {
        let is_quiet = |state: &State| now.since(state.quiet_since()) >= QUIET;
        let quiet: Vec<u64> =
            self.open.iter().filter(|(_, state)| is_quiet(state)).map(|(number, _)| *number).collect();
        for number in quiet {
            self.remove(number);
            self.statistics.closed += 1;
        }
    }

    fn remove(&mut self, number: u64) -> Option<State> {
        let state = self.open.remove(&number)?;
        for key in &state.keys {
            self.index.remove(key);
        }
        Some(state)
    }

    fn merge(&mut self, into: u64, other: u64) {
        let Some(mut other) = self.remove(other) else { return };
        self.statistics.merged += 1;
        let has = std::mem::take(&mut other.keys).into();
        if let Some(state) = self.open.get_mut(&into) {
            state.absorb(other);
        }
        self.link(into, Links { has, ..Links::default() });
    }

    /// A file was made: whatever had its number before has nothing to do with it.
    pub fn forget(&mut self, file: FileId) {
        let key = Key::Carrier(file);
        if let Some(state) = self.index.remove(&key).and_then(|number| self.open.get_mut(&number)) {
            state.keys.retain(|known| *known != key);
        }
    }

    /// Gives links to an incident; those that it has already are now the most recently used.
    fn link(&mut self, number: u64, links: Links) {
        let Some(state) = self.open.get_mut(&number) else { return };
        self.statistics.links_lost += links.refused;
        for key in links.has {
            if self.index.insert(key, number).is_some() {
                state.keys.retain(|known| *known != key);
            } else if state.keys.len() >= KEYS_MAX
                && let Some(oldest) = state.keys.pop_front()
            {
                self.index.remove(&oldest);
                self.statistics.links_lost += 1;
            }
            state.keys.push_back(key);
        }
    }
}

/// Follows from the first alert's, so that the same events give the same id again.
fn uid(alert: &Alert) -> Uid {
    Uid::from_digest(&Sha256::new().chain_update(b"weir.incident").chain_update(alert.uid.0).finalize())
}
