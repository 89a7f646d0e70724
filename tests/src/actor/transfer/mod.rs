//! Bytes moved in each of the ways that the kernel has, once each, by a process that has classified content open: so that what it
//! gives away is to be told, and what it takes back from there, too.
//!
//! The truth is the list `transfers`: what is to be told of, one a thing and direction, what had to be done beforehand included. Each
//! thing is new, so that nothing was ever told of it.

mod file;
mod socket;

use super::observe;
use super::uring::Ring;
use crate::Context;
use clap::ValueEnum;
use io_uring::squeue::Entry;
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

/// How many bytes each way moves: no power of two, and within one page's fragment of any pipe or socket.
const BYTES: usize = 5003;

/// `TMPFS_MAGIC`, `RAMFS_MAGIC` (include/uapi/linux/magic.h)
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

#[derive(clap::Args)]
pub struct Args {
    /// How the bytes move.
    #[arg(long)]
    what: What,
    /// Something classified: it is opened to be read, which is all that is done with it.
    #[arg(long)]
    source: PathBuf,
    /// A directory to make files in.
    place: PathBuf,
}

/// The ways; those that take are shown what those that give have filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum What {
    /// write(2), read(2) over a pipe
    Read,
    /// writev(2), readv(2)
    Readv,
    /// pwrite(2), pread(2) of a file in memory
    Pread,
    /// pwritev2(2), preadv2(2)
    Preadv2,
    /// From a file in memory to a pipe.
    Sendfile,
    /// splice(2) from a pipe to a file.
    SpliceToFile,
    /// splice(2) from a file to a pipe.
    SpliceFromFile,
    /// tee(2) from a pipe to another.
    Tee,
    /// vmsplice(2) into a pipe, and out of it.
    Vmsplice,
    /// copy_file_range(2)
    CopyFileRange,
    /// mmap(2), shared and writable: in touch from then on.
    MmapShared,
    /// mmap(2), private: as if it were read.
    MmapPrivate,
    /// ioctl(FICLONE)
    Ficlone,
    /// IORING_OP_WRITE, IORING_OP_READ
    UringRead,
    /// IORING_OP_SPLICE from a pipe to a file.
    UringSplice,
    /// IORING_OP_SEND, IORING_OP_RECV
    UringSend,
    /// send(2), recv(2) over a pair of unix sockets
    UnixStream,
    UnixSeqpacket,
    /// A connected pair.
    UnixDatagram,
    /// sendmsg(2), recvmsg(2) with a descriptor (SCM_RIGHTS), which then is read.
    Rights,
    /// sendmmsg(2), recvmmsg(2): it is known how many messages, not how many bytes.
    Mmsg,
    /// send(2) over TCP.
    Inet,
}

/// What moved, or why the kernel does not offer it.
type Done = Result<Vec<Value>, String>;

/// Moves bytes once; says what moved.
pub fn transfer(args: &Args) -> io::Result<Value> {
    use What::*;
    let _source = File::open(&args.source).context(|| args.source.display().to_string())?;
    let what = args.what.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let done = match args.what {
        UnixStream | UnixSeqpacket | UnixDatagram => socket::pair(args.what),
        Rights => socket::rights(),
        Mmsg => socket::many(),
        Inet => socket::inet(),
        UringSend => socket::by_ring(),
        UringRead | UringSplice => file::by_ring(args.what, &args.place),
        _ => file::by_call(args.what, &args.place),
    };
    Ok(match done.context(|| what.clone())? {
        Err(why) => observe::skipped(format!("{what}: {why}")),
        Ok(transfers) => json!({ "what": what, "transfers": transfers }),
    })
}

/// Which way bytes moved, seen from this process.
#[derive(Clone, Copy)]
enum Way {
    /// To the thing, or through it to whoever has its other end.
    Out,
    In,
    /// Mapped.
    Both,
}

/// That so many bytes moved between this process and `thing`: of a unix socket, the end that receives.
fn moved(way: Way, thing: impl AsFd, bytes: usize) -> io::Result<Value> {
    told(way, thing.as_fd(), bytes as u64, false)
}

/// That at most so many bytes moved.
fn moved_at_most(way: Way, thing: impl AsFd, bytes: u64) -> io::Result<Value> {
    told(way, thing.as_fd(), bytes, true)
}

fn told(way: Way, thing: BorrowedFd<'_>, bytes: u64, bound: bool) -> io::Result<Value> {
    use rustix::fs::FileType;
    let stat = rustix::fs::fstat(thing)?;
    let carrier = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => "pipe",
        FileType::Socket if rustix::net::sockopt::socket_domain(thing)? == rustix::net::AddressFamily::UNIX => {
            "unix_socket"
        }
        FileType::Socket => "inet_socket",
        _ if u32::try_from(rustix::fs::fstatfs(thing)?.f_type).is_ok_and(|kind| IN_MEMORY.contains(&kind)) => "memory",
        _ => "file",
    };
    // Of an IPv4 or IPv6 socket the sensor says the cookie.
    let socket = carrier == "inet_socket";
    Ok(json!({
        "weir.transfer.direction": match way {
            Way::Out => "out",
            Way::In => "in",
            Way::Both => "both",
        },
        "weir.transfer.carrier": carrier,
        "weir.transfer.bytes": bytes,
        "weir.transfer.bound": bound,
        "file.inode": (!socket).then(|| stat.st_ino.to_string()),
        "weir.socket.cookie": if socket { Some(rustix::net::sockopt::socket_cookie(thing)?) } else { None },
    }))
}

/// That io_uring did it.
fn by_ring(mut transfer: Value) -> Value {
    transfer["weir.io_uring"] = true.into();
    transfer
}

/// What is moved.
fn content() -> Vec<u8> {
    vec![b'w'; BYTES]
}

/// That all of it moved.
fn whole(moved: usize) -> io::Result<()> {
    if moved == BYTES { Ok(()) } else { Err(io::Error::other(format!("{moved} of {BYTES} bytes moved"))) }
}

/// Carries out one request that must move all of it; the inner error says so if the kernel does not know it.
///
/// # Safety
/// As [`Ring::request`].
unsafe fn request(ring: &mut Ring, entry: Entry) -> io::Result<Result<(), String>> {
    // SAFETY: by the contract above.
    let moved = match unsafe { ring.request(entry)? } {
        Ok(moved) => moved,
        Err(why) => return Ok(Err(why)),
    };
    whole(usize::try_from(moved).unwrap_or(0)).map(Ok)
}
