//! Asking a running sensor how it is.

use super::Status;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most bytes of an answer.
const ANSWER_MAX: u64 = 16 << 20;
/// A sensor that is well answers within a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum StatusError {
    #[error(
        "no sensor is running that listens at {}: start `weir run`, or name its socket with --control or its directory with --state-dir",
        .0.display()
    )]
    NotRunning(PathBuf),
    #[error("{} may be asked by root and the sensor's own user only: run `weir status` as root", .0.display())]
    NotPermitted(PathBuf),
    #[error("the sensor at {} did not answer ({reason}): look at its log, and try again", .path.display())]
    NoAnswer { path: PathBuf, reason: String },
}

/// The status of the sensor that serves `path`.
///
/// # Errors
/// [`StatusError`], each one sentence that says what to do.
pub fn ask(path: &Path) -> Result<Status, StatusError> {
    let no_answer = |reason: String| StatusError::NoAnswer { path: path.to_owned(), reason };
    let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => StatusError::NotRunning(path.to_owned()),
        io::ErrorKind::PermissionDenied => StatusError::NotPermitted(path.to_owned()),
        _ => no_answer(error.to_string()),
    })?;
    let mut answer = Vec::new();
    let read = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.take(ANSWER_MAX).read_to_end(&mut answer));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => no_answer(format!("nothing came within {PATIENCE:?}")),
        _ => no_answer(error.to_string()),
    })?;
    if answer.is_empty() {
        return Err(no_answer("it closed the connection: too many ask, or you may not".to_owned()));
    }
    serde_json::from_slice(&answer).map_err(|error| no_answer(format!("what came is no status: {error}")))
}
