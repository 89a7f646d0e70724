//! Records about files: opens, changes and execs, and the paths in them.

use super::{Malformed, fixed, plain, process_key, split, text, until_nul};
use crate::event::{Access, Change, Classes, Exec, File, FileChange, FileId, Open, Replaced, Stream};
use sensor_common::record::{self, exec_flags, file_flags, path_flags};

pub(super) fn open(bytes: &[u8]) -> Result<Open, Malformed> {
    let (open, tail) = fixed::<record::Open>(bytes, "open")?;
    let (path, _) = split(tail, open.path.len.into())?;
    Ok(Open {
        file: file(&open.file, open.path.flags, path, Classes(open.classes)),
        access: Access::from_flags(open.flags),
        flags: open.flags,
        io_uring: open.origin & file_flags::IO_URING != 0,
        candidate: open.origin & file_flags::CANDIDATE != 0,
        carrier: open.origin & file_flags::CARRIER != 0,
        created: open.origin & file_flags::CREATED != 0,
    })
}

pub(super) fn change(bytes: &[u8], change: Change) -> Result<FileChange, Malformed> {
    let (fixed, tail) = fixed::<record::FileChange>(bytes, "file change")?;
    let (path, tail) = split(tail, fixed.path.len.into())?;
    let (new_path, _) = split(tail, fixed.new_path.len.into())?;
    let id = FileId { device: fixed.file.device, inode: fixed.replaced };
    Ok(FileChange {
        change,
        replaced: (fixed.replaced != 0).then_some(Replaced { id: Some(id) }),
        file: file(&fixed.file, fixed.path.flags, path, Classes(fixed.classes)),
        new_path: if new_path.is_empty() { "".into() } else { path_text(new_path, fixed.new_path.flags) },
        new_size: Some(fixed.new_size).filter(|size| *size != record::SIZE_UNKNOWN),
        io_uring: fixed.origin & file_flags::IO_URING != 0,
    })
}

pub(super) fn exec(bytes: &[u8]) -> Result<Exec, Malformed> {
    let (exec, tail) = fixed::<record::Exec>(bytes, "exec")?;
    let (path, tail) = split(tail, exec.path.len.into())?;
    let (directory, tail) = split(tail, exec.directory.len.into())?;
    let (args, _) = split(tail, exec.args.into())?;
    let [Some(stdin), Some(stdout), Some(stderr)] = exec.streams.map(Stream::from_wire) else {
        let code = exec.streams.into_iter().max().unwrap_or_default().into();
        return Err(Malformed::Code { what: "exec", code });
    };
    Ok(Exec {
        streams: [stdin, stdout, stderr],
        setuid: exec.flags & exec_flags::SETUID != 0,
        file: file(&exec.file, exec.path.flags, path, Classes::default()),
        parent: process_key(&exec.parent),
        args: arguments(args),
        args_cut: exec.flags & (exec_flags::ARGS_CUT | exec_flags::ARGS_FAULT) != 0,
        working_directory: path_text(directory, exec.directory.flags),
    })
}

pub(super) fn file(file: &record::File, flags: u16, path: &[u8], classes: Classes) -> File {
    let resolved = flags & path_flags::UNRESOLVED == 0 && (file.inode, file.device) != (0, 0);
    File {
        id: resolved.then_some(FileId { device: file.device, inode: file.inode }),
        path: path_text(path, flags),
        path_cut: flags & (path_flags::CUT | path_flags::FAULT) != 0,
        size: file.size,
        mode: file.mode,
        uid: file.uid,
        links: file.links,
        changed_unix_nanos: file
            .changed_seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(file.changed_nanoseconds.into()),
        filesystem: file.filesystem,
        classes,
        by_content: Classes::default(),
    }
}

/// A path as text.
///
/// A whole path begins with `/`. One whose front is missing does not: `a/b` may be the end of a deep tree that someone built
/// so that what is left of its path reads like another file's.
pub(super) fn path_text(bytes: &[u8], flags: u16) -> Box<str> {
    if flags & path_flags::PSEUDO != 0 {
        return pseudo(until_nul(bytes));
    }
    if flags & path_flags::UNRESOLVED != 0 {
        return text(until_nul(bytes));
    }
    // Every component brings its NUL, every one in the text its slash: this is the exact length of a whole path.
    let mut path = String::with_capacity(bytes.len().max(1));
    let cut = flags & (path_flags::CUT | path_flags::FAULT) != 0;
    match plain(bytes) {
        Some(components) => {
            for component in components.rsplit('\0').filter(|component| is_name(component.as_bytes())) {
                slash(&mut path, cut);
                path.push_str(component);
            }
        }
        None => {
            for component in bytes.rsplit(|byte| *byte == 0).filter(|component| is_name(component)) {
                slash(&mut path, cut);
                path.push_str(&text(component));
            }
        }
    }
    if path.is_empty() && !cut {
        path.push('/');
    }
    path.into_boxed_str()
}

fn slash(path: &mut String, cut: bool) {
    if !(cut && path.is_empty()) {
        path.push('/');
    }
}

/// A root's own dentry is named `/`; it is no component. Nor is the nothing behind the last NUL.
fn is_name(component: &[u8]) -> bool {
    !component.is_empty() && component != b"/"
}

/// As `/proc/PID/exe` and `/proc/PID/fd` show what is in no directory: a memfd as if it were in the root of a file system,
/// others by their bare name.
fn pseudo(name: &[u8]) -> Box<str> {
    if !name.starts_with(b"memfd:") {
        return text(name);
    }
    format!("/{}", text(name)).into_boxed_str()
}

/// Arguments as the kernel keeps them: one behind the other, each followed by a NUL; the last may have lost its own.
fn arguments(bytes: &[u8]) -> Box<[Box<str>]> {
    if bytes.is_empty() {
        return Box::default();
    }
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    bytes.split(|byte| *byte == 0).map(text).collect()
}
