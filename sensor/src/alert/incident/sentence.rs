//! The sentence of an incident: who read what, how it travelled, where how much went, and what was added last.
//!
//! It says together what the alerts prove together: of several readers and several files it does not say who read which.

use super::content::Incident;
use super::list::List;
use super::part::{Destination, Participant, Role, Source};
use crate::alert::escape::{VALUE_MAX, escape};
use crate::alert::sentence::{quantity, workload};

/// The sentence, harmless on a terminal.
pub fn sentence(incident: &Incident) -> String {
    let deeds = [opened(incident), changed(incident), travelled(incident), sent(incident)];
    let deeds: Vec<String> = deeds.into_iter().flatten().collect();
    let deeds = if deeds.is_empty() { took_part(incident) } else { listed(&deeds) };
    let findings = counted(incident.alerts, "finding");
    let least = if incident.rules.beyond() > 0 { "at least " } else { "" };
    let rules = format!("{least}{}", counted(incident.rules.items().len() as u64, "rule"));
    let joined = match incident.merged.total() {
        0 => String::new(),
        others => format!(", one with {}", counted(others, "earlier incident")),
    };
    let added = escape(&incident.added, VALUE_MAX);
    format!("{}: {deeds}; {findings} of {rules}{joined}, added last: {added}", place(incident))
}

fn place(incident: &Incident) -> String {
    let first = incident.workloads.items().first().map_or_else(|| "an unknown workload".to_owned(), |w| workload(w));
    let place = format!("In {first}{}", others_of(&incident.workloads, "workload"));
    // Not `In the host`.
    place.replacen("In the host", "On the host", 1)
}

fn opened(incident: &Incident) -> Option<String> {
    let what = files(incident, |source| source.read)?;
    Some(format!("{} opened {what}", who(incident, Role::Reader)))
}

fn changed(incident: &Incident) -> Option<String> {
    let what = files(incident, |source| !source.read)?;
    Some(format!("{} changed {what}", who(incident, Role::Carrier)))
}

/// The largest of them, and how many others.
fn files(incident: &Incident, is: impl Fn(&Source) -> bool) -> Option<String> {
    let files: Vec<&Source> = incident.sources.items().iter().filter(|source| is(source)).collect();
    let largest = files.iter().copied().reduce(|a, b| if b.size > a.size { b } else { a })?;
    let size = if largest.size > 0 { format!(" ({})", quantity(largest.size)) } else { String::new() };
    let kept = files.len() as u64;
    let others = match incident.sources.beyond() {
        0 => others(kept, "file"),
        _ => format!(" and at least {} other files", kept.saturating_sub(1)),
    };
    Some(format!("{}{size}{others}", escape(&largest.path, VALUE_MAX)))
}

fn travelled(incident: &Incident) -> Option<String> {
    const SHOWN: usize = 3;
    let carriers = incident.carriers.items();
    let mut shown: Vec<String> = carriers.iter().take(SHOWN).map(|name| escape(name, VALUE_MAX)).collect();
    match (carriers.len().saturating_sub(SHOWN), incident.carriers.beyond()) {
        (0, _) => {}
        (more, 0) => shown.push(format!("{more} more")),
        (more, _) => shown.push(format!("more than {more} more")),
    }
    (!shown.is_empty()).then(|| format!("it travelled by {}", listed(&shown)))
}

fn sent(incident: &Incident) -> Option<String> {
    let destinations = incident.destinations.items();
    let largest = destinations.iter().reduce(|a, b| if b.bytes() > a.bytes() { b } else { a })?;
    let to = format!("{}{}", escape(&largest.shown(), VALUE_MAX), others_of(&incident.destinations, "destination"));
    let sender = if names_sender(incident) { String::new() } else { who(incident, Role::Sender) + " " };
    let all = incident.destinations.beyond() == 0 && destinations.iter().all(Destination::counts_all);
    Some(match (incident.bytes(), all) {
        (0, _) => format!("{sender}turned to {to}"),
        (bytes, true) => format!("{sender}sent {} to {to}", quantity(bytes)),
        (bytes, false) => format!("{sender}sent at least {} to {to}", quantity(bytes)),
    })
}

/// Whether the clause before has named the sender: one process opened and sent, and nothing is said in between.
fn names_sender(incident: &Incident) -> bool {
    let only = |role| {
        let mut all = with(incident, role);
        let first = all.next()?.key;
        (all.next().is_none() && incident.processes.beyond() == 0).then_some(first)
    };
    let is_next = opened(incident).is_some() && changed(incident).is_none() && travelled(incident).is_none();
    is_next && only(Role::Reader).is_some_and(|reader| only(Role::Sender) == Some(reader))
}

fn took_part(incident: &Incident) -> String {
    let processes = incident.processes.items();
    match processes.first() {
        Some(first) => format!("{}{} took part", program(first), others_of(&incident.processes, "process")),
        None => "an unknown process took part".to_owned(),
    }
}

fn who(incident: &Incident, role: Role) -> String {
    let mut all = with(incident, role);
    match all.next() {
        Some(first) => format!("{}{}", program(first), others(1 + all.count() as u64, "process")),
        None => "an unknown process".to_owned(),
    }
}

fn with(incident: &Incident, role: Role) -> impl Iterator<Item = &Participant> {
    incident.processes.items().iter().filter(move |process| process.roles.contains(role))
}

fn program(process: &Participant) -> String {
    match &*process.executable {
        "" => format!("process {}", process.key.pid),
        executable => escape(executable, VALUE_MAX),
    }
}

/// The same for a list. What did not fit may have come more than once, so it is not counted.
fn others_of<T, const MAX: usize>(list: &List<T, MAX>, what: &str) -> String {
    let kept = list.items().len() as u64;
    match list.beyond() {
        0 => others(kept, what),
        _ => format!(" and at least {kept} other {}", plural(what)),
    }
}

/// ` and 2 other files`, where there is more than one.
fn others(total: u64, what: &str) -> String {
    match total {
        0 | 1 => String::new(),
        2 => format!(" and 1 other {what}"),
        more => format!(" and {} other {}", more - 1, plural(what)),
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {}", plural(what)) }
}

fn plural(what: &str) -> String {
    if what.ends_with('s') { format!("{what}es") } else { format!("{what}s") }
}

/// `a`, `a and b`, `a, b and c`; of whole clauses `a, and b`.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
