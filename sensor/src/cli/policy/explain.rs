//! `weir policy explain`

use crate::alert::{escape, quantity};
use crate::delivery::Format;
use crate::detection::RuleSet;
use crate::event::{Identity, Workload, image_name};
use crate::policy::{Budget, DeclaredEntry, Entry, Explanation, Policy, Program, Verdict};
use crate::workload::{self, cgroupfs};
use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Say which entries of the policy are about a workload, which not and why, and what it comes to
///
/// The workload is one that runs here, or one that is described by options, or both: the options say what only its runtime knows.
#[derive(Args)]
#[command(after_help = "\
Examples:
  weir policy explain 3f2a                                            a container that runs here, by the beginning of its id
  weir policy explain --namespace prod --label app=vllm --image vllm  one that runs elsewhere, or not yet
  weir policy explain systemd:vllm.service                            a unit

Exit status: 0 it was explained, 1 the policy is wrong or there is no such workload.")]
pub struct Explain {
    /// A workload that runs here: the beginning of a container's id, or a whole weir.workload.id
    container: Option<String>,

    /// The policy; /etc/weir/policy.yml is used if it is there
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Rules beside the built-in ones, whose lists say what is declared for all workloads
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    /// k8s.namespace.name
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,

    /// k8s.pod.name
    #[arg(long, value_name = "NAME")]
    pod: Option<String>,

    /// weir.workload.labels: a label of its pod, or of its own
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(Box<str>, Box<str>)>,

    /// container.image.name: its image, with or without tag and digest
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,

    /// container.name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// process.linux.cgroup: the path of its cgroup, which tells its kind, ids, unit and job
    #[arg(long, value_name = "PATH", conflicts_with = "container")]
    cgroup: Option<String>,

    /// How to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn label(text: &str) -> Result<(Box<str>, Box<str>), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.into(), value.into()))
}

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
enum NoWorkload {
    #[error(
        "no container or workload that runs here is called `{0}`; describe one that does not by --namespace, --label and the like"
    )]
    Unknown(String),
    #[error("{count} containers begin with `{called}`: {first}, {second} and so on; write more of the id")]
    Several { called: String, count: usize, first: Box<str>, second: Box<str> },
    #[error(
        "nothing says which workload is meant; give the beginning of a container's id, or describe one by --namespace, --label and the like"
    )]
    Nothing,
    #[error(transparent)]
    Cgroups(#[from] cgroupfs::Error),
}

impl Explain {
    pub fn execute(self) -> ExitCode {
        let policy = match Policy::find(self.policy.as_deref()) {
            Ok(policy) => policy,
            Err(error) => return super::super::fail(&error),
        };
        let everywhere: Vec<DeclaredEntry> = match RuleSet::load(&self.rules) {
            Ok(rules) => rules.lists().declared().collect(),
            Err(error) => return super::super::fail(&error),
        };
        let workload = match self.workload() {
            Ok(workload) => workload,
            Err(error) => return super::super::fail(&error),
        };
        let explanation = Explanation::new(&policy, &workload, &everywhere);
        super::super::print(ExitCode::SUCCESS, |out| match self.format {
            Format::Text => text(&explanation, &workload, out),
            Format::Json => writeln!(out, "{}", object(&explanation, &workload)),
        })
    }

    /// The workload that is meant, with what the options say of it.
    fn workload(&self) -> Result<Workload, NoWorkload> {
        let identity = Identity {
            namespace: self.namespace.as_deref().map(Into::into),
            pod_name: self.pod.as_deref().map(Into::into),
            labels: self.label.clone().into(),
            container_name: self.name.as_deref().map(Into::into),
            image: self.image.as_deref().map(|image| image_name(image).into()),
            ..Identity::default()
        };
        let is_told = identity != Identity::default();
        let mut workload = match (&self.container, &self.cgroup) {
            (Some(called), _) => only(called, cgroupfs::find(called)?)?,
            (None, Some(path)) => workload::parse(path),
            // Who names a namespace, label or image means a container.
            (None, None) if is_told => Workload { kind: crate::event::WorkloadKind::Container, ..Workload::default() },
            (None, None) => return Err(NoWorkload::Nothing),
        };
        workload.identity = is_told.then(|| Arc::new(identity));
        Ok(workload)
    }
}

/// The one of those that were found.
fn only(called: &str, found: Vec<Workload>) -> Result<Workload, NoWorkload> {
    let count = found.len();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(NoWorkload::Unknown(called.to_owned())),
        (Some(one), None) => Ok(one),
        (Some(first), Some(second)) => {
            Err(NoWorkload::Several { called: called.to_owned(), count, first: first.id, second: second.id })
        }
    }
}

/// Most characters of one value: no pattern is longer.
const SHOWN_MAX: usize = 1024;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();

