//! Waiting for conditions.

use std::io;
use std::time::{Duration, Instant};

/// How long the tests wait for what should happen at once: long enough for a loaded machine, short enough for a person.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks `condition` until it gives a value; after `patience` an error that names `what` did not happen.
///
/// For conditions of the kernel that nothing announces; it looks again every few milliseconds.
pub fn until<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> io::Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{what}: not within {patience:?}")));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
