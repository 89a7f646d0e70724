//! Where which line is, and what it is about: enough to know which lines an answer has to read again.

use super::super::source::{ASKED, Filter, Gap, Told, ToldKind, file_of};
use super::super::timeline::time::nanos;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// Most events of all files: the index of so many takes 200 MB.
const ENTRIES_MAX: usize = 2_000_000;
/// Most alerts, incidents and coverage records, which are kept whole.
const TOLD_MAX: usize = 50_000;
/// Most gaps; what is more makes the last one larger.
const GAPS_MAX: usize = 1_000;
/// The kernel's counters of losses are read each second.
const COUNTERS_READ: u64 = 1_000_000_000;

/// Where a line is.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Which file.
    pub file: u16,
    /// Where it begins, bytes.
    pub offset: u64,
    /// How long it is, bytes.
    pub length: u32,
}

#[derive(Debug)]
struct Entry {
    time: u64,
    key: Key,
    /// Hashes of what a filter can ask for, the file at the end; 0 for what the event does not have.
    hashes: [u64; ASKED.len() + 1],
}

/// See the module.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Entry>,
    told: Vec<Told>,
    known: BTreeSet<Box<str>>,
    gaps: Vec<Gap>,
    /// The time of the last line that could be read.
    last: u64,
    /// A gap of this file that waits for the time at which it ends.
    open: bool,
}

impl Index {
    /// A line of a file.
    pub fn line(&mut self, path: &Path, number: u64, key: Key, line: &[u8]) {
        let Ok(object) = serde_json::from_slice::<Map<String, Value>>(line) else {
            return self.damaged(path, number, "is no JSON object");
        };
        let kind = object.get("weir.event.kind").and_then(Value::as_str);
        if kind == Some("statistics") {
            return;
        }
        let Some(time) = object.get("time").and_then(Value::as_str).and_then(nanos) else {
            return self.damaged(path, number, "has no time");
        };
        self.read(time);
        match (kind, object.get("event_name").and_then(Value::as_str)) {
            (Some("lost"), _) => self.lost(time, &object),
            (Some(_), _) => self.event(time, key, &object),
            (None, Some("weir.alert")) => self.tell(time, ToldKind::Alert, object),
            (None, Some("weir.incident")) => self.tell(time, ToldKind::Incident, object),
            (None, Some("weir.coverage")) => self.tell(time, ToldKind::Coverage, object),
            (None, _) => self.damaged(path, number, "is neither an event nor an alert"),
        }
    }

    /// A line that says nothing.
    pub fn damaged(&mut self, path: &Path, number: u64, what: &str) {
        let last = self.last;
        if let (true, Some(gap)) = (self.open, self.gaps.last_mut()) {
            gap.count = gap.count.map(|count| count + 1);
            return;
        }
        let cause = format!("{}, line {number} {what}", path.display());
        self.gap(Gap {
            from: last,
            to: u64::MAX,
            place: "damage".into(),
            cause: cause.into(),
            kind: None,
            count: Some(1),
        });
        self.open = true;
    }

    /// What is damaged at the end of a file ends with it.
    pub fn end_of_file(&mut self) {
        self.read(self.last);
    }

    fn read(&mut self, time: u64) {
        if std::mem::take(&mut self.open)
            && let Some(gap) = self.gaps.last_mut()
        {
            gap.to = time.max(gap.from);
        }
        self.last = time;
    }

    fn lost(&mut self, time: u64, object: &Map<String, Value>) {
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(Box::from);
        let cause = text("weir.lost.cause").unwrap_or_else(|| "not known".into());
        let count = object.get("weir.lost.count").and_then(Value::as_u64);
        let from = time.saturating_sub(COUNTERS_READ);
        self.gap(Gap { from, to: time, place: "kernel".into(), cause, kind: text("weir.lost.kind"), count });
    }

    fn event(&mut self, time: u64, key: Key, object: &Map<String, Value>) {
        if self.entries.len() >= ENTRIES_MAX {
            let cause = format!("there are more than {ENTRIES_MAX} events in the files; give fewer of them");
            return self.no_room(time, &cause);
        }
        let mut hashes = [0; ASKED.len() + 1];
        for (place, name) in hashes.iter_mut().zip(ASKED) {
            *place = object.get(name).and_then(Value::as_str).map_or(0, hash);
        }
        hashes[ASKED.len()] = file_of(object).map_or(0, |file| hash(&file));
        self.entries.push(Entry { time, key, hashes });
    }

