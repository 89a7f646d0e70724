//! Over files and pipes.

use super::{BYTES, Done, Way, What, by_ring as ringed, content, moved, moved_at_most, request, whole};
use crate::actor::uring::{Mode, Ring};
use io_uring::{opcode, types::Fd};
use rustix::fs::MemfdFlags;
use rustix::io::ReadWriteFlags;
use rustix::pipe::{IoSliceRaw, SpliceFlags};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

/// A new file of that name, to be read and written.
fn create(place: &Path, name: &str) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(place.join(name))
}

/// A file in memory that has no name.
fn memory() -> io::Result<File> {
    Ok(File::from(rustix::fs::memfd_create("transfer", MemfdFlags::CLOEXEC)?))
}

/// The file, with all of the content in it, from its start.
fn filled(mut file: File) -> io::Result<File> {
    whole(file.write(&content())?)?;
    file.rewind()?;
    Ok(file)
}

/// A pipe with all of the content in it.
fn filled_pipe() -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (from, mut to) = io::pipe()?;
    whole(to.write(&content())?)?;
    Ok((from, to))
}

/// By system calls.
pub fn by_call(what: What, place: &Path) -> io::Result<Done> {
    use Way::{In, Out};
    let (given, mut taken) = (content(), vec![0; BYTES]);
    let (first, second) = given.split_at(BYTES / 3);
    let (start, end) = taken.split_at_mut(BYTES / 3);
    let no_flags = SpliceFlags::empty();
    Ok(Ok(match what {
        What::Read => {
            let (mut from, to) = filled_pipe()?;
            whole(from.read(&mut taken)?)?;
            vec![moved(Out, &to, BYTES)?, moved(In, &from, BYTES)?]
        }
        What::Readv => {
            let (from, to) = io::pipe()?;
            whole(rustix::io::writev(&to, &[IoSlice::new(first), IoSlice::new(second)])?)?;
            whole(rustix::io::readv(&from, &mut [IoSliceMut::new(start), IoSliceMut::new(end)])?)?;
            vec![moved(Out, &to, BYTES)?, moved(In, &from, BYTES)?]
        }
        What::Pread => {
            let memory = memory()?;
            whole(rustix::io::pwrite(&memory, &given, 10)?)?;
            whole(rustix::io::pread(&memory, &mut taken, 10)?)?;
            vec![moved(Out, &memory, BYTES)?, moved(In, &memory, BYTES)?]
        }
        What::Preadv2 => {
            let (memory, flags) = (memory()?, ReadWriteFlags::empty());
            whole(rustix::io::pwritev2(&memory, &[IoSlice::new(first), IoSlice::new(second)], 10, flags)?)?;
            let places = &mut [IoSliceMut::new(start), IoSliceMut::new(end)];
            whole(rustix::io::preadv2(&memory, places, 10, flags)?)?;
            vec![moved(Out, &memory, BYTES)?, moved(In, &memory, BYTES)?]
        }
        What::Sendfile => {
            let (memory, (_from, to)) = (filled(memory()?)?, io::pipe()?);
            whole(rustix::fs::sendfile(&to, &memory, None, BYTES)?)?;
            vec![moved(Out, &memory, BYTES)?, moved(In, &memory, BYTES)?, moved(Out, &to, BYTES)?]
        }
        What::SpliceToFile => {
            let ((from, to), file) = (filled_pipe()?, create(place, "spliced")?);
            whole(rustix::pipe::splice(&from, None, &file, None, BYTES, no_flags)?)?;
            vec![moved(Out, &to, BYTES)?, moved(In, &from, BYTES)?, moved(Out, &file, BYTES)?]
        }
        What::SpliceFromFile => {
            let (file, (_from, to)) = (filled(create(place, "to-splice")?)?, io::pipe()?);
            whole(rustix::pipe::splice(&file, None, &to, None, BYTES, no_flags)?)?;
            vec![moved(Out, &file, BYTES)?, moved(In, &file, BYTES)?, moved(Out, &to, BYTES)?]
        }
        What::Tee => {
            let ((from, to), (_other, copy)) = (filled_pipe()?, io::pipe()?);
            whole(rustix::pipe::tee(&from, &copy, BYTES, no_flags)?)?;
            vec![moved(Out, &to, BYTES)?, moved(In, &from, BYTES)?, moved(Out, &copy, BYTES)?]
        }
        What::Vmsplice => {
            let (from, to) = io::pipe()?;
            // SAFETY: `given` lives until the bytes are taken below, and is not written to.
            whole(unsafe { rustix::pipe::vmsplice(&to, &[IoSliceRaw::from_slice(&given)], no_flags)? })?;
            // SAFETY: `taken` is ours, and nothing else is done with it.
            whole(unsafe { rustix::pipe::vmsplice(&from, &[IoSliceRaw::from_slice_mut(&mut taken)], no_flags)? })?;
            vec![moved(Out, &to, BYTES)?, moved(In, &from, BYTES)?]
        }
        What::CopyFileRange => {
            let (from, to) = (filled(create(place, "to-copy")?)?, create(place, "copied")?);
            whole(rustix::fs::copy_file_range(&from, None, &to, None, BYTES)?)?;
            vec![moved(Out, &from, BYTES)?, moved(In, &from, BYTES)?, moved(Out, &to, BYTES)?]
        }
        What::Ficlone => {
            let (from, to) = (filled(create(place, "to-clone")?)?, create(place, "cloned")?);
            if let Err(error) = rustix::fs::ioctl_ficlone(&to, &from) {
                return Ok(Err(format!("the file system has no clones ({error})")));
            }
            vec![moved(Out, &from, BYTES)?, moved(In, &from, BYTES)?, moved(Out, &to, BYTES)?]
        }
        What::MmapShared => {
            let memory = memory()?;
            memory.set_len(BYTES as u64)?;
            map(&memory, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED)?;
            vec![moved_at_most(Way::Both, &memory, BYTES as u64)?]
        }
        What::MmapPrivate => {
            let memory = filled(memory()?)?;
            map(&memory, libc::PROT_READ, libc::MAP_PRIVATE)?;
            vec![moved(Out, &memory, BYTES)?, moved_at_most(In, &memory, BYTES as u64)?]
        }
        other => return Err(io::Error::other(format!("{other:?} is not done by calls on files"))),
    }))
}

