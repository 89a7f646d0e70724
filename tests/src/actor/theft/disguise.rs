//! Processes that are not what they are called.

use super::line;
use crate::Context;
use crate::actor::observe;
use crate::actor::process::Child;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

#[derive(clap::Args)]
pub struct BecomeArgs {
    /// Who this process will be: `reader` or `sender`.
    #[arg(long)]
    role: String,
    /// What it will read, for the truth.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The descriptor to write the truth to.
    #[arg(long, default_value_t = 1)]
    truth: i32,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    program: Vec<OsString>,
}

/// Starts this act again in a process that was forked twice, has a session of its own, and calls itself `name`. Its parent has ended
/// when it opens its first file.
pub fn daemon(name: &str) -> io::Result<u8> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let without = words.iter().position(|word| word == "--disguise").ok_or_else(|| io::Error::other("--disguise?"))?;
    let act: Vec<&OsString> = words
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(at, _)| !(without..without + 2).contains(at))
        .map(|(_, word)| word)
        .collect();
    Child::start(|| {
        rustix::process::setsid()?;
        // SAFETY: this program's processes have one thread.
        match unsafe { libc::fork() } {
            0 => {
                // The name in /proc/PID/comm becomes the one of the program's file, so the file is called so as well.
                let program = std::env::temp_dir().join(name);
                fs::copy("/proc/self/exe", &program)?;
                Err(Command::new(program).arg0(format!("{name}: worker process")).args(act).exec())
            }
            ..0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    })?
    .join()?;
    Ok(0)
}

/// Says the truth, then runs the program as this process. Returns only if it fails.
pub fn become_program(args: &BecomeArgs) -> io::Result<u8> {
    let truth = match &args.file {
        Some(path) => {
            observe::fields(&rustix::fs::stat(path).context(|| path.display().to_string())?, &path.to_string_lossy())
        }
        None => serde_json::Map::new(),
    };
    // The truth goes past the pipe that standard output may be.
    // SAFETY: whoever started this program made the descriptor for it; it is borrowed for one write.
    let out = unsafe { BorrowedFd::borrow_raw(args.truth) }.try_clone_to_owned()?;
    File::from(out).write_all(line(&args.role, truth)?.as_bytes())?;
    let mut words = args.program.iter();
    let program = words.next().ok_or_else(|| io::Error::other("no program"))?;
    Err(Command::new(program).args(words).exec()).context(|| program.to_string_lossy().into_owned())
}
