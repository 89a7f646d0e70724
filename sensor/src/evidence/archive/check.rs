//! Goes through an archive once, and checks all of it against its manifest and that against its signature.

use super::super::integrity::{Fault, PublicKey, Statement, VerifyError, What, hex};
use super::manifest::{Entry, FILES_MAX, Manifest, Signature, shortened};
use super::name;
use super::report::Report;
use super::scratch::Scratch;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use tar::EntryType;

/// Most bytes that an archive unpacks to: more than a store of the default size.
const UNPACKED_MAX: u64 = 8 << 30;
/// Most bytes of the manifest, and of a signature.
const MANIFEST_MAX: u64 = 4 << 20;
/// Most memory for unpacking, as a power of two: the writer's level asks for 2 MiB.
const WINDOW_LOG_MAX: u32 = 24;
/// What a tar's header is, and where in it stands that it is one (POSIX.1-2017, pax, "ustar Interchange Format").
const HEADER: usize = 512;
const USTAR: std::ops::Range<usize> = 257..262;

/// Whether this file is an archive, by how it begins.
pub fn is_archive(file: &Path) -> bool {
    let mut header = [0; HEADER];
    let read = File::open(file).and_then(|file| unpacked(file)?.read_exact(&mut header));
    let is_tar = || header.get(USTAR) == Some(b"ustar") && header.starts_with(name::MANIFEST.as_bytes());
    read.is_ok() && is_tar()
}

/// Checks an archive. The signature must be by one of `keys`, if any are given.
///
/// # Errors
/// It cannot be read, is none, or is not as it was made: see [`Fault`].
pub fn verify(file: &Path, keys: &[PublicKey]) -> Result<Report, VerifyError> {
    let mut statements = Vec::new();
    let mut report = walk(file, keys, |name, content| {
        if name.starts_with("segments/") && name.ends_with(".sig") {
            let mut bytes = Vec::new();
            content.take(MANIFEST_MAX).read_to_end(&mut bytes)?;
            statements.push((name.to_owned(), Statement::parse(&bytes)));
        }
        Ok(())
    })?;
    for (name, statement) in statements {
        let fault = |what| {
            VerifyError::from(Box::new(Fault { place: file.join(&name), segment: None, batch: None, span: None, what }))
        };
        let statement = statement.map_err(|error| fault(What::Signature(error.to_string())))?;
        let key = PublicKey(statement.key);
        if key != report.key && !keys.contains(&key) {
            return Err(fault(What::OtherKey(key)));
        }
        report.segments.push(statement.segment);
    }
    Ok(report)
}

/// What went into the line, in a file that has no name; `None`: the archive has it not. All of the archive is checked first.
///
/// # Errors
/// As [`verify`].
pub fn recording(file: &Path, keys: &[PublicKey]) -> Result<Option<File>, VerifyError> {
    let io = |source| VerifyError::Io { place: file.to_owned(), source };
    let mut scratch = Scratch::new(&std::env::temp_dir()).map_err(io)?;
    let mut found = false;
    walk(file, keys, |name, content| {
        if name == name::RAW {
            found = true;
            scratch.add(|out| io::copy(content, out).map(drop))?;
        }
        Ok(())
    })?;
    let file = scratch.finish().and_then(super::scratch::Written::into_file).map_err(io)?;
    Ok(found.then_some(file))
}

