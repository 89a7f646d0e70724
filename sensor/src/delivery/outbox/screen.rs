//! The console, on a thread of its own: whoever does not read it holds up nobody.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Most pieces that wait to be written; each is what came at once.
const PIECES: usize = 256;
/// How long the end waits for a reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Screen {
    pieces: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    closed: Arc<AtomicBool>,
    unshown: AtomicU64,
}

impl Screen {
    pub(super) fn start() -> io::Result<Screen> {
        let (pieces, waiting) = sync_channel::<Vec<u8>>(PIECES);
        let closed = Arc::new(AtomicBool::new(false));
        let gone = Arc::clone(&closed);
        let writer = std::thread::Builder::new().name("weir-console".into()).spawn(move || {
            let mut out = anstream::stdout();
            for piece in waiting {
                if let Err(error) = out.write_all(&piece).and_then(|()| out.flush()) {
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        tracing::warn!(%error, "the console takes nothing: alerts are kept and sent, and not shown");
                    }
                    gone.store(true, Relaxed);
                    return;
                }
            }
        })?;
        Ok(Screen { pieces: Some(pieces), writer: Some(writer), closed, unshown: AtomicU64::new(0) })
    }

    /// Lets it be written, if its reader is not too far behind.
    pub(super) fn show(&self, lines: Vec<u8>) {
        let Some(pieces) = &self.pieces else { return };
        if lines.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(lines)) = pieces.try_send(lines) {
            let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            if self.unshown.fetch_add(count, Relaxed) == 0 {
                tracing::warn!("nobody reads the console fast enough: some lines are kept and sent, and not shown");
            }
        }
    }

    /// Whether the reader has gone.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Lines that were not shown.
    pub(super) fn unshown(&self) -> u64 {
        self.unshown.load(Relaxed)
    }

    /// Writes the rest, if somebody reads it.
    pub(super) fn finish(&mut self) {
        self.pieces = None;
        if let Some(writer) = self.writer.take() {
            super::wait_for(&writer, PATIENCE);
        }
    }
}
