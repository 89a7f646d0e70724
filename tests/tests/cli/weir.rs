//! Running `weir` to its end, in worlds that lack something.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use tests::scene::Directory;
use tests::wait::{PATIENCE, scaled};
use tests::{Context, locate};

/// The user `nobody`.
pub const NOBODY: u32 = 65_534;

/// How a `weir` ended, and what it said.
pub struct Ended {
    /// Its exit status; nothing if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The command `weir` with these arguments, and nothing of our environment that it would heed.
pub fn weir(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(locate::weir()?);
    command.args(arguments);
    quiet(&mut command);
    Ok(command)
}

fn quiet(command: &mut Command) {
    for variable in ["WEIR_LOG", "WEIR_EBPF_OBJECT", "RUST_LOG", "NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
        command.env_remove(variable);
    }
    // What one test leaves there is no other's business; scenes that nobody has any more are swept.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let state = format!("weir-scene-state-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    command.env("WEIR_STATE_DIR", std::env::temp_dir().join(state));
    // Wider than any line may be; and a panic should be seen as what it is.
    command.env("COLUMNS", "200").env("RUST_BACKTRACE", "0").stdin(Stdio::null());
}

/// Runs `weir` with these arguments to its end; its output is caught.
pub fn run(arguments: &[&str]) -> io::Result<Ended> {
    end_of(weir(arguments)?.stdout(Stdio::piped()))
}

/// Runs a command to its end, and not for ever. Where it writes to is as the caller chose, else caught.
pub fn end_of(command: &mut Command) -> io::Result<Ended> {
    let name = format!("{command:?}");
    let child = command.stderr(Stdio::piped()).spawn().context(|| name.clone())?;
    ended(child).context(|| name)
}

/// Waits for a child's end. One that does not end is killed, and that is an error.
pub fn ended(child: Child) -> io::Result<Ended> {
    // None, if it has ended and been waited for already.
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
    let (done, wait) = mpsc::channel();
    let waiter = std::thread::spawn(move || done.send(child.wait_with_output()));
    let output = wait.recv_timeout(scaled(PATIENCE));
    if let (Err(_), Some(process)) = (&output, &process) {
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
    let _ = waiter.join();
    let output = output.map_err(|_| io::Error::other(format!("it did not end within {PATIENCE:?}")))??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) })
}

/// For assertions: the beginning of what it said. Command lines of the whole machine are in events.
impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |text: &str| text.chars().take(1_000).collect::<String>();
        let Ended { status, out, err } = self;
        f.debug_struct("Ended").field("status", status).field("out", &cut(out)).field("err", &cut(err)).finish()
    }
}

impl Ended {
    /// Asserts that it refused as it has to: with `status`, nothing on standard output, and one line on standard error, a sentence
    /// for people that has each of `words` in it.
    #[track_caller]
    pub fn refuses(&self, status: i32, words: &[&str]) {
        self.complains(status, words);
        assert_eq!(self.out, "", "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "one line: {}", self.err);
    }

    /// The same, whatever it had written before, and however many lines it takes to say (clap's usage).
    #[track_caller]
    pub fn complains(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(self.err.starts_with("error: "), "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in: {}", self.err);
        }
        // What only programmers can read.
        for trace in ["panicked", "{ ", "Err(", "Some(", "Error {", "\u{1b}", "kind: "] {
            assert!(!self.err.contains(trace), "{trace:?} is in: {}", self.err);
        }
        assert!(self.err.ends_with('\n'));
    }

    /// Asserts that all was well and nothing was said about it.
    #[track_caller]
    pub fn is_quiet(&self) {
        assert_eq!((self.status, self.err.as_str()), (Some(0), ""), "{self:?}");
    }
}

/// `weir` for somebody who is not root: a copy that everybody can reach, run as `nobody`, without any capability.
pub struct Nobody {
    directory: Directory,
}

impl Nobody {
    pub fn new() -> io::Result<Nobody> {
        let directory = Directory::new()?;
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))?;
        // Not by ourselves: what is open for writing, also in a child that another thread forks, cannot be run.
        let copied = Command::new("cp").arg(locate::weir()?).arg(directory.path().join("weir")).status()?;
        if copied.success() { Ok(Nobody { directory }) } else { Err(io::Error::other("cp failed")) }
    }

    pub fn weir(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.directory.path().join("weir"));
        command.args(arguments).uid(NOBODY).gid(NOBODY);
        quiet(&mut command);
        command
    }
}

/// Something that a program finds other than it is.
pub enum Change {
    /// An empty directory is in its place.
    Empty(CString),
    /// Another file or directory, the first, is in its place.
    Other(CString, CString),
    /// The mount is not there.
    Unmounted(CString),
}

impl Change {
    pub fn empty(path: &str) -> io::Result<Change> {
        Ok(Change::Empty(c_path(Path::new(path))?))
    }

    pub fn other(source: &Path, target: &str) -> io::Result<Change> {
        Ok(Change::Other(c_path(source)?, c_path(Path::new(target))?))
    }

    pub fn unmounted(path: &Path) -> io::Result<Change> {
        Ok(Change::Unmounted(c_path(path)?))
    }

    fn make(&self) -> io::Result<()> {
        let null: *const libc::c_char = std::ptr::null();
        // SAFETY: all strings live through the calls and end with a null byte; the mounts are of this process's own namespace.
        let made = unsafe {
            match self {
                Change::Empty(path) => libc::mount(c"none".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), 0, null.cast()),
                Change::Other(source, target) => {
                    libc::mount(source.as_ptr(), target.as_ptr(), null, libc::MS_BIND, null.cast())
                }
                Change::Unmounted(path) => libc::umount2(path.as_ptr(), libc::MNT_DETACH),
            }
        };
        if made == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Runs `weir` in a mount namespace of its own in which things are other than they are.
pub fn run_where(changes: Vec<Change>, arguments: &[&str]) -> io::Result<Ended> {
    let mut command = weir(arguments)?;
    // SAFETY: between fork and exec this makes system calls only, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            if libc::unshare(libc::CLONE_NEWNS) != 0 {
                return Err(io::Error::last_os_error());
            }
            let (null, private) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
            if libc::mount(null, c"/".as_ptr(), null, private, null.cast()) != 0 {
                return Err(io::Error::last_os_error());
            }
            changes.iter().try_for_each(Change::make)
        });
    }
    end_of(command.stdout(Stdio::piped()))
}

/// Starts `weir` (`events` or `run`) with its output going to `out`, and waits until everything is attached.
pub fn start(arguments: &[&str], out: Stdio) -> io::Result<Child> {
    let (mut notices, notice) = io::pipe()?;
    let number = notice.as_raw_fd();
    let mut command = weir(arguments)?;
    command.args(["--notify-fd", &number.to_string()]).stdout(out).stderr(Stdio::piped());
    // SAFETY: between fork and exec this makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(move || match libc::fcntl(number, libc::F_SETFD, 0) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    let child = command.spawn()?;
    drop(notice);
    let mut word = String::new();
    io::Read::read_to_string(&mut notices, &mut word)?;
    if word == "ready\n" {
        return Ok(child);
    }
    Err(io::Error::other(format!("it did not become ready: {:?}", ended(child)?)))
}
