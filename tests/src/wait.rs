//! Waiting for conditions.

use std::io;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long the tests wait for what should happen at once: long enough for a loaded machine, short enough for a person. What waits for
/// it waits [`scaled`].
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Names in the environment how many times as long everything may take here; 1 if not set.
pub const SLOWNESS: &str = "WEIR_TEST_SLOWNESS";

/// What [`SLOWNESS`] says: an emulated machine is ten to thirty times as slow as a real one.
pub fn slowness() -> u32 {
    static FACTOR: LazyLock<u32> = LazyLock::new(|| {
        let factor = std::env::var(SLOWNESS).ok().and_then(|text| text.parse().ok());
        factor.unwrap_or(1).clamp(1, 1_000)
    });
    *FACTOR
}

/// A limit of the tests, on a machine of that [`slowness`].
pub fn scaled(limit: Duration) -> Duration {
    limit.saturating_mul(slowness())
}

/// Asks `condition` until it gives a value; after `patience`, [`scaled`], an error that names `what` did not happen.
///
/// For conditions of the kernel that nothing announces; it looks again every few milliseconds.
pub fn until<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> io::Result<T> {
    let patience = scaled(patience);
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
