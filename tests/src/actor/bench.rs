//! How long one small thing takes, measured where it is done: by the process itself, on one CPU, in batches.
//!
//! What is to be timed lies between two readings of CLOCK_MONOTONIC; what prepares it and what cleans up after it does not. Where
//! the thing is so short that reading the clock would show, several are timed together.

use super::open;
use crate::Context;
use clap::ValueEnum;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};
use std::ffi::{CString, c_char};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Args {
    /// What to measure.
    what: What,
    /// The file to open, or the program to run; it must end at once.
    #[arg(long)]
    path: Option<PathBuf>,
    /// Run on this CPU only.
    #[arg(long)]
    cpu: Option<usize>,
    /// How many batches; one more comes first and is not counted.
    #[arg(long, default_value_t = 20)]
    batches: usize,
    /// How often a batch does it.
    #[arg(long, default_value_t = 1000)]
    operations: u64,
    /// Have a descriptor of this number, for which the table that a process begins with (64) may be too small. Without it the
    /// table is such a small one.
    #[arg(long, default_value_t = 0)]
    descriptors: i32,
    /// This process was started for its small table.
    #[arg(long, hide = true)]
    afresh: bool,
    /// Pause between batches, microseconds: for whom it is measured with to catch up.
    #[arg(long, default_value_t = 0)]
    pause: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// getppid(2), which does nothing: what every system call pays.
    Getppid,
    /// openat(2) alone.
    Open,
    /// openat(2) and close(2).
    OpenClose,
    /// posix_spawn(3) of a program until it is reaped.
    Exec,
    /// socket(2), connect(2) to a listener on the loopback interface, close(2), over TCP.
    ConnectTcp,
    /// The same over UDP, where no packet goes out.
    ConnectUdp,
    /// send(2) of 64 KiB over a TCP connection on the loopback interface, up to the peer's receive queue.
    Send,
}

/// Opened before any is closed: with standard input, output and error fewer than the 64 of a small table.
const OPEN_AT_ONCE: u64 = 32;
const SEND: usize = 64 << 10;
/// `NR_OPEN_DEFAULT` of 64-bit kernels.
const SMALL_TABLE: u64 = 64;

/// Measures; nanoseconds of one operation, the mean of each batch, in the order in which they were measured.
pub fn bench(args: &Args) -> io::Result<Value> {
    if args.descriptors == 0 && !args.afresh && table()? > SMALL_TABLE {
        return bench_afresh();
    }
    if let Some(cpu) = args.cpu {
        let mut cpus = CpuSet::new();
        cpus.set(cpu);
        sched_setaffinity(None, &cpus).context(|| format!("CPU {cpu}"))?;
    }
    let path = || match &args.path {
        Some(path) => open::c_path(path),
        None => Err(io::Error::other("--path is needed for this")),
    };
    let _held = match args.descriptors {
        0 => None,
        number => Some(duplicate_to(number)?),
    };
    match args.what {
        What::Getppid => measure(args, getppid),
        What::Open => {
            let (path, mut opened) = (path()?, Vec::with_capacity(OPEN_AT_ONCE as usize));
            measure(args, |count| open_only(&path, &mut opened, count))
        }
        What::OpenClose => {
            let path = path()?;
            measure(args, |count| timed(|| (0..count).try_for_each(|_| open::openat(&path, FLAGS).map(drop))))
        }
        What::Exec => {
            let path = path()?;
            measure(args, |count| timed(|| (0..count).try_for_each(|_| spawn(&path))))
        }
        What::ConnectTcp => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let to = v4(listener.local_addr()?)?;
            measure(args, |count| sum(count, || connect_tcp(&listener, to)))
        }
        What::ConnectUdp => {
            let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            let to = v4(peer.local_addr()?)?;
            measure(args, |count| timed(|| (0..count).try_for_each(|_| connect(SocketType::DGRAM, to).map(drop))))
        }
        What::Send => {
            let (mut here, mut there) = pair()?;
            let mut bytes = vec![7; SEND];
            measure(args, |count| sum(count, || send(&mut here, &mut there, &mut bytes)))
        }
    }
}

/// Descriptors that the table has room for.
fn table() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context(|| "/proc/self/status".into())?;
    let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")?.trim().parse().ok());
    size.ok_or_else(|| io::Error::other("/proc/self/status has no FDSize"))
}

/// The same in a new process. Many a shell leaves a descriptor of a high number open; then all that it starts have a large table,
/// which never shrinks. A new process gets one that is as large as it must be for what is open (`dup_fd`, fs/file.c).
fn bench_afresh() -> io::Result<Value> {
    // SAFETY: nothing here uses a descriptor but standard input, output and error, and nothing comes after this.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    let mut command = Command::new("/proc/self/exe");
    let output = command.args(std::env::args_os().skip(1)).arg("--afresh").stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("measuring in a new process: {}", output.status)));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Calls `batch` with the number of operations to do; it returns how long they took.