    fn tell(&mut self, time: u64, kind: ToldKind, record: Map<String, Value>) {
        let attribute = |name: &str| record.get("attributes")?.get(name)?.as_str().map(Box::<str>::from);
        let uid = attribute("log.record.uid").unwrap_or_default();
        if self.told.len() >= TOLD_MAX {
            return self
                .no_room(time, &format!("there are more than {TOLD_MAX} alerts in the files; give fewer of them"));
        }
        // The same file twice, or what was replayed beside what was told: it is the same all the same.
        if uid.is_empty() || self.known.insert(uid.clone()) {
            let incident = attribute("weir.incident.id");
            self.told.push(Told { time, kind, uid, incident, record });
        }
    }

    fn no_room(&mut self, time: u64, cause: &str) {
        match self.gaps.iter_mut().find(|gap| *gap.cause == *cause) {
            Some(gap) => {
                (gap.from, gap.to) = (gap.from.min(time), gap.to.max(time));
                gap.count = gap.count.map(|count| count + 1);
            }
            None => {
                let place = "store".into();
                self.gap(Gap { from: time, to: time, place, cause: cause.into(), kind: None, count: Some(1) });
            }
        }
    }

    fn gap(&mut self, gap: Gap) {
        let is_full = self.gaps.len() >= GAPS_MAX;
        match self.gaps.last_mut() {
            Some(last) if is_full => {
                (last.from, last.to) = (last.from.min(gap.from), last.to.max(gap.to));
                last.count = last.count.zip(gap.count).map(|(one, other)| one.saturating_add(other));
                (last.kind, last.cause) = (None, "more was lost than is listed one by one".into());
            }
            _ => self.gaps.push(gap),
        }
    }

    /// Everything has been read: from now on it is in the order of time.
    pub fn finish(&mut self) {
        // Stable: events of one time stay in the order in which they came.
        self.entries.sort_by_key(|entry| entry.time);
        self.told.sort_by_key(|told| told.time);
        self.gaps.sort_by_key(|gap| gap.from);
        self.known.clear();
        if let Some((first, last)) = self.span() {
            for gap in &mut self.gaps {
                (gap.from, gap.to) = (gap.from.max(first.min(gap.to)), gap.to.min(last.max(gap.from)));
            }
        }
    }

    /// Whether nothing could be read.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.told.is_empty()
    }

    /// The first and last time.
    pub fn span(&self) -> Option<(u64, u64)> {
        let times = || self.entries.iter().map(|entry| entry.time).chain(self.told.iter().map(|told| told.time));
        Some((times().min()?, times().max()?))
    }

    /// What was told, by time.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// What is missing, by time.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Time, sequence and place of every event that may match, by time: hashes can be the same of different things.
    pub fn candidates(&self, filter: &Filter) -> impl Iterator<Item = (u64, u64, Key)> {
        let hashes = |set: &BTreeSet<Box<str>>| set.iter().map(|text| hash(text)).collect::<BTreeSet<u64>>();
        let (kinds, processes, lineages) = (hashes(&filter.kinds), hashes(&filter.processes), hashes(&filter.lineages));
        let (workloads, paths, files) = (hashes(&filter.workloads), hashes(&filter.paths), hashes(&filter.files));
        let (any, from, to) = (filter.is_of_time_only(), filter.from, filter.to);
        let may_match = move |entry: &Entry| {
            let [kind, process, child, lineage, workload, path, new_path, file] = entry.hashes;
            (kinds.is_empty() || kinds.contains(&kind))
                && (any
                    || processes.contains(&process)
                    || processes.contains(&child)
                    || lineages.contains(&lineage)
                    || workloads.contains(&workload)
                    || paths.contains(&path)
                    || paths.contains(&new_path)
                    || files.contains(&file))
        };
        let first = self.entries.partition_point(|entry| entry.time < from);
        let numbered = self.entries.iter().enumerate().skip(first);
        numbered
            .take_while(move |(_, entry)| entry.time <= to)
            .filter(move |(_, entry)| may_match(entry))
            .map(|(sequence, entry)| (entry.time, sequence as u64, entry.key))
    }
}

/// Never 0, which stands for nothing.
fn hash(text: &str) -> u64 {
    ahash::RandomState::with_seeds(1, 2, 3, 4).hash_one(text).max(1)
}
