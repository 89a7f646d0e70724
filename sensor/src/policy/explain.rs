//! Why the policy says of a workload what it says.

use super::declared::DeclaredEntry;
use super::document::Policy;
use super::entry::Entry;
use super::select::Condition;
use super::table::Selected;
use crate::event::Workload;

/// What a policy says of a workload, and why.
#[derive(Debug)]
pub struct Explanation<'p> {
    /// Every entry, in the order of the file.
    pub entries: Vec<Judged<'p>>,
    /// What it comes to.
    pub selected: Selected,
    /// What is declared for all workloads.
    pub everywhere: &'p [DeclaredEntry],
}

/// An entry, held against a workload.
#[derive(Debug)]
pub struct Judged<'p> {
    /// Which entry.
    pub entry: &'p Entry,
    /// Whether it is about the workload.
    pub takes: bool,
    /// Each thing that it asks, and how that stands.
    pub conditions: Vec<(&'p Condition, Verdict)>,
}

/// How something that is asked of a workload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it is asked for.
    Holds(String),
    /// It is something else.
    Differs(String),
    /// The workload has none.
    None,
    /// It is not known, since no runtime has said it.
    Unknown,
}

impl<'p> Explanation<'p> {
    /// Holds every entry of `policy` against `workload`; `everywhere` is declared for all workloads.
    pub fn new(policy: &'p Policy, workload: &Workload, everywhere: &'p [DeclaredEntry]) -> Explanation<'p> {
        let judged = |entry: &'p Entry| Judged {
            entry,
            takes: entry.select.takes(workload),
            conditions: entry.select.conditions.iter().map(|asked| (asked, verdict(asked, workload))).collect(),
        };
        Explanation {
            entries: policy.entries().iter().map(judged).collect(),
            selected: Selected::new(policy, workload, everywhere),
            everywhere,
        }
    }

    /// The entries that are about the workload.
    pub fn taken(&self) -> impl Iterator<Item = &'p Entry> {
        self.entries.iter().filter(|judged| judged.takes).map(|judged| judged.entry)
    }
}

fn verdict(asked: &Condition, workload: &Workload) -> Verdict {
    match asked.fact.of(workload) {
        Some(value) if asked.holds(workload) => Verdict::Holds(value.to_owned()),
        Some(value) => Verdict::Differs(value.to_owned()),
        None if asked.fact.is_identity() && workload.identity.is_none() => Verdict::Unknown,
        None => Verdict::None,
    }
}
