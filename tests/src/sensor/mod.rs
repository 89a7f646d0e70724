//! The harness: runs `weir`, collects the events or alerts that it prints, and stops it.
//!
//! What it asks of `weir`: `--format json`, one object a line on standard output, written without delay; `--notify-fd N`: `ready` and a
//! newline are written to the inherited descriptor N, which is then closed, once everything is attached and nothing that happens
//! later is missed; on SIGTERM it prints what it has, detaches and exits with 0.

mod event;

pub use event::Event;

use crate::scene::Directory;
use crate::wait::{PATIENCE, scaled};
use crate::{Context, locate, run};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, set_parent_process_death_signal};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running sensor; dropping it stops it.
pub struct Sensor {
    pid: u32,
    process: OwnedFd,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// What it keeps over restarts, and no other sensor shares.
    state: Arc<Directory>,
}

/// What a sensor left that was stopped.
#[derive(Debug)]
pub struct Stopped {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything that it reported.
    pub events: Vec<Event>,
    /// The lines of its standard error.
    pub log: Vec<String>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    /// The first line that was not an event.
    malformed: Option<String>,
    log: Vec<String>,
    output_ended: bool,
    log_ended: bool,
    status: Option<ExitStatus>,
}

impl State {
    fn ended(&self) -> Option<ExitStatus> {
        self.status.filter(|_| self.output_ended && self.log_ended)
    }

