//! Any sequence of calls, faults and crashes, against what was promised.

use super::memory::Fault;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    /// Severities and sizes of bodies.
    Append(Vec<(u8, usize)>),
    Take(usize, usize),
    /// The first of those in flight.
    Acknowledge(usize),
    PutBack(usize),
    SetAside(usize),
    /// After so many calls of the file system, so many fail.
    Fail(u32, u32, Fault),
    /// Bytes of the disk; none is no limit.
    Capacity(Option<usize>),
    Crash(u64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let severity = prop_oneof![Just(9u8), Just(13), Just(17), Just(21)];
    let drafts = proptest::collection::vec((severity, 0usize..1_500), 1..8);
    let fault = prop_oneof![Just(Fault::Io), Just(Fault::Full)];
    let step = prop_oneof![
        6 => drafts.prop_map(Step::Append),
        3 => (1usize..12, 1usize..9_000).prop_map(|(records, bytes)| Step::Take(records, bytes)),
        3 => (1usize..12).prop_map(Step::Acknowledge),
        1 => (1usize..6).prop_map(Step::PutBack),
        1 => (1usize..3).prop_map(Step::SetAside),
        2 => (0u32..12, 1u32..6, fault).prop_map(|(after, times, fault)| Step::Fail(after, times, fault)),
        1 => proptest::option::of(0usize..60_000).prop_map(Step::Capacity),
        1 => any::<u64>().prop_map(Step::Crash),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was confirmed.
    Must,
    /// Nobody was told that it is safe.
    May,
    /// Acknowledged or set aside by the run of that number: it may come again after a crash, not before.
    Over(u32),
    /// It was not taken in.
    Never,
}

/// What was given to the spool, and what was said of it. The index is in the uid.
struct Model {
    memory: Memory,
    spool: Option<Spool<Memory>>,
    given: Vec<(u8, usize, Fate)>,
    /// In flight, by id.
    taken: BTreeMap<u64, usize>,
    /// Confirmed ones that went, by severity.
    evicted: BTreeMap<u8, u64>,
    /// Written more than once, since a write failed: they may come out as often, with the same uid.
    repeated: BTreeSet<usize>,
    /// A crash or a failed removal: segments that had gone may be there again.
    revived: bool,
    /// What was last said to have gone, unless the disk may have been in the way of keeping it.
    counted: Option<BTreeMap<u8, u64>>,
    run: u32,
}

fn body(index: usize, size: usize) -> Vec<u8> {
    format!("{{\"number\":{index}}}").bytes().cycle().take(size).collect()
}

impl Model {
    fn new() -> Model {
        let memory = Memory::default();
        let spool = Some(open(&memory));
        Model {
            memory,
            spool,
            given: Vec::new(),
            taken: BTreeMap::new(),
            evicted: BTreeMap::new(),
            repeated: BTreeSet::new(),
            revived: false,
            counted: Some(BTreeMap::new()),
            run: 0,
        }
    }

    fn spool(&mut self) -> &mut Spool<Memory> {
        self.spool.as_mut().expect("it is open")
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(drafts) => self.append(drafts),
            Step::Take(records, bytes) => drop(self.take(*records, *bytes)),
            Step::Acknowledge(number) => {
                let ids = self.first_taken(*number);
                self.spool().acknowledge(&ids);
                self.end(&ids);
            }
            Step::PutBack(number) => {
                let ids = self.first_taken(*number);
                self.spool().put_back(&ids);
                self.taken.retain(|id, _| !ids.contains(id));
            }
            Step::SetAside(number) => self.set_aside(*number),
            Step::Fail(after, times, fault) => {
                self.memory.disk().fault = Some((*after, *times, *fault));
                (self.revived, self.counted) = (true, None);
            }
            Step::Capacity(capacity) => {
                self.memory.disk().capacity = *capacity;
                self.counted = None;
            }
            Step::Crash(seed) => self.restart(Some(*seed)),
            Step::Restart => self.restart(None),
        }
        let used: usize = [".records", ".acknowledged"]
            .iter()
            .flat_map(|end| self.memory.names(end))
            .map(|name| self.memory.bytes(&name).len())
            .sum();
        assert!(used as u64 <= SMALL.bytes, "{used} bytes on disk");
        assert!(used as u64 <= self.spool().counts().bytes, "{used} bytes, and it knows of fewer");
    }

    fn append(&mut self, drafts: &[(u8, usize)]) {
        let start = self.given.len();
        self.given.extend(drafts.iter().map(|(severity, size)| (*severity, *size, Fate::May)));
        let texts: Vec<(u8, String, Vec<u8>)> = drafts
            .iter()
            .zip(start..)
            .map(|((severity, size), index)| (*severity, format!("uid-{index}."), body(index, *size)))
            .collect();
        let drafts: Vec<Draft<'_>> = texts.iter().map(|(severity, uid, bytes)| draft(*severity, uid, bytes)).collect();
        let before = self.spool().counts();
        let appended = self.spool().append(&drafts);
        let after = self.spool().counts();
        self.counted = self.counted.take().map(|_| after.evicted.clone());
        for (severity, now) in after.evicted {
            *self.evicted.entry(severity).or_default() += now - before.evicted.get(&severity).unwrap_or(&0);
        }
        if after.failed > before.failed {
            self.repeated.extend(start..self.given.len());
        }
        let Ok(appended) = appended else { return };
        assert_eq!((appended.ids.len(), appended.refused), (drafts.len(), 0));
        for (index, id) in (start..).zip(appended.ids) {
            let (severity, _, fate) = &mut self.given[index];
            *fate = if id.is_some() { Fate::Must } else { Fate::Never };
            if id.is_none() {
                let evicted = self.evicted.get_mut(severity).expect("it was counted");
                *evicted = evicted.checked_sub(1).expect("it was counted");
            }
        }
    }

    /// The indexes of what came out.
    fn take(&mut self, records: usize, bytes: usize) -> Vec<(u64, usize)> {
        let entries = self.spool().take(records, bytes);
        assert!(entries.len() <= records);
        let mut last = None;
        let mut out = Vec::new();
        for entry in &entries {
            let index: usize = entry.uid.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a uid of ours");
            let (severity, size, fate) = self.given[index];
            assert_eq!((entry.severity, entry.kind, entry.time), (severity, Kind::Alert, 7));
            assert_eq!(*entry.bytes, body(index, size), "it came out changed");
            let over = fate == Fate::Over(self.run) && !self.repeated.contains(&index);
            assert!(!over && fate != Fate::Never, "{index} came out: {fate:?}");
            if self.taken.values().any(|taken| *taken == index) {
                assert!(self.repeated.contains(&index), "{index} twice");
            } else {
                let place = (std::cmp::Reverse(severity), index);
                assert!(last < Some(place), "{place:?} after {last:?}");
                last = Some(place);
            }
            assert!(self.taken.insert(entry.id, index).is_none(), "an id twice");
            out.push((entry.id, index));
        }
        out
    }

    fn first_taken(&self, number: usize) -> Vec<u64> {
        self.taken.keys().take(number).copied().collect()
    }

    fn end(&mut self, ids: &[u64]) {
        for id in ids {
            if let Some(index) = self.taken.remove(id) {
                self.given[index].2 = Fate::Over(self.run);
            }
        }
    }

    fn set_aside(&mut self, number: usize) {
        let ids = self.first_taken(number);
        let done = self.spool().set_aside(&ids, "invalid argument").is_ok();
        let text = String::from_utf8_lossy(&self.memory.bytes("aside.jsonl")).into_owned();
        for id in ids {
            // What could not be read, or had been evicted, is not there.
            if done && text.contains(&format!("uid-{}.", self.taken[&id])) {
                self.end(&[id]);
            }
        }
    }

    fn restart(&mut self, crash: Option<u64>) {
        self.spool = None;
        if let Some(seed) = crash {
            self.memory.crash(seed);
            self.revived = true;
        }
        self.taken.clear();
        self.run += 1;
        let opened = Spool::open_in(self.memory.clone(), SMALL);
        if let Ok((spool, Opened { unreadable: 0, .. })) = opened {
            assert!(self.counted.as_ref().is_none_or(|counted| *counted == spool.counts().evicted), "forgotten");
            self.spool = Some(spool);
            return;
        }
        // A disk that does not give what it has: when it does, all is there.
        self.memory.disk().fault = None;
        self.spool = Some(open(&self.memory));
    }

    /// There is room again, and the disk is in order: everything that was promised comes out.
    fn settle(mut self, seed: u64) {
        (self.memory.disk().fault, self.memory.disk().capacity) = (None, None);
        self.append(&[(21, 100), (9, 0)]);
        assert_eq!(self.given[self.given.len() - 2].2, Fate::Must, "there is room again");
        self.restart(Some(seed).filter(|seed| seed % 2 == 0));
        let mut out = BTreeSet::new();
        loop {
            let taken = self.take(7, 5_000);
            if taken.is_empty() {
                break;
            }
            self.spool().acknowledge(&taken.iter().map(|(id, _)| *id).collect::<Vec<_>>());
            out.extend(taken.iter().map(|(_, index)| *index));
        }
        for severity in [9, 13, 17, 21] {
            let must = self.given.iter().zip(0..).filter(|((of, _, fate), _)| *of == severity && *fate == Fate::Must);
            let came: Vec<bool> = must.map(|(_, index)| out.contains(&index)).collect();
            let missing = came.iter().filter(|came| !**came).count() as u64;
            let evicted = self.evicted.get(&severity).copied().unwrap_or_default();
            assert!(missing <= evicted, "{missing} of severity {severity} are missing, {evicted} were evicted");
            assert!(self.revived || came.is_sorted(), "of severity {severity} not the oldest went");
        }
        assert_eq!(self.spool().counts().depth, 0);
        self.restart(None);
        assert_eq!(self.spool().take(1, 1), [], "all was acknowledged");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_promised_holds(steps in steps(), seed in any::<u64>()) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
        }
        model.settle(seed);
    }
}
