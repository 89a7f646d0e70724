//! Archives: all that is known about an incident in one signed file, for another machine.
//!
//! - An archive is a tar (ustar) packed with zstd; `tar --zstd -xf` unpacks it. First is `manifest.json`, which names every other
//!   file with its size and SHA-256, and then `manifest.sig`, the signature over it. The others follow by name. ustar by the crate `tar`
//!   (MIT/Apache), because every machine has a tool for it; of that crate only regular files with short names are let in.
//! - [`write()`] makes one out of any [`Source`](super::source::Source) and a timeline; formats and attachments are handed in. Equal input makes equal bytes.
//! - [`verify`] checks one with the public key alone, [`Archive`] reads one as a source, [`recording`] gives what a replay takes.
//!
//! An archive comes from elsewhere: names, sizes, numbers of files and what it unpacks to are bounded, nothing of it is written to
//! the disk by its name, and what is read is of use only when all of it agrees with the manifest.

mod check;
mod manifest;
mod name;
mod read;
mod report;
mod scratch;
mod write;

#[cfg(test)]
mod tests;

pub use check::{is_archive, recording, verify};
pub use manifest::Manifest;
pub use read::Archive;
pub use report::Report;
pub use write::{Attachment, Export, ExportError, write};
