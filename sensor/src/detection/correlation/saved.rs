//! State over a restart: what the correlations keep, made into plain data and back.
//!
//! Each correlation has an equal share of [`SIZE_MAX`]; when its groups need more, those that were used last are kept, and the others
//! counted. They come back only to the rule with the same id and the same logic: a rule that has changed starts with nothing. Of
//! the events, what an alert says of them is kept ([`Remembered`]): time and fields; not what the line could follow further, so that
//! an incident is not joined by them. Of a list of many events, only the first and the last two keep their fields.
//!
//! Times are on a clock that goes on from boot to boot: [`Clock`].

use super::state::{Episode, Group, Row, Seen, Time};
use super::table::Key;
use super::{Correlation, Spec};
use crate::event::{
    Actor, Body, BootTime, CorrelationsRestored, Event, Remembered, SavedCorrelation, SavedCorrelations, SavedEvent,
    SavedGroup, SavedRow, SavedSeen, escaped_len,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Most bytes that all correlations together are saved in.
pub const SIZE_MAX: usize = 16 << 20;
/// Bytes that a group and a row take beside their texts, as JSON: numbers of 20 digits and names of keys.
const GROUP: usize = 200;
const ROW: usize = 120;
const NUMBER: usize = 21;
/// Bytes that an event takes beside its fields.
const EVENT: usize = 80;
/// At either end of a list so many events keep their fields.
const ENDS: usize = 2;

/// The clock of the correlations: that of the boot, and how much was before the boot as far as anything is kept from then.
/// Within one boot it is exact, whatever happens to wall time; from one boot to the next it goes by wall time, never backwards.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    boot: Box<str>,
    boot_unix_nanos: i64,
    offset: u64,
}

impl Clock {
    /// Goes on with that of `restored`; it is `now`.
    pub fn of(restored: &CorrelationsRestored, now: BootTime) -> Clock {
        let saved = &restored.saved;
        let boot_unix_nanos = i64::try_from(restored.boot_unix_nanos).unwrap_or(i64::MAX);
        let offset = if is_same_boot(saved, &restored.boot) {
            saved.offset
        } else {
            let between = i128::from(boot_unix_nanos) - i128::from(saved.boot_unix_nanos);
            let offset = u64::try_from(i128::from(saved.offset) + between).unwrap_or(0);
            // A clock that was set back makes nothing lie in the future. A first start has nothing before it.
            if saved.boot.is_empty() { 0 } else { offset.max(saved.time.saturating_sub(now.0)) }
        };
        Clock { boot: restored.boot.clone(), boot_unix_nanos, offset }
    }

    /// A time of this boot.
    pub fn time(&self, time: BootTime) -> Time {
        Time(self.offset.saturating_add(time.0))
    }

    fn unix_nanos(&self, time: BootTime) -> u64 {
        u64::try_from(i128::from(self.boot_unix_nanos) + i128::from(time.0)).unwrap_or(0)
    }
}

/// Where the boot is not known, it is taken for another one.
fn is_same_boot(saved: &SavedCorrelations, boot: &str) -> bool {
    !boot.is_empty() && *saved.boot == *boot
}

/// The state of all correlations at a moment. It shares its events with them, so that it is quickly taken; [`Snapshot::saved`] then
/// takes its time elsewhere.
#[derive(Debug)]
pub struct Snapshot {
    clock: Clock,
    sequence: u64,
    correlations: Vec<State>,
}

/// The state of one correlation.
#[derive(Debug)]
pub struct State {
    rule: Box<str>,
    digest: Box<str>,
    groups: Vec<Kept>,
    /// Groups beside these.
    unsaved: u64,
}

#[derive(Debug)]
struct Kept {
    owner: Arc<str>,
    key: Key,
    latest: Time,
    begun: Option<Time>,
    episode: Option<Episode>,
    rows: Vec<Row>,
}

impl Snapshot {
    /// Bytes that each of so many correlations may take.
    pub fn share(correlations: usize) -> usize {
        SIZE_MAX / correlations.max(1)
    }

