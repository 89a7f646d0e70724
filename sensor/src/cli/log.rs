//! Weir's own log, on standard error: structured fields, colour on a terminal.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The directives of `--log` are wrong.
#[derive(Debug, thiserror::Error)]
#[error(
    "`--log {directives}` is not a level (error, warn, info, debug, trace) nor a list of tracing directives: {reason}"
)]
pub struct LogError {
    directives: String,
    reason: ParseError,
}

/// Starts logging as `directives` say.
pub fn start(directives: &str) -> Result<(), LogError> {
    let filter = EnvFilter::builder()
        .parse(directives)
        .map_err(|reason| LogError { directives: directives.to_owned(), reason })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would be said on standard error, which is what failed, by a macro that then panics.
        .log_internal_errors(false)
        .init();
    Ok(())
}
