//! Makes an archive.

use super::super::integrity::{PublicKey, hex};
use super::super::source::{Filter, Source, SourceError, Told, ToldKind};
use super::super::store::signer::Signer;
use super::super::timeline::model::Timeline;
use super::manifest::{Entry, FILES_MAX, Manifest, Signature, VERSION};
use super::name;
use super::scratch::{Piece, Scratch};
use humantime::format_rfc3339_nanos;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Most events: what a reader has memory for.
pub const EVENTS_MAX: usize = 1_000_000;
/// How much work packing is: above 3 it takes long and gains little.
const LEVEL: i32 = 3;

/// What goes into an archive beside what is read from the source.
pub struct Export<'a> {
    /// The timeline of the incident: its processes, containers and times say which events there are.
    pub timeline: &'a Timeline,
    /// Now: nanoseconds since 1970.
    pub made: u64,
    /// The machine, where it is known.
    pub host: Option<&'a str>,
    /// What is known to be left out, and why.
    pub notes: Vec<String>,
    /// Other forms of the timeline, rules, the policy, the recording, signatures of segments.
    pub attachments: Vec<Attachment<'a>>,
}

/// A file that is handed in.
pub struct Attachment<'a> {
    /// What it is called in the archive.
    name: String,
    write: Content<'a>,
}

/// Writes a file's content.
type Content<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

impl<'a> Attachment<'a> {
    /// Of what `write` writes, when its turn comes. A name that no archive can have is made into one.
    pub fn new(name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()> + 'a) -> Attachment<'a> {
        Attachment { name: name::plain(name), write: Box::new(write) }
    }

    /// Of what is read there.
    pub fn copied(name: &str, mut from: impl Read + 'a) -> Attachment<'a> {
        Attachment::new(name, move |out| io::copy(&mut from, out).map(drop))
    }
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file cannot be written.
    #[error("the archive {} cannot be written: {source}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Two attachments have the same name.
    #[error("the archive would have two files {0:?}: give them different names")]
    Twice(String),
    /// There are too many attachments.
    #[error("the archive would have more than {FILES_MAX} files: give fewer")]
    TooMany,
}

/// Writes an archive to `file`, which must not be there yet. Equal input makes equal bytes.
///
/// # Errors
/// See [`ExportError`]. No file is left then.
pub fn write(
    file: &Path,
    source: &mut dyn Source,
    export: Export,
    signer: &dyn Signer,
) -> Result<Manifest, ExportError> {
    let io = |source| ExportError::Io { file: file.to_owned(), source };
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(io)?;
    let done = Scratch::new(directory).map_err(io).and_then(|scratch| fill(file, out, scratch, source, export, signer));
    if done.is_err() {
        // Half an archive is of no use, and what went wrong is said already.
        let _ = fs::remove_file(file);
    }
    done
}

fn fill(
    file: &Path,
    out: File,
    mut scratch: Scratch,
    source: &mut dyn Source,
    export: Export,
    signer: &dyn Signer,
) -> Result<Manifest, ExportError> {
    let io = |source| ExportError::Io { file: file.to_owned(), source };
    let mut manifest = described(&export, signer);
    let mut pieces = BTreeMap::new();
    let (from, to) = (export.timeline.from.nanos, export.timeline.to.nanos);
    let rows = source.rows(&filter(export.timeline))?;
    if rows.cut {
        manifest.notes.push(format!("{} has the first {EVENTS_MAX} events; there are more", name::EVENTS));
    }
    let incidents: BTreeSet<Box<str>> = export.timeline.incident.as_deref().map(Box::from).into_iter().collect();
    let told = source.told(from, to, &incidents)?;
    let (coverage, told): (Vec<Told>, Vec<Told>) = told.into_iter().partition(|told| told.kind == ToldKind::Coverage);
    let mut add = |name: &str, piece: io::Result<Piece>| match pieces.insert(name.to_owned(), piece.map_err(io)?) {
        None => Ok(()),
        Some(_) => Err(ExportError::Twice(name.to_owned())),
    };
    add(name::EVENTS, scratch.add(|out| lines(out, &rows.rows)))?;
    add(name::TOLD, scratch.add(|out| lines(out, &told)))?;
    add(name::COVERAGE, scratch.add(|out| lines(out, &coverage)))?;
    add(name::GAPS, scratch.add(|out| lines(out, &source_gaps(source, from, to)?)))?;
    add(name::TIMELINE, scratch.add(|out| Ok(serde_json::to_writer(out, export.timeline)?)))?;
    for attachment in export.attachments {
        add(&attachment.name, scratch.add(attachment.write))?;
    }
    if pieces.len() > FILES_MAX {
        return Err(ExportError::TooMany);
    }
    let entry =
        |(name, piece): (&String, &Piece)| Entry { name: name.clone(), size: piece.size, sha256: hex(&piece.sha256) };
    manifest.files = pieces.iter().map(entry).collect();
    pack(out, &manifest, scratch, &pieces, export.made, signer).map_err(io)?;
    Ok(manifest)
}

fn source_gaps(source: &mut dyn Source, from: u64, to: u64) -> io::Result<Vec<super::super::source::Gap>> {
    source.gaps(from, to).map_err(io::Error::other)
}

fn described(export: &Export, signer: &dyn Signer) -> Manifest {
    let timeline = export.timeline;
    Manifest {
        version: VERSION,
        made: format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(export.made)).to_string(),
        sensor: env!("CARGO_PKG_VERSION").to_owned(),
        host: export.host.map(str::to_owned).or_else(|| timeline.host.clone()),
        incident: timeline.incident.clone(),
        sentence: timeline.sentence.clone(),
        from: timeline.from.text.clone(),
        to: timeline.to.text.clone(),
        rulesets: timeline.rulesets.clone(),
        notes: timeline.notes.iter().chain(&export.notes).cloned().collect(),
        key: PublicKey(signer.public()).to_string(),
        files: Vec::new(),
    }
}

/// All that its processes did, and all that was done in its containers.
fn filter(timeline: &Timeline) -> Filter {
    Filter {
        from: timeline.from.nanos,
        to: timeline.to.nanos,
        processes: timeline.processes.iter().map(|process| process.id.as_str().into()).collect(),
        workloads: timeline.workloads.iter().map(|workload| workload.id.as_str().into()).collect(),
        limit: EVENTS_MAX,
        ..Filter::default()
    }
}

fn lines<T: Serialize>(out: &mut dyn Write, items: &[T]) -> io::Result<()> {
    for item in items {
        serde_json::to_writer(&mut *out, item)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn pack(
    out: File,
    manifest: &Manifest,
    scratch: Scratch,
    pieces: &BTreeMap<String, Piece>,
    made: u64,
    signer: &dyn Signer,
) -> io::Result<()> {
    let mut written = scratch.finish()?;
    let mut packer = zstd::Encoder::new(out, LEVEL)?;
    packer.include_checksum(true)?;
    let mut archive = tar::Builder::new(packer);
    let mut text = serde_json::to_vec_pretty(manifest)?;
    text.push(b'\n');
    let signature = serde_json::to_vec(&Signature::new(&text, signer))?;
    for (name, bytes) in [(name::MANIFEST, text), (name::SIGNATURE, signature)] {
        archive.append(&header(name, bytes.len() as u64, made)?, Cursor::new(bytes))?;
    }
    for (name, piece) in pieces {
        archive.append(&header(name, piece.size, made)?, written.piece(piece)?)?;
    }
    archive.into_inner()?.finish()?.sync_all()
}

/// Nothing of the machine is in it: no owner, and the time is the archive's.
fn header(name: &str, size: u64, made: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(made / 1_000_000_000);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}