    /// Of what each correlation that keeps anything said.
    pub fn new(clock: &Clock, sequence: u64, correlations: Vec<State>) -> Snapshot {
        Snapshot { clock: clock.clone(), sequence, correlations }
    }

    /// As plain data.
    pub fn saved(&self) -> SavedCorrelations {
        let share = Snapshot::share(self.correlations.len());
        let latest = |state: &State| state.groups.iter().map(|group| group.latest.0).max();
        SavedCorrelations {
            boot: self.clock.boot.clone(),
            boot_unix_nanos: self.clock.boot_unix_nanos,
            offset: self.clock.offset,
            time: self.correlations.iter().filter_map(latest).max().unwrap_or(0),
            sequence: self.sequence,
            correlations: self.correlations.iter().map(|state| state.saved(&self.clock, share)).collect(),
        }
    }
}

impl State {
    fn saved(&self, clock: &Clock, room: usize) -> SavedCorrelation {
        let mut events = Events { clock, places: HashMap::new(), events: Vec::new(), size: 0 };
        let (mut groups, mut size) = (Vec::new(), 0);
        for group in &self.groups {
            let before = (events.events.len(), events.size);
            size += group.size();
            let saved = group.saved(&mut events);
            if size + events.size > room {
                events.shrink(before);
                break;
            }
            groups.push(saved);
        }
        SavedCorrelation {
            rule: self.rule.clone(),
            digest: self.digest.clone(),
            unsaved: self.unsaved + (self.groups.len() - groups.len()) as u64,
            events: events.events,
            groups,
        }
    }
}

impl Kept {
    fn saved(&self, events: &mut Events<'_>) -> SavedGroup {
        // First those that keep their fields, so that an event that does in one place does.
        let episode = self.episode.as_ref().map(|episode| (events.seen(&episode.first, true), episode.latest.0));
        let lengths = lengths(&self.rows);
        let mut rows = vec![None; self.rows.len()];
        for whole in [true, false] {
            let mut places: HashMap<usize, usize> = HashMap::new();
            for (row, saved) in self.rows.iter().zip(&mut rows) {
                let place = places.entry(row.list).or_default();
                if is_end(*place, lengths.get(&row.list).copied().unwrap_or(0)) == whole {
                    let seen = events.seen(&row.seen, whole);
                    *saved = Some(SavedRow { list: row.list, seen, numbers: row.numbers.clone() });
                }
                *place += 1;
            }
        }
        SavedGroup {
            owner: (*self.owner).into(),
            key: self.key.to_vec(),
            latest: self.latest.0,
            begun: self.begun.map(|begun| begun.0),
            episode,
            rows: rows.into_iter().flatten().collect(),
        }
    }
}

/// How many rows each list has.
fn lengths(rows: &[Row]) -> HashMap<usize, usize> {
    let mut lengths = HashMap::new();
    for row in rows {
        *lengths.entry(row.list).or_default() += 1;
    }
    lengths
}

/// Whether the row at that place of a list keeps its fields.
fn is_end(place: usize, length: usize) -> bool {
    place < ENDS || place + ENDS >= length
}

/// The events of one correlation, each once.
struct Events<'c> {
    clock: &'c Clock,
    places: HashMap<*const Event, usize>,
    events: Vec<SavedEvent>,
    /// How long they are as JSON, in bytes, at most.
    size: usize,
}

impl Events<'_> {
    fn seen(&mut self, seen: &Seen, whole: bool) -> SavedSeen {
        let (event, clock) = (&seen.event, self.clock);
        let place = *self.places.entry(Arc::as_ptr(event)).or_insert_with(|| {
            let unix_nanos = event.before_boot().unwrap_or_else(|| clock.unix_nanos(event.time));
            let fields = if whole { Remembered::of(event) } else { Remembered::kind_of(event) };
            self.size += EVENT + fields.json_len();
            self.events.push(SavedEvent { time: event.time.0, unix_nanos, fields });
            self.events.len() - 1
        });
        SavedSeen { time: seen.time.0, sequence: seen.sequence, step: seen.step, event: place }
    }

    /// Back to what was there `before`: so many, of that size.
    fn shrink(&mut self, (events, size): (usize, usize)) {
        self.events.truncate(events);
        self.places.retain(|_, place| *place < events);
        self.size = size;
    }
}

