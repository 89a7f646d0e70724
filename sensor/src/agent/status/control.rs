//! The socket on which the document is served: who connects gets it whole, and the connection is closed. Nothing is read from it, so
//! there is nothing to be asked for wrongly.
//!
//! For root and the sensor's own user only: by the socket's mode, and by what the kernel says of the peer. A slow reader holds up
//! nobody: each connection is a task of its own, with little time, and there are only a few.

use super::Status;
use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Most connections that are answered at a time.
const CONNECTIONS: usize = 4;
/// A reader that has not taken all by then is given up. All fits into the socket's buffer, mostly.
const PATIENCE: Duration = Duration::from_secs(2);
/// After an accept that failed, for instance for want of descriptors, the next comes no sooner.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the socket is if nobody says otherwise: beside what is kept over restarts.
pub fn path_in(state: &Path) -> PathBuf {
    state.join("weir.sock")
}

/// The socket, while it is served.
pub struct Control {
    served: Option<Served>,
    /// Nobody is taken in before then.
    pause: Option<Instant>,
    room: Arc<Semaphore>,
}

struct Served {
    listener: UnixListener,
    path: PathBuf,
}

/// Somebody who may know, and waits for the document.
pub struct Asker {
    stream: UnixStream,
    room: OwnedSemaphorePermit,
}

impl Control {
    /// Serves nothing.
    pub fn nowhere() -> Control {
        Control { served: None, pause: None, room: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    /// Serves at `path`. Without a socket the sensor goes on, which is logged. To be called within a runtime.
    pub fn at(path: PathBuf) -> Control {
        let served = match bind(&path) {
            Ok(listener) => Some(Served { listener, path }),
            Err(error) => {
                tracing::warn!(
                    path = %path.display(), %error,
                    "`weir status` has nobody to ask: give a place that only weir can write with --control"
                );
                None
            }
        };
        Control { served, ..Control::nowhere() }
    }

    /// Waits for somebody who may know. Nothing is lost when it is no longer awaited.
    pub async fn asked(&mut self) -> Asker {
        let Some(served) = &self.served else { return std::future::pending().await };
        loop {
            if let Some(pause) = self.pause {
                tokio::time::sleep_until(pause).await;
                self.pause = None;
            }
            let stream = match served.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "`weir status` is not answered");
                    self.pause = Some(Instant::now() + PAUSE);
                    continue;
                }
            };
            // The mode of the socket says the same; but it is a name, and names can be moved.
            let allowed = |peer: u32| peer == 0 || peer == geteuid().as_raw();
            match stream.peer_cred().map(|peer| peer.uid()) {
                Ok(uid) if allowed(uid) => {}
                Ok(uid) => {
                    tracing::warn!(uid, "a user who may not asked for the sensor's status");
                    continue;
                }
                Err(_) => continue,
            }
            // Who finds no room is closed without an answer.
            if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
                return Asker { stream, room };
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Asker {
    /// Sends the document, beside everything else.
    pub fn answer(self, status: &Status) {
        // Strings for keys and plain values only: it cannot fail.
        let mut document = serde_json::to_vec(status).unwrap_or_default();
        document.push(b'\n');
        let Asker { stream, room } = self;
        tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, send(&stream, &document)).await;
            drop(room);
        });
    }
}

async fn send(stream: &UnixStream, mut left: &[u8]) -> io::Result<()> {
    while !left.is_empty() {
        stream.writable().await?;
        match stream.try_write(left) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Ok(there) = fs::symlink_metadata(path) {
        if !there.file_type().is_socket() || there.uid() != geteuid().as_raw() {
            return Err(io::Error::other("something else is there"));
        }
        if Probe::connect(path).is_ok() {
            return Err(io::Error::other("another sensor serves it"));
        }
        // A sensor that was killed left it.
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}
