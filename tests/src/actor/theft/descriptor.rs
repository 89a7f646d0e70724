//! Descriptors that change hands: the file's, and the socket's.

use super::{Args, carry, memory, open, read_whole, send, take};
use crate::Context;
use crate::actor::open::owned;
use crate::actor::process::Child;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

/// One opens and passes the descriptor; the other reads, closes it, and connects after that.
pub fn passed(args: &Args) -> io::Result<()> {
    carry::meet(
        args,
        |place| UnixListener::bind(place),
        |place| pass(&carry::connect(place)?, open(args.source()?)?.as_fd()),
        |listener| {
            let (from, _) = listener.accept()?;
            let whole = read_whole(File::from(receive(&from)?), args.limit)?;
            drop((from, listener));
            send::send(args, &mut whole.as_slice())
        },
    )
}

/// One opens and waits; the other takes the descriptor without being asked.
pub fn fetched(args: &Args) -> io::Result<()> {
    memory::prey(
        args,
        || {
            let file = open(args.source()?)?;
            let number = file.as_raw_fd();
            Ok(Some((file, number as usize)))
        },
        |pid, number| {
            // SAFETY: numbers only.
            let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
            // SAFETY: numbers only.
            let file = owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) });
            let whole = read_whole(File::from(file.context(|| "pidfd_getfd".into())?), args.limit)?;
            send::send(args, &mut whole.as_slice())
        },
    )
}

/// The parent connects and never reads; the child, forked after that, reads and sends.
pub fn inherited_socket(args: &Args) -> io::Result<()> {
    let stream = send::connect(args.first_target()?)?;
    let child = Child::start(move || match take::source(args)? {
        Some(mut source) => send::send_on(args, stream, &mut source),
        None => Ok(()),
    })?;
    child.join()
}

/// One connects and passes the socket; the other, who holds the file, sends.
pub fn passed_socket(args: &Args) -> io::Result<()> {
    let (from, to) = UnixStream::pair()?;
    let connector = Child::start(move || pass(&to, send::connect(args.first_target()?)?.as_fd()))?;
    let holder = Child::start(move || match take::source(args)? {
        Some(mut source) => send::send_on(args, TcpStream::from(receive(&from)?), &mut source),
        None => Ok(()),
    })?;
    connector.join()?;
    holder.join()
}

fn pass(over: &UnixStream, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    sendmsg(over, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}

fn receive(over: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(over, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptor.ok_or_else(|| io::Error::other("no descriptor came"))
}
