//! Where the alerts of two rule sets differ.
//!
//! An alert is known by its rule and its subject. What was said of it last counts, and how bad it is; how often it was said does not.

use crate::alert::{Alert, VALUE_MAX, escape};
use crate::delivery::{Format, OutputError};
use crate::event::WallClock;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

/// Most alerts that are compared; a few hundred bytes each.
const ALERTS_MAX: usize = 262_144;

/// An alert's rule (its id), and its subject.
type Key = (String, Arc<[(Box<str>, Box<str>)]>);

/// What the two sides told.
#[derive(Debug)]
pub struct Difference {
    format: Format,
    alerts: BTreeMap<Key, [Option<Told>; 2]>,
    /// Alerts that there was no room to compare.
    left_out: u64,
}

/// What was said of an alert.
#[derive(Clone, Debug, Serialize)]
struct Told {
    time: String,
    level: &'static str,
    #[serde(rename = "security_rule.uuid")]
    id: Box<str>,
    #[serde(rename = "security_rule.name")]
    title: Box<str>,
    #[serde(rename = "weir.rule.name")]
    rule: Arc<str>,
    #[serde(rename = "body")]
    sentence: String,
    #[serde(rename = "weir.alert.uid")]
    uid: String,
}

impl Told {
    fn says_the_same(&self, other: &Told) -> bool {
        (self.level, &self.title, &self.sentence) == (other.level, &other.title, &other.sentence)
    }
}

/// How an alert differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Removed,
    Added,
    Changed,
}

/// One of them, for programs.
#[derive(Serialize)]
struct Object<'a> {
    change: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Told>,
}

/// The end: for each rule how many alerts it raised, before and after.
#[derive(Serialize)]
struct Sums<'a> {
    rules: &'a BTreeMap<Arc<str>, [u64; 2]>,
    removed: u64,
    added: u64,
    changed: u64,
    not_compared: u64,
}

impl Difference {
    /// Nothing was told yet.
    pub fn new(format: Format) -> Difference {
        Difference { format, alerts: BTreeMap::new(), left_out: 0 }
    }

    /// An alert of side 0, the rules in effect, or 1, the others.
    pub fn add(&mut self, side: usize, alert: &Alert, clock: WallClock) {
        let key = (alert.rule.id.to_string(), alert.group.clone());
        if self.alerts.len() >= ALERTS_MAX && !self.alerts.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let told = Told {
            time: clock.rfc3339(alert.time).to_string(),
            level: alert.rule.level.name(),
            id: (&*alert.rule.id).into(),
            title: (&*alert.rule.title).into(),
            rule: alert.rule.name.clone(),
            sentence: alert.sentence.trim().to_owned(),
            uid: alert.uid.to_string(),
        };
        if let Some(side) = self.alerts.entry(key).or_default().get_mut(side) {
            *side = Some(told);
        }
    }

    /// Whether both told the same, and all of it could be compared.
    pub fn is_none(&self) -> bool {
        self.left_out == 0 && self.changes().next().is_none()
    }

    fn changes(&self) -> impl Iterator<Item = (Change, Option<&Told>, Option<&Told>)> {
        self.alerts.values().filter_map(|[before, after]| match (before, after) {
            (Some(before), Some(after)) if before.says_the_same(after) => None,
            (Some(before), Some(after)) => Some((Change::Changed, Some(before), Some(after))),
            (Some(before), None) => Some((Change::Removed, Some(before), None)),
            (None, after) => after.as_ref().map(|after| (Change::Added, None, Some(after))),
        })
    }

    /// Writes each alert that differs, in the order of their times, and how many each rule raised.
    pub(super) fn write(&self, out: impl Write) -> Result<(), OutputError> {
        let mut out = io::BufWriter::new(out);
        let mut changes: Vec<_> = self.changes().collect();
        changes.sort_by_key(|(_, before, after)| after.or(*before).map(|told| &told.time));
        for (change, before, after) in &changes {
            match self.format {
                Format::Json => self.object(&mut out, &Object { change: *change, before: *before, after: *after })?,
                Format::Text => text(&mut out, *before, *after)?,
            }
        }
        let mut rules = BTreeMap::<Arc<str>, [u64; 2]>::new();
        for (side, told) in self.alerts.values().flat_map(|sides| sides.iter().enumerate()) {
            if let Some(told) = told
                && let Some(sum) = rules.entry(told.rule.clone()).or_default().get_mut(side)
            {
                *sum += 1;
            }
        }
        let count = |wanted| changes.iter().filter(|(change, ..)| *change == wanted).count() as u64;
        let (removed, added, changed) = (count(Change::Removed), count(Change::Added), count(Change::Changed));
        let sums = Sums { rules: &rules, removed, added, changed, not_compared: self.left_out };
        match self.format {
            Format::Json => self.object(&mut out, &sums)?,
            Format::Text => table(&mut out, &sums)?,
        }
        Ok(out.flush()?)
    }

    fn object(&self, out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *out, object)?;
        out.write_all(b"\n")
    }
}

fn text(out: &mut impl Write, before: Option<&Told>, after: Option<&Told>) -> io::Result<()> {
    const OLD: Style = AnsiColor::Red.on_default();
    const NEW: Style = AnsiColor::Green.on_default();
    for (sign, style, told) in [('-', OLD, before), ('+', NEW, after)] {
        if let Some(told) = told {
            let level = told.level.to_uppercase();
            let title = escape(&told.title, VALUE_MAX);
            writeln!(out, "{style}{sign} {} {level:<8} {title}: {}{style:#}", told.time, told.sentence)?;
        }
    }
    Ok(())
}

fn table(out: &mut impl Write, sums: &Sums<'_>) -> io::Result<()> {
    const BOLD: Style = Style::new().bold();
    let Sums { removed, added, changed, .. } = sums;
    if removed + added + changed > 0 {
        writeln!(out)?;
    }
    writeln!(out, "{BOLD}{:<40} {:>8} {:>8}{BOLD:#}", "alerts by rule", "before", "after")?;
    for (rule, [before, after]) in sums.rules {
        let style = if before == after { Style::new() } else { BOLD };
        writeln!(out, "{style}{:<40} {before:>8} {after:>8}{style:#}", escape(rule, VALUE_MAX))?;
    }
    writeln!(out, "{removed} removed, {added} added, {changed} changed")?;
    if sums.not_compared > 0 {
        writeln!(out, "{} more could not be compared: give a shorter time with --from and --to", sums.not_compared)?;
    }
    Ok(())
}