/// Maps all of it, until this process ends.
fn map(file: &File, protection: libc::c_int, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: a new mapping at a place of the kernel's choice, which nothing here refers to.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), BYTES, protection, flags, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// By requests to io_uring.
pub fn by_ring(what: What, place: &Path) -> io::Result<Done> {
    use Way::{In, Out};
    let mut ring = match Ring::new(Mode::default())? {
        Ok(ring) => ring,
        Err(why) => return Ok(Err(why)),
    };
    if what == What::UringSplice {
        let ((from, to), file) = (filled_pipe()?, create(place, "spliced")?);
        let (pipe, target) = (Fd(from.as_raw_fd()), Fd(file.as_raw_fd()));
        let entry = opcode::Splice::new(pipe, -1, target, -1, BYTES as u32).build();
        // SAFETY: the request points to no memory.
        if let Err(why) = unsafe { request(&mut ring, entry)? } {
            return Ok(Err(why));
        }
        let taken = [ringed(moved(In, &from, BYTES)?), ringed(moved(Out, &file, BYTES)?)];
        return Ok(Ok([moved(Out, &to, BYTES)?].into_iter().chain(taken).collect()));
    }
    let (memory, given, mut taken) = (memory()?, content(), vec![0; BYTES]);
    let file = Fd(memory.as_raw_fd());
    let entry = opcode::Write::new(file, given.as_ptr(), BYTES as u32).build();
    // SAFETY: `given` lives until the request is done, and is only read.
    if let Err(why) = unsafe { request(&mut ring, entry)? } {
        return Ok(Err(why));
    }
    let entry = opcode::Read::new(file, taken.as_mut_ptr(), BYTES as u32).build();
    // SAFETY: `taken` lives until the request is done, and is ours alone.
    if let Err(why) = unsafe { request(&mut ring, entry)? } {
        return Ok(Err(why));
    }
    Ok(Ok(vec![ringed(moved(Out, &memory, BYTES)?), ringed(moved(In, &memory, BYTES)?)]))
}
