//! From who reads to who sends: one process; pipes, unix sockets and files between two.
//!
//! Of two processes the reader is forked first where both hold an end: what moves into it is closed here, so the sender sees the end.

use super::{Args, Half, send, take};
use crate::Context;
use crate::actor::process::Child;
use crate::wait::{PATIENCE, until};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

/// Bytes a write: what a pipe takes at once.
const PART: usize = 1 << 16;

/// One process does both.
pub fn one(args: &Args) -> io::Result<()> {
    if args.over.is_straight() {
        return send::straight(args);
    }
    let ready = if args.connect_first { Some(send::connect(args.first_target()?)?) } else { None };
    let Some(mut source) = take::source(args)? else { return Ok(()) };
    match ready {
        Some(stream) => send::send_on(args, stream, &mut source),
        None => send::send(args, &mut source),
    }
}

pub fn pipe(args: &Args) -> io::Result<()> {
    let (from, to) = io::pipe()?;
    let reader = Child::start(move || give(args, to))?;
    let sender = Child::start(move || send::send(args, &mut { from }))?;
    reader.join()?;
    sender.join()
}

/// Two processes that meet at the place: `make` makes it, for the sender; or one of them, and the other is elsewhere.
pub fn meet<P>(
    args: &Args,
    make: impl FnOnce(&Path) -> io::Result<P>,
    give: impl FnOnce(&Path) -> io::Result<()>,
    receive: impl FnOnce(P) -> io::Result<()>,
) -> io::Result<()> {
    let place = args.place()?;
    let made = || make(place).context(|| place.display().to_string());
    match args.half {
        Some(Half::Receive) => receive(made()?),
        Some(Half::Give) => {
            until(PATIENCE, "the other has made the place", || place.exists().then_some(()))?;
            give(place)
        }
        None => {
            let made = made()?;
            let reader = Child::start(|| give(place))?;
            let sender = Child::start(move || receive(made))?;
            reader.join()?;
            sender.join()
        }
    }
}

pub fn fifo(args: &Args) -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    meet(
        args,
        |place| Ok(mknodat(CWD, place, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?),
        |place| give(args, File::options().write(true).open(place)?),
        |()| send::send(args, &mut File::open(args.place()?)?),
    )
}

pub fn socketpair(args: &Args) -> io::Result<()> {
    let (from, to) = UnixStream::pair()?;
    let reader = Child::start(move || give(args, to))?;
    let sender = Child::start(move || send::send(args, &mut { from }))?;
    reader.join()?;
    sender.join()
}

pub fn unix_stream(args: &Args) -> io::Result<()> {
    meet(
        args,
        |place| UnixListener::bind(place),
        |place| give(args, connect(place)?),
        |listener| send::send(args, &mut listener.accept()?.0),
    )
}

/// Between the making of a socket's name and the listening is a moment in which it refuses.
pub fn connect(place: &Path) -> io::Result<UnixStream> {
    until(PATIENCE, "somebody listens", || UnixStream::connect(place).ok())
}

pub fn unix_datagram(args: &Args) -> io::Result<()> {
    meet(
        args,
        |place| UnixDatagram::bind(place),
        |place| {
            let out = UnixDatagram::unbound()?;
            out.connect(place)?;
            give(args, Datagrams(&out))?;
            // An empty one is the end. (A queue that is full makes the sender wait.)
            out.send(&[]).map(drop)
        },
        |receiver| send::send(args, &mut Datagrams(&receiver)),
    )
}

/// Unix datagrams as a stream; each `read` takes one, so the buffer must have room for the largest.
struct Datagrams<'a>(&'a UnixDatagram);

impl Write for Datagrams<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.get(..PART / 4).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Datagrams<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer)
    }
}

/// A copy, made by one process that has ended when another opens it.
pub fn file(args: &Args) -> io::Result<()> {
    let place = args.place()?;
    let copy = || File::create(place).context(|| place.display().to_string());
    if args.read.is_some() {
        Child::start(|| give(args, copy()?))?.join()?;
    }
    // Without a target this is all: somebody else sends the copy.
    if args.to.is_empty() {
        return Ok(());
    }
    Child::start(|| send::send(args, &mut File::open(place).context(|| place.display().to_string())?))?.join()
}

/// A copy whose bytes no process has had.
pub fn copied_in_the_kernel(args: &Args) -> io::Result<()> {
    let place = args.place()?;
    Child::start(|| {
        let (from, to) = (super::open(args.source()?)?, File::create(place).context(|| place.display().to_string())?);
        while rustix::fs::copy_file_range(&from, None, &to, None, 1 << 20).context(|| "copy_file_range".into())? > 0 {}
        Ok(())
    })?
    .join()?;
    Child::start(|| send::send(args, &mut File::open(place).context(|| place.display().to_string())?))?.join()
}

pub fn memfd(args: &Args) -> io::Result<()> {
    let memory = File::from(rustix::fs::memfd_create("cache", rustix::fs::MemfdFlags::CLOEXEC)?);
    Child::start(|| give(args, &memory))?.join()?;
    Child::start(|| {
        let mut memory = &memory;
        memory.seek(SeekFrom::Start(0))?;
        send::send(args, &mut memory)
    })?
    .join()
}

/// The reader's part: opens the file, and writes it to `out` by plain writes.
fn give(args: &Args, mut out: impl Write) -> io::Result<()> {
    let Some(mut source) = take::source(args)? else { return Ok(()) };
    let mut buffer = vec![0; PART];
    loop {
        match source.read(&mut buffer)? {
            0 => return out.flush(),
            read => out.write_all(buffer.get(..read).unwrap_or_default())?,
        }
    }
}
