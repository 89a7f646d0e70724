//! How long one small thing takes, measured where it is done: by the process itself, on one CPU, in batches.
//!
//! What is to be timed lies between two readings of CLOCK_MONOTONIC; what prepares it and what cleans up after it does not. Where
//! the thing is so short that reading the clock would show, several are timed together.

mod connection;
mod content;
mod loader;
mod packet;
mod web;

use super::open;
use crate::Context;
use clap::ValueEnum;
use connection::{SEND, connect, connect_tcp, pair, send, v4};
use content::Things;
use loader::Loader;
use rustix::net::SocketType;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};
use std::ffi::{CString, c_char};
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use web::Web;

#[derive(clap::Args)]
pub struct Args {
    /// What to measure.
    what: What,
    /// The file to open, or the program to run; it must end at once.
    #[arg(long)]
    path: Option<PathBuf>,
    /// Have this file open for reading, and read it: for `web` the server has. It is weights.
    #[arg(long)]
    hold: Option<PathBuf>,
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
    /// read(2) of 1 KiB of a regular file.
    ReadFile,
    /// write(2) of 1 KiB to a regular file, over what is there.
    WriteFile,
    /// The same of a pipe, with what was written to it before.
    ReadPipe,
    /// The same to a pipe, which has room.
    WritePipe,
    /// The same of a unix socket.
    ReadUnix,
    /// The same to a unix socket.
    WriteUnix,
    /// send(2) of a datagram of 1000 bytes over the loopback interface.
    PacketUdp,
    /// send(2) of a segment of 1000 bytes over a TCP connection on the loopback interface.
    PacketTcp,
    /// A request and its answer of 2 kB over one of eight TCP connections that stay, from one process to another.
    Web,
    /// open(2), read(2) to the end, and close(2) of one of many files of 100 kB beside `--path`, by a thread a CPU.
    Load,
}

/// Opened before any is closed: with standard input, output and error fewer than the 64 of a small table.
const OPEN_AT_ONCE: u64 = 32;
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
    let _descriptor = match args.descriptors {
        0 => None,
        number => Some(duplicate_to(number)?),
    };
    let beside = || args.path.as_deref().ok_or_else(|| io::Error::other("--path is needed for this"));
    let operations = args.operations;
    match args.what {
        What::Getppid => measure(args, operations, getppid),
        What::Open => {
            let (path, mut opened) = (path()?, Vec::with_capacity(OPEN_AT_ONCE as usize));
            measure(args, operations, |count| open_only(&path, &mut opened, count))
        }
        What::OpenClose => {
            let path = path()?;
            measure(args, operations, |count| {
                timed(|| (0..count).try_for_each(|_| open::openat(&path, FLAGS).map(drop)))
            })
        }
        What::Exec => {
            let path = path()?;
            measure(args, operations, |count| timed(|| (0..count).try_for_each(|_| spawn(&path))))
        }
        What::ConnectTcp => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let to = v4(listener.local_addr()?)?;
            measure(args, operations, |count| sum(count, || connect_tcp(&listener, to)))
        }
        What::ConnectUdp => {
            let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            let to = v4(peer.local_addr()?)?;
            measure(args, operations, |count| {
                timed(|| (0..count).try_for_each(|_| connect(SocketType::DGRAM, to).map(drop)))
            })
        }
        What::Send => {
            let (mut here, mut there) = pair()?;
            let mut bytes = vec![7; SEND];
            measure(args, operations, |count| sum(count, || send(&mut here, &mut there, &mut bytes)))
        }
        What::ReadFile => content(args, Things::file(beside()?)?, Things::read),
        What::WriteFile => content(args, Things::file(beside()?)?, Things::write),
        What::ReadPipe => content(args, Things::pipe()?, Things::read),
        What::WritePipe => content(args, Things::pipe()?, Things::write),
        What::ReadUnix => content(args, Things::unix()?, Things::read),
        What::WriteUnix => content(args, Things::unix()?, Things::write),
        What::PacketUdp => holding(args, packet::rounded(operations), packet::udp()?),
        What::PacketTcp => holding(args, packet::rounded(operations), packet::tcp()?),
        What::Web => {
            let mut web = Web::start(|| hold(args))?;
            let measured = measure(args, Web::rounded(operations), |count| web.ask(count))?;
            web.end().map(|()| measured)
        }
        What::Load => {
            let loader = Loader::new(beside()?)?;
            measure(args, loader.rounded(operations), |count| loader.load(count))
        }
    }
}

/// What is read or written is made before anything is held: what a holder makes carries something from the beginning.
fn content(
    args: &Args,
    mut things: Things,
    batch: impl Fn(&mut Things, u64) -> io::Result<Duration>,
) -> io::Result<Value> {
    holding(args, Things::rounded(args.operations), |count| batch(&mut things, count))
}

/// Measures while this process has the file of `--hold` open.
fn holding(args: &Args, operations: u64, batch: impl FnMut(u64) -> io::Result<Duration>) -> io::Result<Value> {
    let _held = hold(args)?;
    measure(args, operations, batch)
}

/// Opens the file of `--hold` and reads of it, as who loads weights does.
fn hold(args: &Args) -> io::Result<Option<File>> {
    let Some(path) = &args.hold else { return Ok(None) };
    let mut file = File::open(path).context(|| path.display().to_string())?;
    file.read_exact(&mut [0; 64])?;
    Ok(Some(file))
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
fn measure(args: &Args, operations: u64, mut batch: impl FnMut(u64) -> io::Result<Duration>) -> io::Result<Value> {
    let count = operations.max(1);
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
