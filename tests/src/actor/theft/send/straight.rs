//! From the file to the socket within the kernel: the process never has the bytes.

use super::{Sent, connect, say_sent};
use crate::Context;
use crate::actor::theft::{Args, open};
use crate::actor::upload::close_orderly;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};

use super::Over;

/// sendfile or splice.
pub fn straight(args: &Args) -> io::Result<()> {
    let file = open(args.source()?)?;
    let mut stream = connect(args.first_target()?)?;
    let left = file.metadata()?.len().min(args.limit);
    let mut sent = Sent::begin(vec![stream.peer_addr()?])?;
    sent.bytes = match args.over {
        Over::Sendfile => sendfile(&file, &stream, left)?,
        _ => splice(&file, &stream, left)?,
    };
    close_orderly(&mut stream)?;
    say_sent(sent)
}

fn sendfile(file: &std::fs::File, stream: &TcpStream, bytes: u64) -> io::Result<u64> {
    let mut done = 0;
    while done < bytes {
        let most = usize::try_from(bytes - done).unwrap_or(usize::MAX);
        // SAFETY: numbers only; the offset is the descriptor's own.
        let sent = unsafe { libc::sendfile(stream.as_raw_fd(), file.as_raw_fd(), std::ptr::null_mut(), most) };
        match u64::try_from(sent) {
            Ok(0) => break,
            Ok(sent) => done += sent,
            Err(_) => return Err(io::Error::last_os_error()).context(|| "sendfile".into()),
        }
    }
    Ok(done)
}

fn splice(file: &std::fs::File, stream: &TcpStream, bytes: u64) -> io::Result<u64> {
    use rustix::pipe::{SpliceFlags, splice};
    let (from, to) = rustix::pipe::pipe()?;
    let mut done = 0;
    while done < bytes {
        let most = usize::try_from(bytes - done).unwrap_or(usize::MAX).min(1 << 16);
        let mut waiting = splice(file.as_fd(), None, to.as_fd(), None, most, SpliceFlags::MOVE)?;
        if waiting == 0 {
            break;
        }
        while waiting > 0 {
            let moved = splice(from.as_fd(), None, stream.as_fd(), None, waiting, SpliceFlags::MOVE)?;
            waiting -= moved;
            done += moved as u64;
        }
    }
    Ok(done)
}
