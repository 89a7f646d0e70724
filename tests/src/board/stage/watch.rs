//! The clock of a scenario.

use crate::scene::Container;
use crate::wait::scaled;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// A scenario that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Ends what hangs: when it is dropped in time nothing happens, else the first processes of all containers are killed, and with them
/// all that was done there, so that whoever waits for it is told.
pub struct Watch {
    pids: Arc<Mutex<Vec<u32>>>,
    _done: mpsc::Sender<()>,
}

impl Watch {
    /// Starts the clock.
    pub fn start() -> Watch {
        let pids = Arc::new(Mutex::new(Vec::<u32>::new()));
        let (done, end) = mpsc::channel::<()>();
        let watched = Arc::clone(&pids);
        std::thread::spawn(move || {
            if end.recv_timeout(scaled(LIMIT)) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            for pid in watched.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
        });
        Watch { pids, _done: done }
    }

    /// One more container that is ended with the others.
    pub fn container(&self, container: &Container) {
        self.pids.lock().unwrap_or_else(PoisonError::into_inner).push(container.pid);
    }
}
