//! What stands behind a descriptor of a program that is started: a terminal, a pipe, a socket.

use crate::classify::{S_IFMT, S_IFREG};
use crate::files;
use crate::globals::{offset, read};
use crate::label::object;
use sensor_common::record::Stream;

/// Types of a file in `i_mode` (include/uapi/linux/stat.h).
const S_IFIFO: u32 = 0o010_000;
const S_IFCHR: u32 = 0o020_000;

/// `/dev/null`: `MEM_MAJOR` and its place in `devlist` (drivers/char/mem.c).
const NULL: u32 = 1 << MINOR_BITS | 3;
/// `TTY_MAJOR` and `TTYAUX_MAJOR` (include/uapi/linux/major.h): consoles and serial lines; `/dev/tty`, `/dev/console`, `/dev/ptmx`.
const TTY: u32 = 4;
const TTY_AUXILIARY: u32 = 5;
/// `UNIX98_PTY_SLAVE_MAJOR` and the seven after it: `/dev/pts`.
const PTY: u32 = 136;
const PTY_LAST: u32 = 143;
/// `MINORBITS` (include/linux/kdev_t.h).
const MINOR_BITS: u32 = 20;

/// A [`Stream`]: what the current process has behind `descriptor`. A function of its own in the object: it is asked three times.
#[inline(never)]
pub fn of_descriptor(descriptor: u64) -> u32 {
    let file = files::of_descriptor(descriptor);
    if file == 0 {
        return Stream::None as u32;
    }
    let inode: u64 = read(file + offset!(file_inode));
    let mode = u32::from(read::<u16>(inode + offset!(inode_mode)));
    if object::is_socket(mode) {
        return match object::sock_of(file).1 {
            object::AF_INET | object::AF_INET6 => Stream::InetSocket as u32,
            object::AF_UNIX => Stream::UnixSocket as u32,
            _ => Stream::Socket as u32,
        };
    }
    match mode & S_IFMT {
        S_IFREG if object::is_in_memory(inode) => Stream::Memory as u32,
        S_IFREG => Stream::File as u32,
        S_IFIFO => Stream::Pipe as u32,
        S_IFCHR => of_device(read(inode + offset!(inode_rdev))),
        _ => Stream::Other as u32,
    }
}

#[inline(always)]
fn of_device(device: u32) -> u32 {
    match device >> MINOR_BITS {
        _ if device == NULL => Stream::Null as u32,
        TTY | TTY_AUXILIARY | PTY..=PTY_LAST => Stream::Terminal as u32,
        _ => Stream::Other as u32,
    }
}
