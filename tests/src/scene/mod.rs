//! Places in which actors act: network namespaces ([`Network`]), small containers ([`Container`]), those of
//! a real runtime ([`Runtime`]), and directories for their files.
//!
//! As little as can be has a name that could outlive its maker. Network namespaces and mounts live as long as the descriptors and processes that
//! hold them, so the kernel removes them whatever happens. What has names, cgroups and a directory, is held by a lock ([`sweep`]) and
//! removed by a supervisor of its own (`weir-actor contain`), which outlives a test that is killed; what even that leaves, the next
//! `sweep` removes. Namespaces and mounts of the host itself are never touched.

pub(crate) mod cgroup;
pub(crate) mod claim;
mod container;
mod directory;
mod network;
mod runtime;

pub use container::{Bind, Container, Spec};
pub use directory::Directory;
pub use network::{NetNs, Network};
pub use runtime::Runtime;

/// Removes what killed processes left: cgroups with what still runs in them, and directories. Only what nobody holds any more, so
/// scenes that are in use, of this process or of others, are left alone. What was removed.
pub fn sweep() -> std::io::Result<Vec<String>> {
    let mut swept = claim::sweep()?;
    swept.extend(directory::sweep()?);
    Ok(swept)
}
