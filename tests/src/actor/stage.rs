//! A copy for later: where it is kept is what matters.

use super::observe;
use crate::Context;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// What to copy.
    file: PathBuf,
    /// Into a file that is made, opened for reading and writing once, and never again.
    #[arg(long, conflicts_with = "memory")]
    to: Option<PathBuf>,
    /// Into a memfd, which is then opened for reading.
    #[arg(long)]
    memory: bool,
    /// Keep it open until this file is there.
    #[arg(long)]
    until: Option<PathBuf>,
}

/// Copies, waits, and says what the copy is.
pub fn stage(args: &Args) -> io::Result<Value> {
    let mut source = File::open(&args.file).context(|| args.file.display().to_string())?;
    let copy = match &args.to {
        Some(path) if !args.memory => {
            let copy = OpenOptions::new().read(true).write(true).create_new(true).open(path);
            let mut copy = copy.context(|| path.display().to_string())?;
            io::copy(&mut source, &mut copy)?;
            copy
        }
        _ => {
            let flags = rustix::fs::MemfdFlags::CLOEXEC;
            let memory = File::from(rustix::fs::memfd_create("weir-stage", flags).context(|| "memfd_create".into())?);
            io::copy(&mut source, &mut &memory)?;
            File::open(format!("/proc/self/fd/{}", memory.as_raw_fd()))?
        }
    };
    let truth = observe::file(copy.as_fd())?;
    while args.until.as_deref().is_some_and(|path: &Path| !fs::exists(path).unwrap_or(true)) {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(truth.into())
}
