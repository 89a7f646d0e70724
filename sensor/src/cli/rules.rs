//! `weir rules`

use crate::delivery::Format;
use crate::detection::{self, Logic, Rule, RuleSet, example};
use anstyle::Style;
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Check, test and list the rules
#[derive(Args)]
pub struct Rules {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read rules as `weir run` would, and say everything that is wrong with them
    #[command(after_help = "Exit status: 0 all rules are right, 1 something is wrong.")]
    Check {
        /// Rule files or directories, beside the built-in rules
        paths: Vec<PathBuf>,
    },
    /// Run the events that each rule must match, and those that it must not
    #[command(
        after_help = "Every rule has such events under `weir: tests: match` and `no_match`; one without both fails.\n\n\
        Exit status: 0 every rule did what it must, 1 one did not, or the rules are not right."
    )]
    Test {
        /// Rule files or directories, beside the built-in rules
        paths: Vec<PathBuf>,

        /// How to write
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// List the rules that are in effect
    List {
        /// Rule files or directories, beside the built-in rules
        #[arg(long, value_name = "DIR")]
        rules: Vec<PathBuf>,

        /// How to write
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

impl Rules {
    pub fn execute(self) -> ExitCode {
        match self.command {
            Command::Check { paths } => check(&paths),
            Command::Test { paths, format } => test(&paths, format),
            Command::List { rules, format } => match RuleSet::load(&rules) {
                Ok(set) => super::print(ExitCode::SUCCESS, |out| list(&set, format, out)),
                Err(error) => super::fail(&error),
            },
        }
    }
}

fn check(paths: &[PathBuf]) -> ExitCode {
    let report = detection::check(paths);
    let Some(set) = &report.set else {
        report.problems.iter().for_each(|problem| super::complain(&problem.to_string()));
        return ExitCode::FAILURE;
    };
    let (rules, filters) = (set.rules().count(), set.filter_count());
    super::print(ExitCode::SUCCESS, |out| {
        writeln!(out, "{rules} rules and {filters} filters are right (version {})", short(set.digest()))
    })
}

/// One line a failure, and one that sums up.
fn test(paths: &[PathBuf], format: Format) -> ExitCode {
    let set = match RuleSet::load(paths) {
        Ok(set) => set,
        Err(error) => return super::fail(&error),
    };
    let example::Report { rules, examples, failures } = example::run(&set);
    let status = if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    super::print(status, |out| {
        for failure in &failures {
            match format {
                Format::Json => writeln!(out, "{}", failed(failure))?,
                Format::Text => writeln!(out, "{failure}")?,
            }
        }
        match (format, failures.len()) {
            (Format::Json, failed) => {
                writeln!(out, "{}", json!({ "rules": rules, "examples": examples, "failures": failed }))
            }
            (Format::Text, 0) => writeln!(out, "{rules} rules did what they must on {examples} examples"),
            (Format::Text, failed) => writeln!(out, "{failed} failures in {rules} rules with {examples} examples"),
        }
    })
}

fn failed(failure: &example::Failure) -> serde_json::Value {
    json!({
        "file": &*failure.place.file,
        "line": failure.place.line,
        "rule": &*failure.rule.name,
        "id": failure.rule.id,
        "list": failure.list,
        "example": failure.example,
        "reason": failure.reason,
    })
}

fn list(set: &RuleSet, format: Format, out: &mut dyn Write) -> io::Result<()> {
    const BOLD: Style = Style::new().bold();
    const DIM: Style = Style::new().dimmed();
    for rule in set.rules() {
        match format {
            Format::Json => writeln!(out, "{}", object(rule))?,
            Format::Text => {
                let level = rule.level.name();
                let ids = rule.attack.iter().chain(&rule.atlas).map(|id| &**id).collect::<Vec<_>>().join(" ");
                writeln!(out, "{level:<13} {BOLD}{}{BOLD:#}  {}  {DIM}{ids}{DIM:#}", rule.title, what(rule))?;
                writeln!(out, "{:13} {DIM}{}{DIM:#}", "", rule.id)?;
            }
        }
    }
    match format {
        Format::Json => Ok(()),
        Format::Text => writeln!(out, "\n{} rules, version {}", set.rules().count(), short(set.digest())),
    }
}

/// What a rule looks at.
fn what(rule: &Rule) -> String {
    match &rule.logic {
        Logic::Detection(category) => category.name().to_owned(),
        Logic::Correlation { rules, .. } => {
            format!("correlation of {}", rules.iter().map(|name| &**name).collect::<Vec<_>>().join(", "))
        }
    }
}

fn object(rule: &Rule) -> serde_json::Value {
    json!({
        "id": rule.id,
        "name": &*rule.name,
        "title": rule.title,
        "description": rule.description,
        "level": rule.level.name(),
        "attack": rule.attack,
        "atlas": rule.atlas,
        "looks_at": what(rule),
    })
}

/// Twelve digits of a digest tell versions apart.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
