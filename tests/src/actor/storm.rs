//! One small thing, many times: exactly as often as asked, spread over threads.

use super::open;
use crate::Context;
use serde_json::{Value, json};
use std::ffi::CString;
use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// The file to open (`--opens`).
    #[arg(long, required_unless_present_any = ["execs", "forks", "connects"])]
    path: Option<PathBuf>,
    /// Every second open is of this file instead (`--opens`).
    #[arg(long)]
    miss: Option<PathBuf>,
    /// Where to connect to (`--connects`).
    #[arg(long, required_unless_present_any = ["opens", "execs", "forks"])]
    to: Option<SocketAddr>,
    /// Over what (`--connects`): a UDP socket is connected without a packet.
    #[arg(long, default_value = "tcp")]
    proto: super::upload::Proto,
    /// Goes on in rounds of as many until this file is there (`--opens`).
    #[arg(long)]
    until: Option<PathBuf>,
    /// With so many milliseconds between two rounds.
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// By how many threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Open and close a file so many times.
    #[arg(long)]
    opens: Option<u64>,
    /// Run a program that does nothing so many times.
    #[arg(long)]
    execs: Option<u64>,
    /// Fork a process that ends at once so many times.
    #[arg(long)]
    forks: Option<u64>,
    /// Connect and close so many times.
    #[arg(long)]
    connects: Option<u64>,
}

/// Does it. An error is an error of the first thread that had one; then the count is not what was asked.
pub fn storm(args: &Args) -> io::Result<Value> {
    let started = Instant::now();
    let (kind, count, mut truth) = match (&args.what, &args.path, args.to) {
        (What { opens: Some(count), .. }, Some(path), _) => {
            let hit = open::c_path(path)?;
            let miss = args.miss.as_deref().map(open::c_path).transpose()?;
            let (mut all, mut misses) = (0, 0);
            loop {
                misses += spread(*count, args.threads, |number| open_once(number, &hit, miss.as_ref()))?;
                all += count;
                if args.until.as_deref().is_none_or(Path::exists) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(args.pause));
            }
            ("opens", all, json!({ "hits": all - misses, "misses": misses }))
        }
        (What { execs: Some(count), .. }, ..) => {
            let program = std::env::current_exe()?;
            spread(*count, args.threads, |_| exec_once(&program))?;
            ("execs", *count, json!({}))
        }
        (What { forks: Some(count), .. }, ..) => {
            spread(*count, args.threads, |_| fork_once())?;
            ("forks", *count, json!({}))
        }
        (What { connects: Some(count), .. }, _, Some(to)) => {
            spread(*count, args.threads, |_| connect_once(to, args.proto))?;
            ("connects", *count, json!({}))
        }
        _ => return Err(io::Error::other("--opens needs --path, --connects needs --to")),
    };
    truth[kind] = count.into();
    truth["process.vpid"] = std::process::id().into();
    truth["threads"] = args.threads.into();
    truth["nanoseconds"] = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX).into();
    Ok(truth)
}

/// Calls `act` with 0..count, spread over threads; the sum of what it returns.
fn spread(count: u64, threads: u32, act: impl Fn(u64) -> io::Result<u64> + Sync) -> io::Result<u64> {
    let threads = u64::from(threads);
    if threads == 1 {
        return (0..count).map(&act).sum();
    }
    std::thread::scope(|scope| {
        let act = &act;
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || (first..count).step_by(threads as usize).map(act).sum::<io::Result<u64>>())
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread died")))).sum()
    })
}

/// 1 if it was a miss.
fn open_once(number: u64, hit: &CString, miss: Option<&CString>) -> io::Result<u64> {
    let (path, missed) = match miss {
        Some(miss) if number % 2 == 1 => (miss, 1),
        _ => (hit, 0),
    };
    open::openat(path, libc::O_RDONLY | libc::O_CLOEXEC).context(|| path.to_string_lossy().into_owned())?;
    Ok(missed)
}

fn exec_once(program: &PathBuf) -> io::Result<u64> {
    let status = Command::new(program).arg("noop").stdin(Stdio::null()).status()?;
    if status.success() { Ok(0) } else { Err(io::Error::other(format!("{} noop: {status}", program.display()))) }
}

fn fork_once() -> io::Result<u64> {
    // SAFETY: the child only ends itself, which is safe between fork and exec whatever the other threads hold.
    let child = unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(0);
        }
        child
    };
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut status = 0;
    // SAFETY: `child` is a child of ours that nobody else waits for; `status` is an int.
    if unsafe { libc::waitpid(child, &raw mut status, 0) } == child { Ok(0) } else { Err(io::Error::last_os_error()) }
}

fn connect_once(to: SocketAddr, proto: super::upload::Proto) -> io::Result<u64> {
    match proto {
        super::upload::Proto::Tcp => {
            let stream = TcpStream::connect(to).context(|| to.to_string())?;
            // Closing by RST keeps no port in TIME_WAIT: a storm would run out of them. A peer whose queue is full may miss it.
            rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO))?;
        }
        super::upload::Proto::Udp => {
            let any: SocketAddr =
                if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16, 0, 0, 0, 0, 0, 0, 0], 0).into() };
            UdpSocket::bind(any)?.connect(to).context(|| to.to_string())?;
        }
    }
    Ok(0)
}
