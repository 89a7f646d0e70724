//! Errors that say what was being done.

use std::io;

/// Adds what was being done to an error.
pub trait Context<T> {
    /// The error, with `what` in front of its text; its kind is kept.
    fn context(self, what: impl FnOnce() -> String) -> io::Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> io::Result<T> {
        self.map_err(|error| {
            let error = error.into();
            io::Error::new(error.kind(), format!("{}: {error}", what()))
        })
    }
}