impl Correlation {
    /// What is to be kept of it, not much more than fits into `room` bytes; `None` if that is nothing.
    pub fn save(&self, mut room: usize) -> Option<State> {
        let mut groups = Vec::new();
        let mut unsaved = 0;
        for (owner, key, group) in self.table.iter() {
            let kept = Kept {
                owner: owner.clone(),
                key: key.clone(),
                latest: group.latest,
                begun: group.begun(),
                episode: group.episode().cloned(),
                rows: group.rows(),
            };
            match room.checked_sub(kept.size()) {
                Some(left) => {
                    room = left;
                    groups.push(kept);
                }
                None => unsaved += 1,
            }
        }
        let digest = self.spec.digest();
        (!groups.is_empty()).then(|| State { rule: self.rule.id.clone(), digest, groups, unsaved })
    }

    /// Takes in what was saved of it, if its logic is the same.
    pub fn restore(&mut self, saved: &SavedCorrelations, clock: &Clock, now: BootTime) {
        let digest = self.spec.digest();
        let same = |saved: &&SavedCorrelation| saved.rule == self.rule.id && saved.digest == digest;
        let Some(state) = saved.correlations.iter().find(same) else { return };
        self.counters.unsaved = state.unsaved;
        let same_boot = is_same_boot(saved, &clock.boot);
        let events: Vec<Arc<Event>> = state.events.iter().map(|event| Arc::new(remembered(event, same_boot))).collect();
        let now = clock.time(now);
        self.now = self.now.max(now);
        // The last used one last, as they were used.
        for group in state.groups.iter().rev() {
            let key: Key = group.key.as_slice().into();
            if key.len() == self.spec.group_names.len() {
                let restored = restored(group, &events, &self.spec, now);
                self.table.with(&group.owner, &key, &self.spec, now, |group| *group = restored);
            }
        }
    }
}

impl Kept {
    /// How long it is as JSON, in bytes, at most, without its events.
    fn size(&self) -> usize {
        let key: usize = self.key.iter().map(|value| escaped_len(value) + 1).sum();
        let rows: usize = self.rows.iter().map(|row| ROW + NUMBER * row.numbers.len()).sum();
        GROUP + ROW + escaped_len(&self.owner) + key + rows
    }
}

/// A group as it was, nothing of it later than `now`.
fn restored(group: &SavedGroup, events: &[Arc<Event>], spec: &Spec, now: Time) -> Group {
    let seen = |saved: &SavedSeen| {
        let event = events.get(saved.event)?.clone();
        let step = Some(saved.step).filter(|step| *step < spec.steps.len())?;
        Some(Seen { time: Time(saved.time).min(now), sequence: saved.sequence, step, event })
    };
    let row = |row: &SavedRow| Some(Row { list: row.list, seen: seen(&row.seen)?, numbers: row.numbers.clone() });
    let episode = group
        .episode
        .as_ref()
        .and_then(|(first, latest)| Some(Episode { first: seen(first)?, latest: Time(*latest).min(now) }));
    let rows = group.rows.iter().filter_map(row).collect();
    let begun = group.begun.map(|begun| Time(begun).min(now));
    Group::of(spec, rows, episode, Time(group.latest).min(now), begun)
}

/// What is remembered of an event, as one. What was before this boot has no boot time but the beginning.
fn remembered(saved: &SavedEvent, same_boot: bool) -> Event {
    let mut fields = saved.fields.clone();
    fields.unix_nanos = (!same_boot).then_some(saved.unix_nanos);
    let workload = fields.workload().map(Arc::new);
    let time = if same_boot { saved.time } else { 0 };
    let mut event = Event::new(BootTime(time), None, Actor::default(), Body::Remembered(Box::new(fields)));
    event.workload = workload;
    event
}