fn text(explanation: &Explanation<'_>, workload: &Workload, out: &mut dyn Write) -> io::Result<()> {
    let name = if workload.id.is_empty() { "a workload as described" } else { &*workload.id };
    writeln!(out, "{BOLD}{}{BOLD:#}", shown(name))?;
    for judged in &explanation.entries {
        let place = if judged.entry.line == 0 { String::new() } else { format!(" (line {})", judged.entry.line) };
        let (style, outcome) = if judged.takes { (GREEN, "is about it") } else { (DIM, "is not about it") };
        writeln!(out, "\n{BOLD}{}{BOLD:#}{place}: {style}{outcome}{style:#}", shown(&judged.entry.name))?;
        for (asked, verdict) in &judged.conditions {
            let patterns: Vec<_> = asked.patterns.iter().map(|pattern| shown(pattern.text())).collect();
            let patterns = patterns.join(" or ");
            let fact = shown(&asked.fact.to_string());
            match verdict {
                Verdict::Holds(value) => writeln!(out, "  yes  {fact} is {}, as {patterns}", shown(value))?,
                Verdict::Differs(value) => writeln!(out, "  no   {fact} is {}, not {patterns}", shown(value))?,
                Verdict::None => writeln!(out, "  no   it has no {fact}; asked for is {patterns}")?,
                Verdict::Unknown => writeln!(out, "  no   no runtime has said its {fact}; asked for is {patterns}")?,
            }
        }
        if judged.conditions.is_empty() {
            writeln!(out, "  yes  it asks nothing")?;
        }
    }
    let selected = &explanation.selected;
    writeln!(out, "\n{BOLD}role{BOLD:#}          {}", selected.role.map_or("none", |role| role.name()))?;
    let undeclared = if workload.container_id.is_some() || workload.kind == crate::event::WorkloadKind::Container {
        "not declared: what its entry process loads in its first minutes"
    } else {
        "not declared"
    };
    programs("loaders", &selected.loaders, undeclared, out)?;
    programs("writers", &selected.writers, "not declared", out)?;
    let own = explanation.taken().flat_map(|entry| entry.destinations.iter().map(move |to| (to, Some(entry))));
    let all = own.chain(explanation.everywhere.iter().map(|to| (to, None)));
    for (index, (to, entry)) in all.enumerate() {
        let from = entry.map_or("for all workloads", |entry| &*entry.name);
        let head = if index == 0 { "destinations" } else { "" };
        let (id, direction, budget) = (shown(&to.id), to.direction.name(), budget(to.budget));
        writeln!(out, "{BOLD}{head:<14}{BOLD:#}{id}  {direction}  {budget}  {DIM}{}{DIM:#}", shown(from))?;
    }
    Ok(())
}

fn programs(
    what: &str,
    programs: &Option<Vec<Arc<[Program]>>>,
    undeclared: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let lines: Vec<String> = programs.iter().flatten().flat_map(|programs| programs.iter()).map(program).collect();
    let lines = match (programs, lines.is_empty()) {
        (None, _) => vec![undeclared.to_owned()],
        (Some(_), true) => vec!["nobody".to_owned()],
        _ => lines,
    };
    for (index, line) in lines.iter().enumerate() {
        let head = if index == 0 { what } else { "" };
        writeln!(out, "{BOLD}{head:<14}{BOLD:#}{line}")?;
    }
    Ok(())
}

fn program(program: &Program) -> String {
    let all = |patterns: &[crate::policy::Pattern]| {
        patterns.iter().map(|pattern| shown(pattern.text())).collect::<Vec<_>>().join(" or ")
    };
    match program.files.is_empty() {
        true => all(&program.executables),
        false => format!("{}, files {}", all(&program.executables), all(&program.files)),
    }
}

fn budget(budget: Budget) -> String {
    match budget {
        Budget::Usual => "what is usual".to_owned(),
        Budget::PerDay(bytes) => format!("{} a day", quantity(bytes)),
        Budget::Unlimited => "unlimited".to_owned(),
    }
}

/// Names of containers and cgroups are anybody's: nothing of them reaches a terminal as it is.
fn shown(text: &str) -> String {
    escape(text, SHOWN_MAX)
}

fn object(explanation: &Explanation<'_>, workload: &Workload) -> Value {
    let condition = |(asked, verdict): &(&crate::policy::Condition, Verdict)| {
        let (outcome, value) = match verdict {
            Verdict::Holds(value) => ("holds", Some(value)),
            Verdict::Differs(value) => ("differs", Some(value)),
            Verdict::None => ("none", None),
            Verdict::Unknown => ("unknown", None),
        };
        let patterns: Vec<_> = asked.patterns.iter().map(|pattern| pattern.text()).collect();
        json!({ "fact": asked.fact.to_string(), "asked": patterns, "value": value, "outcome": outcome })
    };
    let listed = |programs: &Option<Vec<Arc<[Program]>>>| {
        programs.as_ref().map(|all| all.iter().flat_map(|programs| programs.iter()).map(program).collect::<Vec<_>>())
    };
    let destination = |to: &DeclaredEntry, entry: Option<&Entry>| {
        json!({
            "to": &*to.id,
            "direction": to.direction.name(),
            "budget": budget(to.budget),
            "entry": entry.map(|entry| &*entry.name),
        })
    };
    let own = explanation.taken().flat_map(|entry| entry.destinations.iter().map(move |to| (to, Some(entry))));
    let all = own.chain(explanation.everywhere.iter().map(|to| (to, None)));
    json!({
        "weir.workload.id": (!workload.id.is_empty()).then_some(&*workload.id),
        "entries": explanation.entries.iter().map(|judged| json!({
            "name": &*judged.entry.name,
            "line": judged.entry.line,
            "takes": judged.takes,
            "conditions": judged.conditions.iter().map(condition).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "weir.workload.role": explanation.selected.role.map(|role| role.name()),
        "loaders": listed(&explanation.selected.loaders),
        "writers": listed(&explanation.selected.writers),
        "destinations": all.map(|(to, entry)| destination(to, entry)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_workload_is_meant_has_to_be_clear() {
        let called = |id: &str| Workload { id: id.into(), ..Workload::default() };
        let said = |found| only("3f", found).expect_err("it is not").to_string();
        assert!(said(vec![]).contains("`3f`"), "{}", said(vec![]));
        let several = said(vec![called("container:3fa"), called("container:3fb"), called("container:3fc")]);
        assert!(several.contains("3 containers begin with `3f`: container:3fa, container:3fb"), "{several}");
        assert_eq!(only("3f", vec![called("container:3fa")]).map(|one| one.id).ok().as_deref(), Some("container:3fa"));
    }
}
