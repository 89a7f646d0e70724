//! A runtime, whichever protocol it speaks.

use super::{cri, engine};
use crate::event::Identity;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// How long a runtime may take for an answer.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The runtime says that there is no such thing.
    NotFound,
    /// The runtime does not know the call.
    Unoffered(String),
    /// The runtime would not, or its answer makes no sense.
    Failed(String),
    /// There is no connection any more.
    Lost(String),
}

impl CallError {
    /// It took too long.
    pub fn late() -> CallError {
        CallError::Lost(format!("it has not answered within {} s", TIMEOUT.as_secs()))
    }

    /// What went wrong, in a few words.
    pub fn reason(self) -> String {
        match self {
            CallError::NotFound => "it has no such thing".to_owned(),
            CallError::Unoffered(reason) | CallError::Failed(reason) | CallError::Lost(reason) => reason,
        }
    }
}

/// A container that a runtime tells of by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its id.
    pub id: Box<str>,
    /// What is known of it is no longer true.
    pub changed: bool,
}

/// A connection to a runtime.
pub enum Client {
    /// By CRI.
    Cri(Box<cri::Client>),
    /// By Docker's API.
    Engine(Box<engine::Client>),
}

/// What a runtime tells by itself.
pub enum Watch {
    /// By CRI or containerd.
    Cri(cri::Watch),
    /// By Docker's API.
    Engine(Box<engine::Watch>),
}

/// Why a socket is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is nothing.
    Absent,
    /// There is something else, which is as it should be where another runtime is used (containerd below Docker has no CRI), or perhaps
    /// nothing.
    Other(String),
    /// There is something that does not do; why, and the mend.
    Wrong(String),
}

impl Client {
    /// Connects to whatever runtime is at `path`.
    ///
    /// # Errors
    /// [`Unusable`], with a sentence that says what to do.
    pub async fn open(path: &Path) -> Result<Client, Unusable> {
        reachable(path).await?;
        let is_engine = ["docker.sock", "podman.sock"].iter().any(|name| path.ends_with(name));
        if is_engine && let Ok(client) = engine::Client::open(path).await {
            return Ok(Client::Engine(Box::new(client)));
        }
        let by_cri = match cri::Client::open(path).await {
            Ok(client) => return Ok(Client::Cri(Box::new(client))),
            Err(error) => error,
        };
        // Also where CRI is not offered: an engine can take HTTP/2, too.
        let by_engine = match engine::Client::open(path).await {
            Ok(client) => return Ok(Client::Engine(Box::new(client))),
            Err(error) => error.reason(),
        };
        Err(match by_cri {
            CallError::Unoffered(_) => Unusable::Other(
                "it answers gRPC, but not CRI v1: if it is containerd's, take \"cri\" out of disabled_plugins in /etc/containerd/config.toml"
                    .to_owned(),
            ),
            by_cri => Unusable::Wrong(format!(
                "neither CRI v1 ({}) nor Docker's API ({by_engine}) is spoken there: name the socket of containerd, CRI-O, Docker or Podman",
                by_cri.reason()
            )),
        })
    }

    /// The runtime's name and version, for people.
    pub fn name(&self) -> &str {
        match self {
            Client::Cri(client) => &client.name,
            Client::Engine(client) => &client.name,
        }
    }

    /// The ids of all that it has.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&mut self) -> Result<Vec<Box<str>>, CallError> {
        match self {
            Client::Cri(client) => client.list().await,
            Client::Engine(client) => client.list().await,
        }
    }

    /// What a container is; nothing if the runtime knows none of that id.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn inspect(&mut self, id: &str) -> Result<Option<Identity>, CallError> {
        match self {
            Client::Cri(client) => client.inspect(id).await,
            Client::Engine(client) => client.inspect(id).await,
        }
    }

    /// Has the runtime tell what happens from now on; nothing if it does not offer that.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn watch(&mut self) -> Result<Option<Watch>, CallError> {
        Ok(match self {
            Client::Cri(client) => client.watch().await?.map(Watch::Cri),
            Client::Engine(client) => client.watch().await?.map(|watch| Watch::Engine(Box::new(watch))),
        })
    }
}

impl Watch {
    /// The next container that something is told of. Nothing is lost when it is no longer awaited.
    ///
    /// # Errors
    /// The runtime tells no more.
    pub async fn next(&mut self) -> Result<Watched, CallError> {
        match self {
            Watch::Cri(watch) => watch.next().await,
            Watch::Engine(watch) => watch.next().await,
        }
    }

    /// How it tells, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Watch::Cri(watch) => watch.name(),
            Watch::Engine(_) => "the engine's events",
        }
    }
}

impl Unusable {
    /// What is wrong, and the mend.
    pub fn reason(self) -> String {
        match self {
            Unusable::Absent => "there is no socket: start the runtime, or name another socket".to_owned(),
            Unusable::Other(reason) | Unusable::Wrong(reason) => reason,
        }
    }
}

/// Whether somebody listens at `path`.
async fn reachable(path: &Path) -> Result<(), Unusable> {
    let wrong = |reason: &str| Err(Unusable::Wrong(reason.to_owned()));
    match std::fs::metadata(path) {
        // Whether there is one cannot be told: no news of a socket that nobody named.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let reason = "this user may not look there: run weir as root, or name another socket";
            return Err(Unusable::Other(reason.to_owned()));
        }
        Err(error) => return unreachable(&error),
        Ok(status) if !status.file_type().is_socket() => {
            return wrong("it is no socket: name the socket of containerd, CRI-O, Docker or Podman");
        }
        Ok(_) => {}
    }
    match tokio::time::timeout(TIMEOUT, UnixStream::connect(path)).await {
        Err(_) => wrong("it takes no connection: restart the runtime"),
        Ok(Err(error)) => unreachable(&error),
        Ok(Ok(_)) => Ok(()),
    }
}

fn unreachable(error: &io::Error) -> Result<(), Unusable> {
    Err(match error.kind() {
        io::ErrorKind::NotFound => Unusable::Absent,
        io::ErrorKind::PermissionDenied => Unusable::Wrong(
            "this user may not connect to it: run weir as root, or in the group that owns the socket".to_owned(),
        ),
        io::ErrorKind::ConnectionRefused => {
            Unusable::Wrong("nobody listens there: start the runtime, or remove the socket that it left".to_owned())
        }
        _ => Unusable::Wrong(format!("it cannot be connected to ({error}): name another socket, or none")),
    })
}