/// Goes through the files; `visit` has each before it is known to be right, and may leave any of it unread. What it made of them is of
/// use if this succeeds.
pub fn walk(
    file: &Path,
    keys: &[PublicKey],
    mut visit: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> Result<Report, VerifyError> {
    let opened = File::open(file).map_err(|source| VerifyError::Io { place: file.to_owned(), source })?;
    if !is_archive(file) {
        return Err(VerifyError::NotOne { place: file.to_owned() });
    }
    let done = unpacked(opened).map_err(Wrong::from).and_then(|unpacked| inside(unpacked, keys, &mut visit));
    done.map_err(|wrong| {
        let what = match wrong {
            Wrong::What(what) => what,
            Wrong::Io(error) if error.raw_os_error().is_some() => {
                return VerifyError::Io { place: file.to_owned(), source: error };
            }
            Wrong::Io(error) => {
                What::Archive(format!("it cannot be read to its end ({error}): it was cut off or changed"))
            }
        };
        Box::new(Fault { place: file.to_owned(), segment: None, batch: None, span: None, what }).into()
    })
}

enum Wrong {
    What(What),
    Io(io::Error),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Wrong {
        Wrong::Io(error)
    }
}

impl From<String> for Wrong {
    fn from(reason: String) -> Wrong {
        Wrong::What(What::Archive(reason))
    }
}

type Visit<'a> = &'a mut dyn FnMut(&str, &mut dyn Read) -> io::Result<()>;

fn inside(unpacked: impl Read, keys: &[PublicKey], visit: Visit) -> Result<Report, Wrong> {
    let mut archive = tar::Archive::new(unpacked);
    // Raw: no long names, links or sparse files are made up out of what comes before a file.
    let mut entries = archive.entries()?.raw(true);
    let manifest = small(entries.next(), name::MANIFEST)?;
    let signature = small(entries.next(), name::SIGNATURE)?;
    let key = Signature::check(&signature, &manifest)?;
    if !keys.is_empty() && !keys.contains(&key) {
        return Err(Wrong::What(What::OtherKey(key)));
    }
    let manifest = Manifest::parse(&manifest)?;
    let mut expected = manifest.files.iter();
    for entry in entries.by_ref().take(FILES_MAX + 1) {
        let entry = entry?;
        let name = name_of(&entry)?;
        match expected.next() {
            Some(known) if known.name == name => one(entry, known, visit)?,
            Some(known) => {
                let known = &known.name;
                return Err(format!("the file {:?} is where {known:?} should be", shortened(&name)).into());
            }
            None => return Err(format!("the file {:?} is not in its manifest: it was added", shortened(&name)).into()),
        }
    }
    if let Some(missing) = expected.next() {
        return Err(format!("the file {:?} was removed", missing.name).into());
    }
    nothing_more(archive.into_inner())?;
    Ok(Report { manifest, key, checked: !keys.is_empty(), segments: Vec::new() })
}

/// One of the two files at the beginning.
fn small(entry: Option<io::Result<tar::Entry<impl Read>>>, name: &str) -> Result<Vec<u8>, Wrong> {
    let Some(entry) = entry else { return Err(format!("it has no {name}").into()) };
    let entry = entry?;
    if name_of(&entry)? != name {
        return Err(format!("it has no {name} where that should be").into());
    }
    if entry.size() > MANIFEST_MAX {
        return Err(format!("its {name} has more than {MANIFEST_MAX} bytes").into());
    }
    let mut bytes = Vec::new();
    entry.take(MANIFEST_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The name of what must be a regular file with a plain name.
fn name_of(entry: &tar::Entry<impl Read>) -> Result<String, Wrong> {
    let bytes = entry.path_bytes();
    let name = String::from_utf8_lossy(&bytes);
    if entry.header().entry_type() != EntryType::Regular || !name::is_plain(&name) {
        return Err(
            format!("{:?} in it is no file with a plain name, as all are that weir wrote", shortened(&name)).into()
        );
    }
    Ok(name.into_owned())
}

fn one(entry: tar::Entry<impl Read>, known: &Entry, visit: Visit) -> Result<(), Wrong> {
    let name = &known.name;
    if entry.size() != known.size {
        return Err(
            format!("the file {name:?} has {} bytes, and its manifest says {}", entry.size(), known.size).into()
        );
    }
    let mut content = Hashed { from: entry, digest: Sha256::new(), size: 0 };
    visit(name, &mut content)?;
    io::copy(&mut content, &mut io::sink())?;
    if content.size != known.size {
        return Err(format!(
            "the file {name:?} ends after {} of {} bytes: the archive was cut off",
            content.size, known.size
        )
        .into());
    }
    if hex(&content.digest.finalize()) != known.sha256.to_ascii_lowercase() {
        return Err(format!("the file {name:?} was changed: it has not the SHA-256 that its manifest says").into());
    }
    Ok(())
}

/// After the last file a tar has zeros, and nothing else.
fn nothing_more(mut rest: impl Read) -> Result<(), Wrong> {
    let mut bytes = [0; 1 << 13];
    loop {
        match rest.read(&mut bytes)? {
            0 => return Ok(()),
            read if bytes.iter().take(read).all(|byte| *byte == 0) => {}
            _ => return Err("there is something behind its last file".to_owned().into()),
        }
    }
}

/// Unpacks what is read from `file`, as much as there may be.
fn unpacked(file: File) -> io::Result<impl Read> {
    let mut unpacker = zstd::Decoder::new(BufReader::new(file))?;
    unpacker.window_log_max(WINDOW_LOG_MAX)?;
    Ok(Bounded { from: unpacker, left: UNPACKED_MAX })
}

struct Bounded<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other(format!(
                "it unpacks to more than {} GiB, which no archive of weir does",
                UNPACKED_MAX >> 30
            ))
        })?;
        Ok(read)
    }
}

struct Hashed<R> {
    from: R,
    digest: Sha256,
    size: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        self.digest.update(to.get(..read).unwrap_or_default());
        self.size += read as u64;
        Ok(read)
    }
}
