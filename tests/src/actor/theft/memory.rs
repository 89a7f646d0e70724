//! Memory that two have, or that one takes from the other.

use super::{Args, Carrier, Half, send, take};
use crate::Context;
use crate::actor::process::Child;
use crate::wait::{PATIENCE, until};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

/// Memory that is shared with whoever is forked, of a file or of none.
struct Shared {
    start: *mut u8,
    length: usize,
}

impl Shared {
    fn new(file: Option<&File>, length: usize) -> io::Result<Shared> {
        let (flags, descriptor) = match file {
            Some(file) => (libc::MAP_SHARED, file.as_raw_fd()),
            None => (libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1),
        };
        // SAFETY: a new mapping at a place of the kernel's choice; checked below.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, descriptor, 0)
        };
        if start == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Shared { start: start.cast(), length })
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: mapped readable, of that length, as long as this lives; whoever writes to it has ended by then.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, writable; nobody else looks before the writer has ended.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`; nothing borrows from it.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

/// How much is stolen: the file, or the limit.
fn length(args: &Args) -> io::Result<usize> {
    // Who only receives may not see the file.
    let size = match &args.read {
        Some(path) => std::fs::metadata(path)?.len(),
        None => u64::MAX,
    };
    Ok(usize::try_from(size.min(args.limit)).unwrap_or(usize::MAX))
}

/// The reader fills memory that the sender has too, mapped by each (a file) or before both were forked (none).
pub fn map(args: &Args) -> io::Result<()> {
    let length = length(args)?;
    match args.half {
        // The file is made by who reads, filled, and then known under its name; who sends maps it when it is there.
        Some(Half::Give) => {
            let place = args.place()?;
            let draft = place.with_extension("draft");
            let file = File::options().read(true).write(true).create_new(true).open(&draft)?;
            file.set_len(length as u64)?;
            fill(args, &mut Shared::new(Some(&file), length)?)?;
            return std::fs::rename(&draft, place);
        }
        Some(Half::Receive) => {
            let file = until(PATIENCE, "the file is there", || {
                File::options().read(true).write(true).open(args.place().ok()?).ok()
            })?;
            return send::send(args, &mut Shared::new(Some(&file), length)?.bytes());
        }
        None => {}
    }
    let file = match args.carrier {
        Carrier::Map => {
            let place = args.place()?;
            let file = File::options().read(true).write(true).create_new(true).open(place);
            let file = file.context(|| place.display().to_string())?;
            file.set_len(length as u64)?;
            Some(file)
        }
        _ => None,
    };
    let mut before = if file.is_none() { Some(Shared::new(None, length)?) } else { None };
    let mapped = || Shared::new(file.as_ref(), length);
    Child::start(|| match &mut before {
        Some(memory) => fill(args, memory),
        None => fill(args, &mut mapped()?),
    })?
    .join()?;
    Child::start(|| match &before {
        Some(memory) => send::send(args, &mut memory.bytes()),
        None => send::send(args, &mut mapped()?.bytes()),
    })?
    .join()
}

fn fill(args: &Args, memory: &mut Shared) -> io::Result<()> {
    match take::source(args)? {
        Some(mut source) => source.read_exact(memory.bytes_mut()),
        None => Ok(()),
    }
}

/// A process loads the file, as a server does; another, which never opens it, copies the memory.
pub fn other(args: &Args) -> io::Result<()> {
    let length = length(args)?;
    prey(
        args,
        || {
            let Some(source) = take::source(args)? else { return Ok(None) };
            let whole = super::read_whole(source, args.limit)?;
            let address = whole.as_ptr().expose_provenance();
            Ok(Some((whole, address)))
        },
        |pid, address| {
            let whole = match args.carrier {
                Carrier::ProcessVmReadv => by_call(pid, address, length)?,
                Carrier::ProcMem => by_file(pid, address, length)?,
                _ => by_words(pid, address, length)?,
            };
            send::send(args, &mut whole.as_slice())
        },
    )
}

/// The prey `load`s and waits; the thief `take`s from it, given its pid and the number that says where to look. By halves the
/// number is in the file `--place`, which the thief removes when it has what it wants.
pub fn prey<T>(
    args: &Args,
    load: impl FnOnce() -> io::Result<Option<(T, usize)>>,
    take: impl FnOnce(libc::pid_t, usize) -> io::Result<()>,
) -> io::Result<()> {
    match args.half {
        None => {
            let (mut theirs, ours) = UnixStream::pair()?;
            let prey = Child::start({
                let mut ours = ours;
                move || {
                    let Some((_loaded, number)) = load()? else { return Ok(()) };
                    ours.write_all(&number.to_ne_bytes())?;
                    ours.read(&mut [0]).map(drop)
                }
            })?;
            let mut number = [0; size_of::<usize>()];
            theirs.read_exact(&mut number)?;
            Child::start(|| take(prey.pid(), usize::from_ne_bytes(number)))?.join()?;
            // It has a copy of our end too, so that closing it would say nothing.
            theirs.write_all(&[0])?;
            prey.join()
        }
        Some(Half::Give) => {
            let place = args.place()?;
            let Some((_loaded, number)) = load()? else { return Ok(()) };
            let draft = place.with_extension("draft");
            std::fs::write(&draft, format!("{} {number}", std::process::id()))?;
            std::fs::rename(&draft, place)?;
            until(PATIENCE, "the thief has what it wants", || (!place.exists()).then_some(()))
        }
        Some(Half::Receive) => {
            let place = args.place()?;
            let text = until(PATIENCE, "the prey is there", || std::fs::read_to_string(place).ok())?;
            let (pid, number) = text.split_once(' ').ok_or_else(|| io::Error::other("no pid and number"))?;
            let parse = |_| io::Error::other("no numbers");
            take(pid.parse().map_err(parse)?, number.parse().map_err(parse)?)?;
            std::fs::remove_file(place)
        }
    }
}

/// A process that opens nothing waits with empty memory; another loads the file and writes it there.
pub fn pushed(args: &Args) -> io::Result<()> {
    let length = length(args)?;
    let (mut theirs, ours) = UnixStream::pair()?;
    let sender = Child::start({
        let mut ours = ours;
        move || {
            let memory = vec![0u8; length];
            ours.write_all(&memory.as_ptr().expose_provenance().to_ne_bytes())?;
            ours.read_exact(&mut [0])?;
            // What was written from outside is read as what it is now, not as the compiler remembers it.
            send::send(args, &mut std::hint::black_box(&memory).as_slice())
        }
    })?;
    let mut address = [0; size_of::<usize>()];
    theirs.read_exact(&mut address)?;
    let address = usize::from_ne_bytes(address);
    Child::start(|| {
        let Some(source) = take::source(args)? else { return Ok(()) };
        let whole = super::read_whole(source, args.limit)?;
        let local = libc::iovec { iov_base: whole.as_ptr().cast_mut().cast(), iov_len: whole.len() };
        let remote = libc::iovec { iov_base: std::ptr::with_exposed_provenance_mut(address), iov_len: whole.len() };
        // SAFETY: the local place is ours, of that length, and only read; the other is memory that its owner made for this.
        let moved = unsafe { libc::process_vm_writev(sender.pid(), &raw const local, 1, &raw const remote, 1, 0) };
        match usize::try_from(moved) {
            Ok(moved) if moved == whole.len() => Ok(()),
            Ok(moved) => Err(io::Error::other(format!("{moved} of {} bytes were written", whole.len()))),
            Err(_) => Err(io::Error::last_os_error()).context(|| "process_vm_writev".into()),
        }
    })?
    .join()?;
    theirs.write_all(&[0])?;
    sender.join()
}

/// process_vm_readv(2)
fn by_call(pid: libc::pid_t, address: usize, length: usize) -> io::Result<Vec<u8>> {
    let mut copy = vec![0u8; length];
    let mut done = 0;
    while let Some(rest) = copy.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let local = libc::iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: rest.len() };
        let remote =
            libc::iovec { iov_base: std::ptr::with_exposed_provenance_mut(address + done), iov_len: rest.len() };
        // SAFETY: the local place is ours and of that length; the other is checked by the kernel.
        let moved = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
        match usize::try_from(moved) {
            Ok(1..) => done += moved.unsigned_abs(),
            _ => return Err(io::Error::last_os_error()).context(|| "process_vm_readv".into()),
        }
    }
    Ok(copy)
}

/// /proc/PID/mem
fn by_file(pid: libc::pid_t, address: usize, length: usize) -> io::Result<Vec<u8>> {
    let path = format!("/proc/{pid}/mem");
    let mut copy = vec![0; length];
    let memory = File::open(&path).context(|| path.clone())?;
    memory.read_exact_at(&mut copy, address as u64).context(|| path)?;
    Ok(copy)
}

/// PTRACE_PEEKDATA, a word a call.
fn by_words(pid: libc::pid_t, address: usize, length: usize) -> io::Result<Vec<u8>> {
    const WORD: usize = size_of::<libc::c_long>();
    let check = |returned: libc::c_long| if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: takes hold of the process; no memory of ours is touched.
    check(unsafe { libc::ptrace(libc::PTRACE_ATTACH, pid, nothing, nothing) }).context(|| "ptrace".into())?;
    // SAFETY: waits for the stop of a process that is traced; its status is not asked for.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
    let mut copy = Vec::with_capacity(length + WORD);
    while copy.len() < length {
        let place = std::ptr::with_exposed_provenance_mut::<libc::c_void>(address + copy.len());
        // A word may be -1: only errno tells an error from it.
        // SAFETY: errno is this thread's; the kernel checks the place in the other process.
        let (word, error) = unsafe {
            *libc::__errno_location() = 0;
            let word = libc::ptrace(libc::PTRACE_PEEKDATA, pid, place, nothing);
            (word, *libc::__errno_location())
        };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error)).context(|| "PTRACE_PEEKDATA".into());
        }
        copy.extend(word.to_ne_bytes());
    }
    // SAFETY: lets it go.
    check(unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, nothing, nothing) })?;
    copy.truncate(length);
    Ok(copy)
}

/// What the child that shares all memory works on.
struct Errand {
    path: CString,
    buffer: Vec<u8>,
    done: usize,
    child_on_host: [u8; 16],
}

/// A child with this process's memory (CLONE_VM, as vfork has it) opens and reads; this process sends, and has never opened anything.
pub fn clone_vm(args: &Args) -> io::Result<()> {
    let path = args.source()?;
    let mut errand = Errand {
        path: crate::actor::open::c_path(path)?,
        buffer: vec![0; length(args)?],
        done: 0,
        child_on_host: [0; 16],
    };
    let mut stack = vec![0u8; 1 << 18];
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: this thread is suspended until the child has ended (CLONE_VFORK), so nothing is used by two at a time; the child runs on
    // a stack of its own and makes only system calls; `errand` and `stack` live through it.
    let child = unsafe { libc::clone(run_errand, top.cast(), flags, (&raw mut errand).cast()) };
    if child < 0 {
        return Err(io::Error::last_os_error()).context(|| "clone".into());
    }
    // SAFETY: our child; its status is not asked for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    if errand.done != errand.buffer.len() {
        return Err(io::Error::other(format!("the child read {} of {} bytes", errand.done, errand.buffer.len())));
    }
    // The child could say nothing itself: its truth is what it left.
    let host = String::from_utf8_lossy(&errand.child_on_host);
    let mut truth = crate::actor::observe::fields(&rustix::fs::stat(path)?, &path.to_string_lossy());
    truth.insert("role".into(), "reader".into());
    truth.insert("process.pid".into(), host.trim_end_matches('\0').parse::<u32>().ok().into());
    truth.insert("process.vpid".into(), child.into());
    io::stdout().write_all(format!("{}\n", serde_json::Value::Object(truth)).as_bytes())?;
    send::send(args, &mut errand.buffer.as_slice())
}

extern "C" fn run_errand(errand: *mut libc::c_void) -> libc::c_int {
    // SAFETY: what `clone_vm` passed, which nobody else uses until this ends; each call is given places that live and their lengths.
    unsafe {
        let errand = &mut *errand.cast::<Errand>();
        let link = c"/opt/weir/host-proc/self";
        libc::readlink(link.as_ptr(), errand.child_on_host.as_mut_ptr().cast(), errand.child_on_host.len());
        let file = libc::open(errand.path.as_ptr(), libc::O_RDONLY);
        if file < 0 {
            return 1;
        }
        while errand.done < errand.buffer.len() {
            let place = errand.buffer.as_mut_ptr().add(errand.done);
            match usize::try_from(libc::read(file, place.cast(), errand.buffer.len() - errand.done)) {
                Ok(read @ 1..) => errand.done += read,
                _ => return 2,
            }
        }
        libc::close(file);
    }
    0
}