fn measure(args: &Args, mut batch: impl FnMut(u64) -> io::Result<Duration>) -> io::Result<Value> {
    let count = args.operations.max(1);
    let mut nanoseconds = Vec::with_capacity(args.batches);
    batch(count)?;
    let start = Instant::now();
    for _ in 0..args.batches {
        std::thread::sleep(Duration::from_micros(args.pause));
        nanoseconds.push(batch(count)?.as_nanos() as f64 / count as f64);
    }
    Ok(json!({
        "nanoseconds": nanoseconds,
        "descriptor_table": table()?,
        "operations": count * (args.batches as u64 + 1),
        "wall_seconds": start.elapsed().as_secs_f64(),
    }))
}

const FLAGS: i32 = libc::O_RDONLY | libc::O_CLOEXEC;

fn timed(act: impl FnOnce() -> io::Result<()>) -> io::Result<Duration> {
    let start = Instant::now();
    act()?;
    Ok(start.elapsed())
}

fn sum(count: u64, mut act: impl FnMut() -> io::Result<Duration>) -> io::Result<Duration> {
    (0..count).map(|_| act()).sum()
}

fn getppid(count: u64) -> io::Result<Duration> {
    timed(|| {
        for _ in 0..count {
            // SAFETY: the call has no arguments and cannot fail.
            unsafe { libc::syscall(libc::SYS_getppid) };
        }
        Ok(())
    })
}

fn open_only(path: &CString, opened: &mut Vec<OwnedFd>, count: u64) -> io::Result<Duration> {
    let mut took = Duration::ZERO;
    let mut left = count;
    while left > 0 {
        let now = left.min(OPEN_AT_ONCE);
        took += timed(|| {
            for _ in 0..now {
                opened.push(open::openat(path, FLAGS)?);
            }
            Ok(())
        })?;
        opened.clear();
        left -= now;
    }
    Ok(took)
}

/// Starts the program without arguments and waits for its end.
fn spawn(program: &CString) -> io::Result<()> {
    let arguments: [*mut c_char; 2] = [program.as_ptr().cast_mut(), std::ptr::null_mut()];
    let environment: [*mut c_char; 1] = [std::ptr::null_mut()];
    let mut child = 0;
    // SAFETY: path and arguments end with NUL, the lists with null, and all live through the call, which changes none of them.
    let error = unsafe {
        libc::posix_spawn(
            &raw mut child,
            program.as_ptr(),
            std::ptr::null(),
            std::ptr::null(),
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error)).context(|| program.to_string_lossy().into_owned());
    }
    let mut status = 0;
    // SAFETY: `child` is a child of ours that nobody else waits for; `status` is an int.
    if unsafe { libc::waitpid(child, &raw mut status, 0) } != child {
        return Err(io::Error::last_os_error());
    }
    if status == 0 { Ok(()) } else { Err(io::Error::other(format!("{}: {status:#x}", program.to_string_lossy()))) }
}

fn connect(kind: SocketType, to: SocketAddrV4) -> io::Result<OwnedFd> {
    let socket = net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
    net::connect(&socket, &to).context(|| to.to_string())?;
    Ok(socket)
}

/// The client's side is timed; the server's accept(2) and close(2) lie between the two parts of it.
fn connect_tcp(listener: &TcpListener, to: SocketAddrV4) -> io::Result<Duration> {
    let start = Instant::now();
    let client = connect(SocketType::STREAM, to)?;
    let connected = start.elapsed();
    let (server, _) = listener.accept()?;
    // Closing by RST keeps no port in TIME_WAIT: there are not enough of them.
    net::sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
    let start = Instant::now();
    drop(client);
    let closed = start.elapsed();
    drop(server);
    Ok(connected + closed)
}

/// A connection whose receive queue has room for a whole send, since nobody reads meanwhile.
fn pair() -> io::Result<(TcpStream, TcpStream)> {
    const ROOM: usize = 4 * SEND;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    net::sockopt::set_socket_recv_buffer_size(listener.as_fd(), ROOM)?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    net::sockopt::set_socket_send_buffer_size(here.as_fd(), ROOM)?;
    here.set_nodelay(true)?;
    // An error instead of waiting for ever, should there be no room.
    here.set_write_timeout(Some(Duration::from_secs(5)))?;
    Ok((here, listener.accept()?.0))
}

fn send(here: &mut TcpStream, there: &mut TcpStream, bytes: &mut [u8]) -> io::Result<Duration> {
    let took = timed(|| here.write_all(bytes))?;
    there.read_exact(bytes)?;
    Ok(took)
}

fn v4(address: std::net::SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        std::net::SocketAddr::V4(address) => Ok(address),
        other => Err(io::Error::other(format!("{other} is not IPv4"))),
    }
}

/// A copy of standard error at this number.
fn duplicate_to(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: a number that is in use is not given out, since the lowest free one from `number` on is.
    let fd = unsafe { libc::fcntl(io::stderr().as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    if fd < 0 {
        return Err(io::Error::last_os_error()).context(|| format!("descriptor {number}"));
    }
    // SAFETY: the kernel just gave this descriptor to us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
