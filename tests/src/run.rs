//! Running actors, and other programs, in places.

use crate::scene::{Container, NetNs};
use crate::{Context, locate};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

/// Where something is run.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// Where the caller is.
    Host,
    /// In a network namespace, else where the caller is.
    Namespace(&'a NetNs),
    /// In a container.
    Container(&'a Container),
}

impl Place<'_> {
    /// Starts a program there. Its standard output is caught, its standard error is ours, its standard input is empty.
    pub fn spawn<S: AsRef<OsStr>>(self, program: &OsStr, arguments: &[S]) -> io::Result<Running> {
        let start = |command: &mut Command| {
            command.args(arguments.iter().map(AsRef::as_ref)).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
        };
        let what = || program.to_string_lossy().into_owned();
        match self {
            Place::Host => Running::own(start(&mut Command::new(program)).context(what)?),
            Place::Namespace(namespace) => {
                let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
                let mut command = Command::new(program);
                command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
                Running::own(namespace.enter(move || command.spawn())?.context(what)?)
            }
            Place::Container(container) => {
                let (reports, report) = io::pipe()?;
                let mut command = container.enter()?;
                command.arg("--pid-fd").arg(report.as_raw_fd().to_string()).arg("--").arg(program);
                inherit(&mut command, report.into());
                let child = start(&mut command).context(what)?;
                // Our copy of the end that is written to: reading would wait for it for ever.
                drop(command);
                let mut line = String::new();
                BufReader::new(reports).read_line(&mut line)?;
                let mut running = Running { child: Some(child), pid: 0 };
                match line.trim().parse() {
                    Ok(pid) => running.pid = pid,
                    Err(_) => return Err(io::Error::other(format!("{}: not started in the container", what()))),
                }
                Ok(running)
            }
        }
    }
}

/// Starts `weir-actor` with these arguments.
pub fn actor_in(place: Place<'_>, arguments: &[&str]) -> io::Result<Running> {
    match place {
        Place::Container(_) => place.spawn(OsStr::new(Container::ACTOR), arguments),
        _ => place.spawn(locate::actor()?.as_os_str(), arguments),
    }
}

/// A program that was started; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    pid: u32,
}

impl Running {
    fn own(child: Child) -> io::Result<Running> {
        Ok(Running { pid: child.id(), child: Some(child) })
    }

    /// Its pid on the host: `process.pid` of its events.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end: status and standard output.
    pub fn output(mut self) -> io::Result<Output> {
        match self.child.take() {
            Some(child) => child.wait_with_output(),
            None => Err(io::Error::other("it was waited for before")),
        }
    }

    /// Waits for its end and takes its last line as the truth. A status other than success is an error.
    pub fn truth(self) -> io::Result<Value> {
        let output = self.output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!("the actor failed: {}", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().next_back().unwrap_or_default();
        serde_json::from_str(line).map_err(io::Error::from).context(|| format!("the actor said {line:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Lets the program that `command` starts, and no other, have `descriptor` under its number. Held until `command` is dropped.
pub(crate) fn inherit(command: &mut Command, descriptor: OwnedFd) {
    // SAFETY: between fork and exec this makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(move || Ok(rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::empty())?));
    }
}
