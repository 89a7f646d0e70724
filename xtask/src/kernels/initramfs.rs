//! The guest's file system, made of what is on this machine: programs with the libraries that the loader names for them, kernel modules, a
//! job. A cpio archive of the form "newc", which the kernel unpacks into memory (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What is to be in the archive, by path without the leading `/`. Folders come by themselves.
#[derive(Default)]
pub struct Initramfs {
    entries: BTreeMap<PathBuf, Entry>,
}

enum Entry {
    Folder,
    File { bytes: Vec<u8>, executable: bool },
    Link(PathBuf),
}

impl Initramfs {
    /// One with the top folders of this machine, of which some are symbolic links (`/bin` to `usr/bin`).
    pub fn new() -> Result<Initramfs> {
        let mut all = Initramfs::default();
        for folder in ["dev", "etc", "opt", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/lib", "usr/sbin"] {
            all.put(Path::new(folder), Entry::Folder);
        }
        for name in ["bin", "sbin", "lib", "lib64"] {
            let here = Path::new("/").join(name);
            match fs::read_link(&here) {
                Ok(target) => {
                    all.put(&Path::new("/").join(&target), Entry::Folder);
                    all.put(&here, Entry::Link(target));
                }
                Err(_) => all.put(&here, Entry::Folder),
            }
        }
        Ok(all)
    }

    /// A file with these bytes.
    pub fn file(&mut self, path: &str, bytes: Vec<u8>) {
        self.put(Path::new(path), Entry::File { bytes, executable: false });
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.put(Path::new(path), Entry::Link(target.into()));
    }

    /// A program of this machine, at `path`, and what it needs to run, where it has it here.
    pub fn program(&mut self, source: &Path, path: &Path) -> Result<()> {
        let bytes = fs::read(source).with_context(|| format!("{} cannot be read", source.display()))?;
        self.put(&real(path), Entry::File { bytes, executable: true });
        for library in libraries(source)? {
            let place = real(&library);
            if !self.entries.contains_key(&relative(&place)) {
                let bytes = fs::read(&library).with_context(|| format!("{} cannot be read", library.display()))?;
                self.put(&place, Entry::File { bytes, executable: true });
            }
        }
        Ok(())
    }

    fn put(&mut self, path: &Path, entry: Entry) {
        let path = relative(path);
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            self.entries.entry(folder.to_owned()).or_insert(Entry::Folder);
        }
        // A folder that is there already may have been made of a link's target.
        if !matches!(entry, Entry::Folder) || !self.entries.contains_key(&path) {
            self.entries.insert(path, entry);
        }
    }

    /// Writes the archive.
    pub fn write(&self, file: &Path) -> Result<()> {
        let out = fs::File::create(file).with_context(|| format!("{} cannot be written", file.display()))?;
        let mut out = io::BufWriter::new(out);
        let written =
            (1..).zip(&self.entries).try_for_each(|(inode, (path, entry))| member(&mut out, inode, path, entry));
        let written = written.and_then(|()| member(&mut out, 0, Path::new("TRAILER!!!"), &Entry::Folder));
        written.and_then(|()| out.flush()).with_context(|| format!("{} cannot be written", file.display()))
    }
}

/// One member: a header of hexadecimal numbers, the name, the bytes; name and bytes filled up to a multiple of four.
fn member(out: &mut impl Write, inode: u32, path: &Path, entry: &Entry) -> io::Result<()> {
    let (mode, bytes): (u32, &[u8]) = match entry {
        Entry::Folder => (0o040_755, &[]),
        Entry::File { bytes, executable: true } => (0o100_755, bytes),
        Entry::File { bytes, executable: false } => (0o100_644, bytes),
        Entry::Link(target) => (0o120_777, target.as_os_str().as_encoded_bytes()),
    };
    let name = path.as_os_str().as_encoded_bytes();
    let length =
        u32::try_from(bytes.len()).map_err(|_| io::Error::other(format!("{} is too large", path.display())))?;
    // inode, mode, user, group, links, time, length, four numbers of devices, length of the name with its null byte, checksum
    let numbers = [inode, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name.len() as u32 + 1, 0];
    write!(out, "070701")?;
    numbers.iter().try_for_each(|number| write!(out, "{number:08x}"))?;
    out.write_all(name)?;
    let fill = |length: usize| &[0; 3][..length.next_multiple_of(4) - length];
    out.write_all(&[0])?;
    out.write_all(fill(110 + name.len() + 1))?;
    out.write_all(bytes)?;
    out.write_all(fill(bytes.len()))
}

fn relative(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// The path with its folder as it is without symbolic links, if this machine has that folder.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// The libraries and the loader that a program is started with, as ldd(1) lists them. None for one that is linked statically.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("ldd did not start: install libc-bin")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("not found") {
        bail!("{} lacks a library: {}", program.display(), text.trim());
    }
    // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)`, `/lib64/ld-linux-x86-64.so.2 (0x...)`
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_as_the_kernel_reads_it() -> Result<()> {
        let mut archive = Initramfs::default();
        archive.file("/opt/a", b"hello".to_vec());
        archive.put(Path::new("/bin"), Entry::Link("usr/bin".into()));
        let file = tempfile::NamedTempFile::new()?;
        archive.write(file.path())?;
        let bytes = fs::read(file.path())?;
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(text.matches("070701").count(), 4, "a link, a folder, a file, the end");
        let at = text.find("opt/a\0").context("the file's name")?;
        assert_eq!(&text[at - 110..at - 110 + 22], "0707010000000300".to_owned() + "0081a4");
        // Header and name are 116 bytes, which is a multiple of four already.
        assert_eq!(&bytes[at + 6..at + 14], b"hello\0\0\0");
        Ok(())
    }
}
