//! Deeds: what the sensor reports besides opens, execs and flows, each done once by the raw system call.
//!
//! The truth is the list `deeds`: everything that the actor did that is to be reported, in its order, what it had to do beforehand
//! included; empty for a deed that is nobody's business. A field that is null must be absent. What the kernel does not offer is
//! `skipped`.

mod access;
mod bpf;
mod call;
mod mount;
mod name;
mod namespace;
mod socket;

pub use call::By;

use super::observe;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// The deed.
    #[arg(long)]
    what: What,
    /// By which way into the kernel.
    #[arg(long, default_value = "call")]
    by: By,
    /// io_uring: let a kernel worker thread do it (IOSQE_ASYNC).
    #[arg(long = "async")]
    asynchronous: bool,
    /// The new name of rename and link.
    #[arg(long)]
    to: Option<PathBuf>,
    /// The new size of truncate, bytes.
    #[arg(long, default_value_t = 0)]
    size: u64,
    /// Get at the memory of this process, not of another.
    #[arg(long)]
    own: bool,
    /// The kernel's id of a map or a link.
    #[arg(long, default_value_t = 0)]
    id: u32,
    /// The name of a program or a map.
    #[arg(long, default_value = "weir_deed")]
    name: String,
    /// The file; of mounts, an empty directory to do them in. Absolute, or it is reported as it is.
    path: Option<PathBuf>,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum What {
    Rename,
    Renameat,
    Renameat2,
    Link,
    Linkat,
    Unlink,
    Unlinkat,
    /// unlinkat(AT_REMOVEDIR): a directory, which is nobody's business.
    Rmdir,
    Truncate,
    Ftruncate,
    SocketPacket,
    SocketRaw,
    /// The same by socketcall(2), which only the 32-bit convention has.
    SocketcallRaw,
    SocketVsock,
    SocketXdp,
    SocketInet,
    SocketUnix,
    PtraceSeize,
    PtraceAttach,
    ProcessVmReadv,
    ProcessVmWritev,
    PidfdGetfd,
    ProcMem,
    MountTmpfs,
    MountBind,
    MoveMount,
    PivotRoot,
    Unshare,
    Setns,
    /// setns(2) that takes whatever the descriptor is of.
    SetnsAny,
    BpfProgLoad,
    /// Says what has that name; no deed of its own.
    BpfFind,
    BpfMapGetFdById,
    BpfMapDeleteElem,
    BpfLinkDetach,
}

/// What was done, or why the kernel does not offer it.
type Done = Result<Vec<Value>, String>;

/// Does it, and says what was done.
pub fn deed(args: &Args) -> io::Result<Value> {
    use What::*;
    let path = || args.path.as_deref().ok_or_else(|| io::Error::other("a path is needed"));
    let mode = super::uring::Mode { asynchronous: args.asynchronous, sqpoll: false };
    let done = match args.what {
        Rename | Renameat | Renameat2 | Link | Linkat => {
            let to = args.to.as_deref().ok_or_else(|| io::Error::other("--to is needed"))?;
            name::give(args.what, args.by, mode, path()?, to)?
        }
        Unlink | Unlinkat | Rmdir => name::remove(args.what, args.by, mode, path()?)?,
        Truncate | Ftruncate => name::truncate(args.what, args.by, mode, path()?, args.size)?,
        SocketPacket | SocketRaw | SocketcallRaw | SocketVsock | SocketXdp | SocketInet | SocketUnix => {
            socket::make(args.what, args.by, mode)?
        }
        PtraceSeize | PtraceAttach | ProcessVmReadv | ProcessVmWritev | PidfdGetfd | ProcMem => {
            access::access(args.what, args.by, args.own)?
        }
        MountTmpfs | MountBind | MoveMount | PivotRoot => mount::mount(args.what, args.by, path()?)?,
        Unshare | Setns | SetnsAny => namespace::change(args.what, args.by)?,
        BpfFind => return bpf::find(&args.name),
        BpfProgLoad => bpf::load(&args.name)?,
        BpfMapGetFdById | BpfMapDeleteElem | BpfLinkDetach => bpf::touch(args.what, args.id)?,
    };
    let what = args.what.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    Ok(match done {
        Err(why) => observe::skipped(format!("{what} by {:?}: {why}", args.by)),
        Ok(deeds) => json!({ "what": what, "deeds": deeds, "process.vpid": std::process::id() }),
    })
}

/// A path as the sensor should give it.
fn text(path: &Path) -> io::Result<String> {
    Ok(std::path::absolute(path)?.to_string_lossy().into_owned())
}
