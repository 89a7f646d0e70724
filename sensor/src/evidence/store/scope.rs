//! What belongs to an incident: whose events, and from when to when.

use super::reader::connect;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

const MINUTE: u64 = 60_000_000_000;
/// What was before an incident began belongs to it so long.
const BEFORE: u64 = 10 * MINUTE;
/// And what was after it last grew.
const AFTER: u64 = 60 * MINUTE;
/// Most incidents, and most names of one, that are looked at: attackers can cause many.
const INCIDENTS_MAX: usize = 4_096;
const NAMES_MAX: usize = 1_024;

/// See the module's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Nanoseconds since 1970.
    pub from: u64,
    pub to: u64,
    /// Workloads; not the host, where everybody is.
    pub workloads: BTreeSet<Box<str>>,
    pub lineages: BTreeSet<Box<str>>,
    pub processes: BTreeSet<Box<str>>,
}

/// The scopes of incidents, by their ids.
pub type Scopes = BTreeMap<String, Scope>;

/// Adds what is told in a file; one that cannot be read tells nothing.
pub fn collect(path: &Path, scopes: &mut Scopes) -> rusqlite::Result<()> {
    let connection = connect(path)?;
    let sql = "SELECT incident, time, record FROM told WHERE incident IS NOT NULL ORDER BY time";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (incident, time): (String, i64) = (row.get(0)?, row.get(1)?);
        let record: Value = serde_json::from_str(&row.get::<_, String>(2)?).unwrap_or_default();
        if scopes.len() >= INCIDENTS_MAX && !scopes.contains_key(&incident) {
            continue;
        }
        add(scopes, incident, u64::try_from(time).unwrap_or(0), &record);
    }
    Ok(())
}

fn add(scopes: &mut Scopes, incident: String, time: u64, record: &Value) {
    let Some(attributes) = record.get("attributes") else { return };
    let text = |name: &str| attributes.get(name)?.as_str();
    let began = ["weir.incident.began", "weir.alert.begun"].iter().find_map(|name| nanos(text(name)?)).unwrap_or(time);
    let (from, to) = (began.min(time).saturating_sub(BEFORE), time.saturating_add(AFTER));
    let empty =
        || Scope { from, to, workloads: BTreeSet::new(), lineages: BTreeSet::new(), processes: BTreeSet::new() };
    let scope = scopes.entry(incident).or_insert_with(empty);
    (scope.from, scope.to) = (scope.from.min(from), scope.to.max(to));
    let names = |name: &str| -> Vec<Box<str>> {
        match attributes.get(name) {
            Some(Value::String(text)) => vec![text.as_str().into()],
            Some(Value::Array(all)) => all.iter().filter_map(|one| Some(one.as_str()?.into())).collect(),
            _ => Vec::new(),
        }
    };
    for (set, both) in [
        (&mut scope.workloads, ["weir.workload.id", "weir.incident.workloads"]),
        (&mut scope.lineages, ["weir.lineage.id", "weir.lineage.id"]),
        (&mut scope.processes, ["weir.process.id", "weir.incident.processes"]),
    ] {
        set.extend(both.into_iter().flat_map(names).filter(|name| &**name != "host"));
        while set.len() > NAMES_MAX {
            set.pop_last();
        }
    }
}

/// Nanoseconds since 1970 of a time as records have it.
fn nanos(text: &str) -> Option<u64> {
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}
