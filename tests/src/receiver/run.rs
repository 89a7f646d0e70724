//! Runs a receiver for a test.

use crate::wait::{PATIENCE, scaled};
use serde_json::Value;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver as Lines, RecvTimeoutError, channel};
use std::time::Instant;

/// A receiver in a process of its own; ends with this.
pub struct Receiver {
    child: Child,
    lines: Lines<Value>,
    /// Where it listens.
    pub port: u16,
    /// What it has printed so far, a request each.
    pub requests: Vec<Value>,
}

impl Receiver {
    /// Starts `program` with `arguments`, and waits until it listens.
    pub fn start(program: &Path, arguments: &[&str]) -> io::Result<Receiver> {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            let parsed = BufReader::new(out).lines().map_while(|line| serde_json::from_str(&line.ok()?).ok());
            // Nobody reads on when the test is over.
            parsed.map_while(|line| send.send(line).ok()).for_each(drop);
        });
        let mut receiver = Receiver { child, lines, port: 0, requests: Vec::new() };
        let first = receiver.next()?;
        receiver.port = first["port"].as_u64().and_then(|port| port.try_into().ok()).unwrap_or_default();
        Ok(receiver)
    }

    fn next(&mut self) -> io::Result<Value> {
        let said = self.lines.recv_timeout(scaled(PATIENCE));
        said.map_err(|error| match error {
            RecvTimeoutError::Timeout => io::Error::new(io::ErrorKind::TimedOut, "the receiver got no request"),
            RecvTimeoutError::Disconnected => io::Error::other("the receiver has ended"),
        })
    }

    /// Waits until `condition` holds for the requests so far.
    pub fn until(&mut self, what: &str, condition: impl Fn(&[Value]) -> bool) -> io::Result<()> {
        let deadline = Instant::now() + scaled(PATIENCE);
        while !condition(&self.requests) {
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, what.to_owned()));
            }
            let request = self.next().map_err(|error| io::Error::new(error.kind(), format!("{what}: {error}")))?;
            self.requests.push(request);
        }
        Ok(())
    }

    /// Takes in what has been printed by now.
    pub fn drain(&mut self) {
        self.requests.extend(self.lines.try_iter());
    }

    /// The records of all requests at a path, those that were not taken left out.
    pub fn records(&self, path_has: &str) -> Vec<&Value> {
        let of = |request: &&Value| request["path"].as_str().is_some_and(|path| path.contains(path_has));
        self.requests.iter().filter(of).filter_map(|request| request["records"].as_array()).flatten().collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
