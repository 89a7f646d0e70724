//! An account: what one workload identity has sent, to where, and what it held.

use super::destination::Place;
use super::window::{Burst, Day, Month};
use crate::event::{BootTime, Process, ProcessKey, SavedAccount, SavedDestination, SavedHolding, Workload};
use crate::provenance::holdings::Holding;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Reports of bytes that are kept in case somebody turns out to have held something.
const BEFORE: usize = 64;
/// How long they are.
const LATE: Duration = Duration::from_secs(60);

/// Whose account a workload is charged to: its pod, unit or job if it has one, else its container. The container's id alone would
/// begin anew with every restart of it. What outlives the pod as well (namespace, owner and image) is not known to the agent yet; when
/// it is, it goes here and nowhere else.
pub fn account_of(workload: &Workload) -> Box<str> {
    match (&workload.pod_uid, &workload.slurm_job, &workload.systemd_unit) {
        (Some(pod), ..) => format!("pod:{pod}").into(),
        (None, Some(job), _) => format!("slurm:{job}").into(),
        // A container without a pod has an id of its own; the unit is its runtime's.
        (None, None, Some(unit)) if workload.container_id.is_none() => format!("systemd:{unit}").into(),
        _ => workload.id.clone(),
    }
}

/// Most workloads of an account whose holdings are kept over restarts.
const HOLDINGS: usize = 16;
/// How long a holding from before a restart is believed, seconds: as long as the longest clock.
const HOLDING_KEPT: u64 = 30 * 86_400;

/// What has been sent.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// What went to undeclared destinations just before anybody was known to hold something: reports of opens can come late, and so
    /// can the look into a file.
    before: VecDeque<(BootTime, u64)>,
    /// To undeclared destinations, initiated, since the sender held weights.
    pub burst: Burst,
    pub day: Day,
    pub month: Month,
    /// Accepted, since the sender held weights.
    pub accepted: Month,
    pub rows: HashMap<Place, Row, ahash::RandomState>,
    holdings: Vec<Kept>,
}

/// What went to one destination.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Initiated.
    pub day: Day,
    pub month: Month,
    /// Most rows have none.
    pub accepted: Option<Box<Day>>,
    /// Who was last seen to send there.
    pub sender: Option<(ProcessKey, Option<Arc<Process>>)>,
}

/// What a workload held.
#[derive(Debug)]
struct Kept {
    workload: Box<str>,
    time: u64,
    holding: Holding,
    /// From before the agent started; else whoever knows what is held now also knows who does not hold anything.
    restored: bool,
}

impl Account {
    /// So many bytes went to undeclared destinations, and nobody is known to hold anything.
    pub fn note(&mut self, time: BootTime, bytes: u64) {
        while self.before.len() >= BEFORE || self.before.front().is_some_and(|(first, _)| time.since(*first) > LATE) {
            self.before.pop_front();
        }
        self.before.push_back((time, bytes));
    }

    /// Somebody held something since then: what went after that.
    pub fn take_since(&mut self, time: BootTime) -> u64 {
        let noted = std::mem::take(&mut self.before);
        noted.into_iter().filter(|(at, _)| *at >= time).fold(0, |sum, (_, bytes)| sum.saturating_add(bytes))
    }

    /// Remembers what a workload holds; true if that is news.
    pub fn keep(&mut self, workload: &str, holding: &Holding, time: u64) -> bool {
        let found = self.holdings.iter_mut().find(|kept| *kept.workload == *workload);
        match found {
            Some(kept) if !kept.restored && kept.holding == *holding => {
                kept.time = time;
                false
            }
            Some(kept) => {
                (kept.holding, kept.time, kept.restored) = (holding.clone(), time, false);
                true
            }
            None => {
                if self.holdings.len() >= HOLDINGS
                    && let Some(oldest) = (0..self.holdings.len()).min_by_key(|i| self.holdings.get(*i).map(|k| k.time))
                {
                    self.holdings.swap_remove(oldest);
                }
                let (workload, holding) = (workload.into(), holding.clone());
                self.holdings.push(Kept { workload, time, holding, restored: false });
                true
            }
        }
    }

    /// A workload was seen to hold what is kept of it.
    pub fn touch(&mut self, workload: &str, time: u64) {
        if let Some(kept) = self.holdings.iter_mut().find(|kept| *kept.workload == *workload) {
            kept.time = time;
        }
    }

    /// What a workload held before the agent started; `live`: or was seen to hold since.
    pub fn remembered(&self, workload: &str, time: u64, live: bool) -> Option<Holding> {
        let kept = self.holdings.iter().find(|kept| *kept.workload == *workload)?;
        let is_wanted = (live || kept.restored) && time.saturating_sub(kept.time) < HOLDING_KEPT;
        is_wanted.then(|| kept.holding.clone())
    }

