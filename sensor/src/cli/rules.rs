//! `weir rules`

use crate::delivery::Format;
use crate::detection::{self, Logic, Options, Rule, RuleSet, example};
use crate::policy::Policy;
use crate::provenance::ClassTable;
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
    #[command(after_help = "\
Exit status:
  0  all rules are right, and would be run
  1  something is wrong: none of them would be run
  3  all is right, but with --allow-unsupported some rules are left out; each is named, with the reason

Public Sigma rules run unchanged (logsource product linux): Image, CommandLine, TargetFilename, DestinationIp and the like
mean what they mean there. What Weir has no events or fields for is refused, or left out with --allow-unsupported.")]
    Check {
        /// Rule files or directories, beside the built-in rules
        paths: Vec<PathBuf>,

        /// Leave out rules that ask for what Weir does not see (log sources, fields), and check the others
        #[arg(long)]
        allow_unsupported: bool,

        /// A policy whose lists the rules name (default: /etc/weir/policy.yml, if it is there)
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
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

        /// Leave out rules that ask for what Weir does not see, and list the others
        #[arg(long)]
        allow_unsupported: bool,

        /// How to write
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

impl Rules {
    pub fn execute(self) -> ExitCode {
        match self.command {
            Command::Check { paths, allow_unsupported, policy } => match Policy::find(policy.as_deref()) {
                Ok(policy) => check(&paths, &options(allow_unsupported).with_policy(&policy)),
                Err(error) => super::fail(&error),
            },
            Command::Test { paths, format } => test(&paths, format),
            Command::List { rules, allow_unsupported, format } => {
                match RuleSet::load_with(&rules, &options(allow_unsupported)) {
                    Ok(set) => super::print(ExitCode::SUCCESS, |out| list(&set, format, out)),
                    Err(error) => super::fail(&error),
                }
            }
        }
    }
}

fn options(allow_unsupported: bool) -> Options {
    Options { allow_unsupported, ..Options::default() }
}

/// The exit status that says: right, and less than was given.
const LEFT_OUT: u8 = 3;

fn check(paths: &[PathBuf], options: &Options) -> ExitCode {
    let report = detection::check_with(paths, options);
    let Some(set) = &report.set else {
        report.problems.iter().for_each(|problem| super::complain(&problem.to_string()));
        let unsupported = report.problems.iter().filter(|problem| problem.fault.is_unsupported()).count();
        if unsupported == report.problems.len() && !options.allow_unsupported {
            super::remark("with --allow-unsupported these rules are left out, and the others are run");
        }
        return ExitCode::FAILURE;
    };
    // The built-in classes take room in the kernel's tables as well.
    if let Err(error) = ClassTable::load(None).and_then(|classes| classes.watching(set.watched())) {
        return super::fail(&error);
    }
    for note in set.notes() {
        super::remark(&format!("{}: {}", note.place, note.text));
    }
    for left_out in set.left_out() {
        for reason in &left_out.reasons {
            super::warn(&format!("{}: `{}` is left out: {}", reason.place, left_out.title, reason.fault));
        }
    }
    let (rules, filters, left_out) = (set.rules().count(), set.filter_count(), set.left_out().len());
    let status = if left_out > 0 { ExitCode::from(LEFT_OUT) } else { ExitCode::SUCCESS };
    super::print(status, |out| {
        writeln!(out, "{rules} rules and {filters} filters are right (version {})", short(set.digest()))?;
        if left_out > 0 {
            writeln!(out, "{left_out} are left out, since they ask for what Weir does not see")?;
        }
        Ok(())
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
