//! Which sockets are asked.

use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where runtimes have their sockets, below the root of the host.
pub const KNOWN: [&str; 8] = [
    "run/containerd/containerd.sock",
    "run/crio/crio.sock",
    "run/k3s/containerd/containerd.sock",
    "run/k0s/containerd.sock",
    "var/snap/microk8s/common/run/containerd.sock",
    "run/cri-dockerd.sock",
    "run/docker.sock",
    "run/podman/podman.sock",
];

/// Where the root of the host may be, seen from the sensor: it runs on the host, or the host's root is mounted, or its processes are seen.
pub const ROOTS: [&str; 3] = ["/", "/host", "/proc/1/root"];

/// Most sockets that can be given.
const GIVEN_MAX: usize = 16;

/// Which sockets are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sockets {
    /// Those of [`KNOWN`] below [`ROOTS`] that are there, or come to be there.
    #[default]
    Found,
    /// These.
    Given(Vec<PathBuf>),
}

/// The section `runtimes` of weir.yml: a path, a list of paths, or `none`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Section {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// One.
    One(PathBuf),
    /// More than one.
    Many(Vec<PathBuf>),
}

impl Sockets {
    /// Those that were named on the command line; `none` among them is none.
    pub fn named(paths: &[PathBuf]) -> Sockets {
        if paths.is_empty() {
            return Sockets::Found;
        }
        let named = paths.iter().filter(|path| *path != Path::new("none"));
        Sockets::Given(named.take(GIVEN_MAX).cloned().collect())
    }

    /// These; where nobody named any, those of the file.
    #[must_use]
    pub fn or(self, section: &Section) -> Sockets {
        match (&self, section) {
            (Sockets::Found, Section::One(path)) => Sockets::named(std::slice::from_ref(path)),
            // An empty list is none as well.
            (Sockets::Found, Section::Many(paths)) if paths.is_empty() => Sockets::Given(Vec::new()),
            (Sockets::Found, Section::Many(paths)) => Sockets::named(paths),
            _ => self,
        }
    }

    /// Their paths, and whether a person named them.
    pub fn paths(&self) -> (Vec<PathBuf>, bool) {
        match self {
            Sockets::Given(paths) => (paths.clone(), true),
            Sockets::Found => {
                let below = |root: &'static str| KNOWN.iter().map(move |known| Path::new(root).join(known));
                (ROOTS.into_iter().flat_map(below).collect(), false)
            }
        }
    }
}
