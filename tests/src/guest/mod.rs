//! The program `weir-guest`: the first process of the virtual machines of `cargo xtask kernels`.
//!
//! It makes of a bare kernel what the tests expect of a machine ([`machine`]), then does what the [`Job`] says, one command after the
//! other ([`command`]), each with a limit of its own, and switches the machine off. It decides nothing: what to run and what to make of
//! it is the host's business. Everything goes over the second serial line, which is the commands' output as well: what the guest says
//! itself is a line of its own that begins with [`MARK`] ([`Said`]). The first serial line is the kernel's.

mod command;
mod machine;
mod said;

pub use command::Ended;
pub use said::{MARK, Said};

use crate::Context;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Where the host puts the [`Job`], as JSON.
pub const JOB: &str = "/opt/weir/job.json";
/// The second serial line.
const LINE: &str = "/dev/ttyS1";

/// What a guest is to do.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Job {
    /// Kernel modules to load, in this order, not compressed. One that the kernel refuses ends the job.
    pub modules: Vec<PathBuf>,
    /// What to run, in this order. One that fails does not keep the next from being run.
    pub commands: Vec<Command>,
}

/// One command of a [`Job`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Command {
    /// The program, an absolute path, and its arguments.
    pub words: Vec<String>,
    /// Its environment, beside PATH, HOME and TMPDIR.
    pub environment: BTreeMap<String, String>,
    /// After so many seconds it is ended.
    pub seconds: u64,
    /// The number of an earlier command, without whose success (exit status 0) this one is not run.
    pub needs: Option<usize>,
}

/// Does the job; never returns if this is the first process.
pub fn main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!(
            "weir-guest: this is the first process of a virtual machine of `cargo xtask kernels`, and of use nowhere else"
        );
        return ExitCode::FAILURE;
    }
    let mut line = None;
    if let Err(error) = work(&mut line) {
        // Before the line is there, the kernel's console is all there is.
        match &mut line {
            Some(line) => say(line, &Said::Broken(error.to_string())),
            None => println!("weir-guest: {error}"),
        }
    }
    machine::off(line)
}

fn work(line: &mut Option<File>) -> io::Result<()> {
    machine::mount_all()?;
    let line = line.insert(OpenOptions::new().write(true).open(LINE).context(|| LINE.into())?);
    let text = fs::read(JOB).context(|| JOB.into())?;
    let job: Job = serde_json::from_slice(&text).map_err(io::Error::from).context(|| JOB.into())?;
    job.modules.iter().try_for_each(|module| machine::load(module))?;
    machine::settle()?;
    say(line, &Said::Up(machine::release()));
    let mut successes = BTreeSet::new();
    for (number, command) in job.commands.iter().enumerate() {
        if command.needs.is_some_and(|needed| !successes.contains(&needed)) {
            continue;
        }
        say(line, &Said::Begin(number));
        let begin = Instant::now();
        let ended = command::run(command, line)?;
        if ended == Ended::Exit(0) {
            successes.insert(number);
        }
        let milliseconds = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        say(line, &Said::End { number, ended, milliseconds });
    }
    say(line, &Said::Done);
    Ok(())
}

/// What cannot be said is lost; the host then finds that the guest fell silent.
fn say(line: &mut File, said: &Said) {
    // A command may have ended in the middle of a line.
    let _ = line.write_all(format!("\n{said}\n").as_bytes());
}
