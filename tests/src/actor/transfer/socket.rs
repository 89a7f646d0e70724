//! Over sockets.

use super::{BYTES, Done, Way, What, by_ring as ringed, content, moved, moved_at_most, request, whole};
use crate::actor::uring::{Mode, Ring};
use io_uring::{opcode, types::Fd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// What a message is taken to have at most, where the number of messages is all that is known.
const MESSAGE: u64 = 1 << 20;

/// A connected pair of unix sockets.
fn unix(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

/// From one end to the other.
pub fn pair(what: What) -> io::Result<Done> {
    let (from, to) = unix(match what {
        What::UnixSeqpacket => SocketType::SEQPACKET,
        What::UnixDatagram => SocketType::DGRAM,
        _ => SocketType::STREAM,
    })?;
    whole(send(&to, &content(), SendFlags::empty())?)?;
    let mut taken = vec![0u8; BYTES];
    whole(recv(&from, taken.as_mut_slice(), RecvFlags::empty())?.0)?;
    Ok(Ok(vec![moved(Way::Out, &from, BYTES)?, moved(Way::In, &from, BYTES)?]))
}

/// With a pipe's end beside the bytes, which who gets it reads.
pub fn rights() -> io::Result<Done> {
    let (from, to) = unix(SocketType::STREAM)?;
    let (pipe, mut filler) = io::pipe()?;
    whole(filler.write(&content())?)?;

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [pipe.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    whole(sendmsg(&to, &[IoSlice::new(&content())], &mut control, SendFlags::empty())?)?;

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut taken = vec![0; BYTES];
    whole(recvmsg(&from, &mut [IoSliceMut::new(&mut taken)], &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes)?;
    let passed = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let mut passed = io::PipeReader::from(passed.ok_or_else(|| io::Error::other("no descriptor came"))?);
    whole(passed.read(&mut taken)?)?;
    Ok(Ok(vec![
        moved(Way::Out, &filler, BYTES)?,
        moved(Way::Out, &from, BYTES)?,
        moved(Way::In, &from, BYTES)?,
        moved(Way::In, &passed, BYTES)?,
    ]))
}

/// Two messages at once.
pub fn many() -> io::Result<Done> {
    const MESSAGES: usize = 2;
    let (from, to) = unix(SocketType::DGRAM)?;
    let mut content = content();
    let mut parts: Vec<libc::iovec> = content
        .chunks_mut(BYTES.div_ceil(MESSAGES))
        .map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() })
        .collect();
    // SAFETY: plain data, of which zeroes are a value.
    let mut messages: [libc::mmsghdr; MESSAGES] = unsafe { std::mem::zeroed() };
    for (message, part) in messages.iter_mut().zip(&mut parts) {
        (message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen) = (part, 1);
    }
    let all = |done: libc::c_int| match usize::try_from(done) {
        Ok(MESSAGES) => Ok(()),
        Ok(done) => Err(io::Error::other(format!("{done} of {MESSAGES} messages moved"))),
        Err(_) => Err(io::Error::last_os_error()),
    };
    // SAFETY: as many messages as said, whose parts are in `content`, which lives on.
    all(unsafe { libc::sendmmsg(to.as_raw_fd(), messages.as_mut_ptr(), MESSAGES as u32, 0) })?;
    // SAFETY: the same; nothing else refers to `content`.
    all(unsafe { libc::recvmmsg(from.as_raw_fd(), messages.as_mut_ptr(), MESSAGES as u32, 0, std::ptr::null_mut()) })?;
    let most = MESSAGES as u64 * MESSAGE;
    Ok(Ok(vec![moved_at_most(Way::Out, &from, most)?, moved_at_most(Way::In, &from, most)?]))
}

/// Out, on the loopback interface.
pub fn inet() -> io::Result<Done> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to = TcpStream::connect(listener.local_addr()?)?;
    whole(send(&to, &content(), SendFlags::empty())?)?;
    Ok(Ok(vec![moved(Way::Out, &to, BYTES)?]))
}

/// From one end of a pair of unix sockets to the other, by requests to io_uring.
pub fn by_ring() -> io::Result<Done> {
    let mut ring = match Ring::new(Mode::default())? {
        Ok(ring) => ring,
        Err(why) => return Ok(Err(why)),
    };
    let (from, to) = unix(SocketType::STREAM)?;
    let (given, mut taken) = (content(), vec![0; BYTES]);
    let entry = opcode::Send::new(Fd(to.as_raw_fd()), given.as_ptr(), BYTES as u32).build();
    // SAFETY: `given` lives until the request is done, and is only read.
    if let Err(why) = unsafe { request(&mut ring, entry)? } {
        return Ok(Err(why));
    }
    let entry = opcode::Recv::new(Fd(from.as_raw_fd()), taken.as_mut_ptr(), BYTES as u32).build();
    // SAFETY: `taken` lives until the request is done, and is ours alone.
    if let Err(why) = unsafe { request(&mut ring, entry)? } {
        return Ok(Err(why));
    }
    Ok(Ok(vec![ringed(moved(Way::Out, &from, BYTES)?), ringed(moved(Way::In, &from, BYTES)?)]))
}
