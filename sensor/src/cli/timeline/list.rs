//! What timelines can be asked for: incidents, each with its last sentence, and alerts that are in none that was told.

use crate::alert::{VALUE_MAX, escape};
use crate::evidence::source::{Source, Told, ToldKind};
use anstyle::Style;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
/// Most alerts that are listed one by one.
const ALERTS_MAX: usize = 50;

/// Prints it.
pub fn list(source: &mut dyn Source) -> ExitCode {
    let told = match source.told(0, u64::MAX, &BTreeSet::new()) {
        Ok(told) => told,
        Err(error) => return super::super::fail(&error),
    };
    let mut incidents: BTreeMap<&str, &Told> = BTreeMap::new();
    for one in told.iter().filter(|told| told.kind == ToldKind::Incident) {
        if let Some(id) = &one.incident {
            incidents.insert(id, one);
        }
    }
    let is_alone = |told: &&Told| {
        told.kind == ToldKind::Alert && told.incident.as_deref().is_none_or(|id| !incidents.contains_key(id))
    };
    // Of an alert that was told again the last.
    let alone: BTreeMap<&str, &Told> =
        told.iter().filter(is_alone).map(|told| (attribute(told, "weir.alert.uid"), told)).collect();
    super::super::print(ExitCode::SUCCESS, |out| {
        let mut by_time: Vec<(&str, &Told)> = incidents.into_iter().collect();
        by_time.sort_by_key(|(_, told)| told.time);
        for (id, told) in &by_time {
            writeln!(out, "{BOLD}incident {}{BOLD:#} {}", escape(id, VALUE_MAX), said(told))?;
        }
        let mut alerts: Vec<(&str, &Told)> = alone.into_iter().collect();
        alerts.sort_by_key(|(_, told)| told.time);
        let more = alerts.len().saturating_sub(ALERTS_MAX);
        for (uid, told) in alerts.iter().skip(more) {
            writeln!(out, "{BOLD}alert    {}{BOLD:#} {}", escape(uid, VALUE_MAX), said(told))?;
        }
        if more > 0 {
            writeln!(out, "{DIM}and {more} earlier alerts{DIM:#}")?;
        }
        if by_time.is_empty() && alerts.is_empty() {
            writeln!(
                out,
                "No incident and no alert was told; a container, pod, process, file or time can be asked for."
            )?;
        }
        Ok(())
    })
}

fn said(told: &Told) -> String {
    let text = |name: &str| escape(told.record.get(name).and_then(Value::as_str).unwrap_or_default(), 4 * VALUE_MAX);
    format!("{DIM}{}{DIM:#} {}: {}", text("time"), text("severity_text"), text("body"))
}

fn attribute<'a>(told: &'a Told, name: &str) -> &'a str {
    told.record.get("attributes").and_then(|all| all.get(name)?.as_str()).unwrap_or_default()
}