    /// Whether it has ever held anything.
    pub fn is_holder(&self) -> bool {
        !self.holdings.is_empty()
    }

    /// Forgets a destination to which nothing went for so long that no sum tells of it.
    pub fn expire(&mut self, place: &Place, time: u64) {
        if self.rows.get(place).is_some_and(|row| !row.is_live(time)) {
            self.rows.remove(place);
        }
    }

    /// Merges the rows with the fewest bytes into the others, until at most `limit` are left; how many went. Their sums stay.
    pub fn shrink(&mut self, limit: usize, time: u64) -> u64 {
        self.rows.retain(|_, row| row.is_live(time));
        let mut order: Vec<(u64, Place)> = Vec::with_capacity(self.rows.len());
        for (place, row) in &self.rows {
            let accepted = row.accepted.as_ref().map_or(0, |day| day.peek(time));
            if *place != Place::Others {
                order.push((row.month.peek(time).saturating_add(accepted), place.clone()));
            }
        }
        order.sort();
        let gone = (order.len() + 1).saturating_sub(limit.max(1));
        for (_, place) in order.into_iter().take(gone) {
            if let Some(row) = self.rows.remove(&place) {
                self.rows.entry(Place::Others).or_default().merge(&row);
            }
        }
        gone as u64
    }

    /// As it is kept; `None` if nothing in it is worth that. It changes nothing: when the agent saves is no event, and what comes
    /// out of the line must not depend on it.
    pub fn saved(&self, id: &str, time: u64) -> Option<SavedAccount> {
        let holdings: Vec<_> = self
            .holdings
            .iter()
            .filter(|kept| time.saturating_sub(kept.time) < HOLDING_KEPT)
            .map(Kept::saved)
            .collect();
        let rows = self.rows.iter().filter(|(_, row)| row.is_live(time));
        let mut destinations: Vec<_> = rows.map(|(place, row)| row.saved(place.saved())).collect();
        if holdings.is_empty() && destinations.is_empty() && self.month.peek(time) == 0 {
            return None;
        }
        // The same ledger is the same file.
        destinations.sort_by_key(|row| format!("{:?}", row.place));
        Some(SavedAccount {
            id: id.into(),
            holdings,
            burst: self.burst.saved(),
            day: self.day.saved(),
            month: self.month.saved(),
            accepted: self.accepted.saved(),
            destinations,
        })
    }

    /// From what was kept.
    pub fn restored(saved: &SavedAccount, time: u64) -> Account {
        let row = |row: &SavedDestination| (Place::restored(&row.place), Row::restored(row, time));
        Account {
            before: VecDeque::new(),
            burst: Burst::restored(&saved.burst, time),
            day: Day::restored(&saved.day, time),
            month: Month::restored(&saved.month, time),
            accepted: Month::restored(&saved.accepted, time),
            rows: saved.destinations.iter().map(row).collect(),
            holdings: saved.holdings.iter().take(HOLDINGS).map(Kept::restored).collect(),
        }
    }
}

impl Row {
    fn merge(&mut self, other: &Row) {
        self.day.merge(&other.day);
        self.month.merge(&other.month);
        if let Some(accepted) = &other.accepted {
            self.accepted.get_or_insert_default().merge(accepted);
        }
    }

    fn is_live(&self, time: u64) -> bool {
        self.month.peek(time) > 0 || self.accepted.as_ref().is_some_and(|day| day.peek(time) > 0)
    }

    fn saved(&self, place: crate::event::SavedPlace) -> SavedDestination {
        let accepted = self.accepted.as_ref().map(|day| day.saved()).unwrap_or_default();
        SavedDestination { place, day: self.day.saved(), month: self.month.saved(), accepted }
    }

    fn restored(saved: &SavedDestination, time: u64) -> Row {
        let accepted = Day::restored(&saved.accepted, time);
        Row {
            day: Day::restored(&saved.day, time),
            month: Month::restored(&saved.month, time),
            accepted: (accepted.peek(time) > 0).then(|| Box::new(accepted)),
            sender: None,
        }
    }
}

impl Kept {
    fn saved(&self) -> SavedHolding {
        let Holding { sources, bytes, largest, paths } = &self.holding;
        let (workload, paths) = (self.workload.clone(), paths.to_vec());
        SavedHolding { workload, time: self.time, sources: *sources, bytes: *bytes, largest: *largest, paths }
    }

    fn restored(saved: &SavedHolding) -> Kept {
        let SavedHolding { workload, time, sources, bytes, largest, paths } = saved;
        let paths = paths.iter().take(crate::event::Held::PATHS_MAX).cloned().collect();
        let holding = Holding { sources: *sources, bytes: *bytes, largest: *largest, paths };
        Kept { workload: workload.clone(), time: *time, holding, restored: true }
    }
}