    /// For errors: how it stands, and its last words.
    fn describe(&self) -> String {
        let status = self.status.map_or_else(|| "it runs".into(), |status| format!("it ended: {status}"));
        let words: Vec<_> = self.log.iter().rev().take(20).rev().cloned().collect();
        format!("{status}; {} events; its last words:\n{}", self.events.len(), words.join("\n"))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

impl Sensor {
    /// Starts `weir` with these arguments (`["events"]`, `["run", "--rules", DIR]`) and waits until it is ready.
    pub fn start<S: AsRef<OsStr>>(arguments: &[S]) -> io::Result<Sensor> {
        Sensor::start_program(&locate::weir()?, arguments)
    }

    /// The same with another program.
    pub fn start_program<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> io::Result<Sensor> {
        Sensor::start_with(program, arguments, Arc::new(Directory::new()?))
    }

    /// Ends it by `signal` and starts another one that goes on with what it kept.
    pub fn restart<S: AsRef<OsStr>>(&mut self, signal: Signal, arguments: &[S]) -> io::Result<Stopped> {
        let stopped = self.end(signal)?;
        *self = Sensor::start_with(&locate::weir()?, arguments, Arc::clone(&self.state))?;
        Ok(stopped)
    }

    /// The directory of what it keeps over restarts.
    pub fn state(&self) -> PathBuf {
        state(&self.state)
    }

    fn start_with<S: AsRef<OsStr>>(program: &Path, arguments: &[S], kept: Arc<Directory>) -> io::Result<Sensor> {
        let (notices, notice) = io::pipe()?;
        let mut command = Command::new(program);
        command.args(arguments.iter().map(AsRef::as_ref));
        if !arguments.iter().any(|argument| argument.as_ref() == "--format") {
            command.args(["--format", "json"]);
        }
        command.args(["--notify-fd", &notice.as_raw_fd().to_string()]);
        command.env("WEIR_STATE_DIR", state(&kept));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        run::inherit(&mut command, notice.into());
        let shared = Arc::new(Shared::default());
        let mut sensor = Sensor::spawn(command, shared, kept).context(|| program.display().to_string())?;
        sensor.wait_until_ready(notices)?;
        Ok(sensor)
    }

    fn spawn(mut command: Command, shared: Arc<Shared>, state: Arc<Directory>) -> io::Result<Sensor> {
        // A sensor must not outlive a test that is killed. The kernel's signal for that comes when the *thread* ends that started
        // the process, so one is kept that lives exactly as long as the process.
        // SAFETY: between fork and exec this makes one system call and allocates nothing.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
        }
        let (started, start) = mpsc::channel();
        let waiter = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let child = command.spawn();
                drop(command);
                let (mut child, pipes) = match child.and_then(|mut child| pipes(&mut child).map(|pipes| (child, pipes)))
                {
                    Ok(started) => started,
                    Err(error) => return drop(started.send(Err(error))),
                };
                let _ = started.send(Ok(pipes));
                let status = child.wait().ok();
                shared.change(|state| state.status = status);
            })
        };
        let Pipes { pid, process, out, log } = start.recv().map_err(io::Error::other)??;
        let output = read_lines(out, Arc::clone(&shared), |state, line| match line.map(|line| Event::parse(&line)) {
            Some(Ok(event)) => state.events.push(event),
            Some(Err(what)) => drop(state.malformed.get_or_insert(what)),
            None => state.output_ended = true,
        });
        let log = read_lines(log, Arc::clone(&shared), |state, line| match line {
            Some(line) => state.log.push(line),
            None => state.log_ended = true,
        });
        Ok(Sensor { pid, process, shared, threads: vec![waiter, output, log], state })
    }

    fn wait_until_ready(&mut self, mut notices: io::PipeReader) -> io::Result<()> {
        let mut waiting = [PollFd::new(&notices, PollFlags::IN)];
        let limit = scaled(PATIENCE);
        let patience = rustix::time::Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: 0 };
        if poll(&mut waiting, Some(&patience))? == 0 {
            return Err(io::Error::other(format!("not ready within {limit:?}: {}", self.shared.lock().describe())));
        }
        let mut word = [0; 6];
        if notices.read_exact(&mut word).is_ok() && &word == b"ready\n" {
            return Ok(());
        }
        // The pipe ended without the word: most likely so did the sensor, and it has said why.
        let _ = self.wait(Duration::from_secs(5), |state| state.ended());
        Err(io::Error::other(format!("the sensor did not become ready: {}", self.shared.lock().describe())))
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has reported so far.
    pub fn events(&self) -> Vec<Event> {
        self.shared.lock().events.clone()
    }

    /// Waits for the first event that `wanted` says yes to; `what` names it in the error. Events that came before the call count.
    pub fn wait_for(
        &self,
        what: &str,
        patience: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> io::Result<Event> {
        let mut seen = 0;
        self.wait_until(what, patience, |events| {
            let new = events.get(seen..).unwrap_or_default();
            seen = events.len();
            new.iter().find(|event| wanted(event)).cloned()
        })
    }

    /// Waits until `enough` finds what it looks for among all events so far.
    pub fn wait_until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut enough: impl FnMut(&[Event]) -> Option<T>,
    ) -> io::Result<T> {
        let found = self.wait(patience, |state| match (&state.malformed, enough(&state.events)) {
            (Some(what), _) => Some(Err(format!("a line is no event: {what}"))),
            (None, Some(found)) => Some(Ok(found)),
            (None, None) if state.ended().is_some() => Some(Err("it will not come any more".into())),
            (None, None) => None,
        });
        found
            .unwrap_or_else(|| Err(format!("not within {patience:?}")))
            .map_err(|why| io::Error::other(format!("{what}: {why}; {}", self.shared.lock().describe())))
    }

    /// Waits until it has logged so much that `enough` is content with.
    pub fn wait_for_log(&self, what: &str, patience: Duration, enough: impl Fn(&[String]) -> bool) -> io::Result<()> {
        let found = self.wait(patience, |state| enough(&state.log).then_some(()));
        found.ok_or_else(|| {
            io::Error::other(format!("{what}: not within {patience:?}; {}", self.shared.lock().describe()))
        })
    }

    fn wait<T>(&self, patience: Duration, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + scaled(patience);
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Stops it by SIGTERM. An error if it does not end, ends with another status than success, or printed what is no event.
    pub fn stop(mut self) -> io::Result<Stopped> {
        let stopped = self.end(Signal::TERM)?;
        let state = self.shared.lock();
        if let Some(what) = &state.malformed {
            return Err(io::Error::other(format!("a line is no event: {what}")));
        }
        if !stopped.status.success() {
            return Err(io::Error::other(format!("stopped by SIGTERM: {}", state.describe())));
        }
        Ok(stopped)
    }

    /// Ends it by SIGKILL, as an attacker or the kernel would.
    pub fn kill(mut self) -> io::Result<Stopped> {
        self.end(Signal::KILL)
    }

    fn end(&mut self, signal: Signal) -> io::Result<Stopped> {
        // One that has ended already cannot be signalled; that is for the status to tell.
        let _ = pidfd_send_signal(&self.process, signal);
        let ended = self.wait(PATIENCE, |state| state.ended());
        if ended.is_none() {
            let _ = pidfd_send_signal(&self.process, Signal::KILL);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        let state = self.shared.lock();
        match ended {
            Some(status) => Ok(Stopped { status, events: state.events.clone(), log: state.log.clone() }),
            None => Err(io::Error::other(format!("not stopped {PATIENCE:?} after {signal:?}: {}", state.describe()))),
        }
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            let _ = self.end(Signal::TERM);
        }
    }
}

/// Not the directory itself, which has a file of the harness.
fn state(directory: &Directory) -> PathBuf {
    directory.path().join("state")
}

struct Pipes {
    pid: u32,
    process: OwnedFd,
    out: std::process::ChildStdout,
    log: std::process::ChildStderr,
}

fn pipes(child: &mut Child) -> io::Result<Pipes> {
    let process = Pid::from_child(child);
    match (child.stdout.take(), child.stderr.take()) {
        (Some(out), Some(log)) => {
            Ok(Pipes { pid: child.id(), process: pidfd_open(process, PidfdFlags::empty())?, out, log })
        }
        _ => Err(io::Error::other("no pipes")),
    }
}

/// Hands each line, and then `None`, to `take`.
fn read_lines(
    from: impl Read + Send + 'static,
    shared: Arc<Shared>,
    take: impl Fn(&mut State, Option<String>) + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            shared.change(|state| take(state, Some(String::from_utf8_lossy(&line).into_owned())));
        }
        shared.change(|state| take(state, None));
    })
}
