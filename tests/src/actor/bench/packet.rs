//! Packets over the loopback interface, which hands each to its receiver before send(2) returns: one on its way out and in.

use super::{sum, timed};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// Bytes of one packet's content.
const PIECE: usize = 1000;
/// Packets that are timed together: the receiver's queue has room for them (`net.core.rmem_default`, 208 KiB).
const AT_ONCE: u64 = 32;
/// An error instead of waiting for ever for a packet that was dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Times datagrams to one peer.
pub fn udp() -> io::Result<impl FnMut(u64) -> io::Result<Duration>> {
    let there = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let here = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    here.connect(there.local_addr()?)?;
    there.set_read_timeout(Some(PATIENCE))?;
    Ok(move |count: u64| {
        sum(count.div_ceil(AT_ONCE), || {
            let took = timed(|| (0..AT_ONCE).try_for_each(|_| here.send(&[7; PIECE]).map(drop)))?;
            (0..AT_ONCE).try_for_each(|_| there.recv(&mut [0; PIECE]).map(drop))?;
            Ok(took)
        })
    })
}

/// Times segments of one connection, each with its acknowledgement where the kernel sends one at once.
pub fn tcp() -> io::Result<impl FnMut(u64) -> io::Result<Duration>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut here = TcpStream::connect(listener.local_addr()?)?;
    let mut there = listener.accept()?.0;
    here.set_nodelay(true)?;
    there.set_read_timeout(Some(PATIENCE))?;
    here.set_write_timeout(Some(PATIENCE))?;
    Ok(move |count: u64| {
        sum(count.div_ceil(AT_ONCE), || {
            let took = timed(|| (0..AT_ONCE).try_for_each(|_| here.write_all(&[7; PIECE])))?;
            there.read_exact(&mut [0; PIECE * AT_ONCE as usize])?;
            Ok(took)
        })
    })
}

/// How many operations a batch of `count` is.
pub fn rounded(count: u64) -> u64 {
    count.div_ceil(AT_ONCE) * AT_ONCE
}
