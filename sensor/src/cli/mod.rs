//! The command line: one file a subcommand, no logic. What a subcommand does is in the library; here it is asked for, and
//! its outcome becomes words and an exit status.

mod canary;
mod completions;
mod doctor;
mod events;
mod evidence;
mod log;
mod policy;
mod replay;
mod rules;
mod run;
mod sensor;
mod status;
mod timeline;
mod unload;

use crate::delivery::OutputError;
use clap::{ColorChoice, Parser, Subcommand};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Start here:
  weir doctor             does this machine offer what Weir needs?
  weir run                watch, and print an alert when something is wrong
  weir events             look at everything that Weir sees
  weir rules list         what Weir looks for
  weir policy check       is what you declare for your workloads right?
  weir replay FILE        take what was recorded through the rules again
  weir timeline           what happened around an incident, a container, a file
  weir evidence verify    is what was kept as it was written?
  weir status             how the running sensor is

Exit status:
  0  all is well
  1  it could not go on, or what was asked about is not well (doctor: something is missing; rules check,
     policy check: something in them is wrong; status: the sensor is not whole;
     replay --diff: the alerts differ; evidence verify: it is not as it was written)
  2  the command line is wrong
  3  rules check: all is right, but some rules are left out (--allow-unsupported); status: the sensor is not running

Weir needs root, or the capabilities that `weir doctor` names.";

/// A runtime sensor for machine-learning containers: who opens model weights, who runs what, and what leaves.
#[derive(Parser)]
#[command(name = "weir", version, after_help = AFTER_HELP, max_term_width = 110, disable_help_subcommand = true)]
struct Arguments {
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    color: ColorChoice,

    /// What of Weir's own doings to log on standard error: error, warn, info, debug or trace, or `tracing` directives
    #[arg(long, global = true, value_name = "LEVEL", env = "WEIR_LOG", default_value = "warn")]
    log: String,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Events(events::Events),
    Status(status::StatusCommand),
    Doctor(doctor::Doctor),
    Rules(rules::Rules),
    Policy(policy::Policy),
    Replay(replay::Replay),
    Timeline(timeline::Timeline),
    Evidence(evidence::Evidence),
    Unload(unload::Unload),
    Completions(completions::Completions),
    #[command(hide = true)]
    Canary(canary::Canary),
}

/// Parses the command line, does what it says, and gives the exit status.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(mistake) if mistake.use_stderr() => mistake.exit(),
        // What was asked for with --help or --version.
        Err(answer) => return shown(answer.print(), ExitCode::SUCCESS),
    };
    match arguments.color {
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
        ColorChoice::Auto => anstream::ColorChoice::Auto,
    }
    .write_global();
    if let Err(error) = log::start(&arguments.log) {
        return fail(&error);
    }
    match arguments.command {
        Command::Run(run) => run.execute(),
        Command::Events(events) => events.execute(),
        Command::Status(status) => status.execute(),
        Command::Doctor(doctor) => doctor.execute(),
        Command::Rules(rules) => rules.execute(),
        Command::Policy(policy) => policy.execute(),
        Command::Replay(replay) => replay.execute(),
        Command::Timeline(timeline) => timeline.execute(),
        Command::Evidence(evidence) => evidence.execute(),
        Command::Unload(unload) => unload.execute(),
        Command::Completions(completions) => completions.execute(),
        Command::Canary(canary) => canary.execute(),
    }
}

/// Writes to standard output, in colour where that is wanted; `status`, unless it cannot be written.
fn print(status: ExitCode, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> ExitCode {
    let mut out = BufWriter::new(anstream::stdout());
    let written = write(&mut out).and_then(|()| out.flush());
    shown(written, status)
}

/// `status`, unless the output could not be written. A reader who has seen enough is no failure.
fn shown(written: io::Result<()>, status: ExitCode) -> ExitCode {
    match written.map_err(OutputError::from) {
        Ok(()) | Err(OutputError::Closed) => status,
        Err(error) => fail(&error),
    }
}

/// Says why it cannot go on: one line on standard error, status 1.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    complain(&sentence(error));
    ExitCode::FAILURE
}

/// One line on standard error. If nobody takes that, there is nobody left to tell; the status does.
fn complain(sentence: &str) {
    let _ = writeln!(anstream::stderr(), "{ERROR}error:{ERROR:#} {sentence}");
}

/// The same for what does not stop it.
fn warn(sentence: &str) {
    let _ = writeln!(anstream::stderr(), "{WARNING}warning:{WARNING:#} {sentence}");
}

/// The same for what is worth knowing and no mistake.
fn remark(sentence: &str) {
    let _ = writeln!(anstream::stderr(), "{NOTE}note:{NOTE:#} {sentence}");
}

const WARNING: anstyle::Style = anstyle::AnsiColor::Yellow.on_default().bold();
const NOTE: anstyle::Style = anstyle::AnsiColor::Cyan.on_default();
const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

/// An error and its causes as one sentence: causes that the error itself does not say follow a colon.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}
