//! What the programs have to say about themselves, into the agent's log. Off unless asked for.
//!
//! They write text into a ring of its own (aya-log); below the level that was asked for the verifier drops the code.

use aya::Ebpf;
use aya_log::EbpfLogger;
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The global that holds the level.
pub(super) const LEVEL: &str = aya_log::LEVEL;

/// The level as the programs compare it: 0 for nothing. What is no level is `trace`; the command line lets none through.
pub(super) fn level(name: Option<&str>) -> u8 {
    match name {
        None => 0,
        Some("error") => aya_log::Level::Error as u8,
        Some("warn") => aya_log::Level::Warn as u8,
        Some("info") => aya_log::Level::Info as u8,
        Some("debug") => aya_log::Level::Debug as u8,
        Some(_) => aya_log::Level::Trace as u8,
    }
}

/// Starts a task that logs what the programs say, as long as the runtime lives.
///
/// # Errors
/// When the object has no such ring, or it cannot be polled.
pub(super) fn start(ebpf: &mut Ebpf) -> io::Result<()> {
    let logger = EbpfLogger::init_with_logger(ebpf, ToTracing).map_err(io::Error::other)?;
    // SAFETY: the logger owns its map's descriptor, always answers with that one, and closes it only when it is dropped;
    // `AsyncFd` owns the logger, and it is never taken out or replaced.
    let logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
    let mut logger = logger.map_err(|error| error.into_parts().1)?;
    tokio::spawn(async move {
        while let Ok(mut guard) = logger.readable_mut().await {
            // In this order: what comes after the flush wakes again.
            guard.clear_ready();
            guard.get_inner_mut().flush();
        }
    });
    Ok(())
}

/// Whatever its level, it is logged as a warning: who asked for it is to see it without turning up the agent's own log.
struct ToTracing;

impl log::Log for ToTracing {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = record.level().as_str().to_ascii_lowercase();
        tracing::warn!(kernel.level = level, kernel.module = record.module_path(), "{}", record.args());
    }

    fn flush(&self) {}
}
