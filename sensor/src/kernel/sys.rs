//! The few `bpf(2)` commands that the library does not offer, each behind a safe function.
//!
//! All `unsafe` of the agent's contact with the kernel is here.

use sensor_common::config::Agent;
use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// Plain data as the map library wants it marked.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Plain<T>(pub T);

// SAFETY: `IntoBytes` proves that there is no padding, `FromBytes` that any bytes are a value; `repr(transparent)` keeps both.
unsafe impl<T: IntoBytes + zerocopy::FromBytes + Immutable + Copy + 'static> aya::Pod for Plain<T> {}

// enum bpf_cmd, include/uapi/linux/bpf.h
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const PROG_TEST_RUN: libc::c_int = 10;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const RAW_TRACEPOINT_OPEN: libc::c_int = 17;

/// Most maps of one program that are asked for.
const MAPS_MAX: usize = 64;

// enum bpf_prog_type, enum bpf_attach_type
const PROG_TYPE_RAW_TRACEPOINT: u32 = 17;
const PROG_TYPE_TRACING: u32 = 26;
const TRACE_FENTRY: u32 = 24;

/// `return bpf_get_current_pid_tgid() >> 32`
const OWN_TGID: [Instruction; 3] = [
    Instruction { code: 0x85, registers: 0, offset: 0, immediate: 14 },
    Instruction { code: 0x77, registers: 0, offset: 0, immediate: 32 },
    EXIT,
];
/// `return 0`
const NOTHING: [Instruction; 2] = [Instruction { code: 0xb7, registers: 0, offset: 0, immediate: 0 }, EXIT];
const EXIT: Instruction = Instruction { code: 0x95, registers: 0, offset: 0, immediate: 0 };

/// `struct bpf_insn`
#[repr(C)]
#[derive(Clone, Copy, IntoBytes, Immutable)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// The part of `union bpf_attr` that `BPF_PROG_LOAD` reads here; the kernel takes what is behind it as 0.
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct ProgLoad {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach_type: u32,
    btf: u32,
    function_info_size: u32,
    function_info: u64,
    function_info_count: u32,
    line_info_size: u32,
    line_info: u64,
    line_info_count: u32,
    attach_btf_id: u32,
}

/// `union bpf_attr` for `BPF_PROG_TEST_RUN`, up to what 5.10 knows.
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct TestRun {
    program: u32,
    result: u32,
    rest: [u64; 9],
}

/// `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct GetInfo {
    descriptor: u32,
    length: u32,
    info: u64,
}

/// `union bpf_attr` for `BPF_RAW_TRACEPOINT_OPEN`.
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct RawTracepointOpen {
    name: u64,
    program: u32,
    reserved: u32,
}

/// `union bpf_attr` for `BPF_OBJ_PIN` and `BPF_OBJ_GET`.
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct Pin {
    path: u64,
    descriptor: u32,
    flags: u32,
}

/// `union bpf_attr` for commands on a map's element.
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct Element {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// `struct bpf_link_info` as far as it is read here (5.8); the cgroup's id is there for links on cgroups only.
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct LinkFacts {
    link_type: u32,
    id: u32,
    program: u32,
    padding: u32,
    cgroup: u64,
    attach_type: u64,
}

/// `BPF_LINK_TYPE_CGROUP`
const LINK_TYPE_CGROUP: u32 = 3;

/// `struct bpf_prog_info` as far as it is read here (5.12: 216 bytes with `recursion_misses`).
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct ProgramInfo {
    program_type: u32,
    id: u32,
    before: [u64; 5],
    created_by: u32,
    map_count: u32,
    map_ids: u64,
    between: [u64; 16],
    run_time: u64,
    run_count: u64,
    recursion_misses: u64,
    after: [u64; 5],
}

/// What the kernel counted about one program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramStatistics {
    /// Runs that the kernel left out because the program was already running on that CPU; 0 before 5.12.
    pub recursion_misses: u64,
    /// Runs; 0 unless `kernel.bpf_stats_enabled` is set.
    pub run_count: u64,
    /// Nanoseconds in those runs; 0 unless `kernel.bpf_stats_enabled` is set.
    pub run_time: u64,
}

/// The agent's process id in the initial pid namespace, which `/proc` shows only to those inside it. A three-instruction
/// program asks the kernel: raw tracepoint programs can be run by `BPF_PROG_TEST_RUN`, in the calling thread, since 5.10.
///
/// # Errors
/// What `bpf(2)` says: EPERM without CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN), EINVAL or ENOTSUPP before 5.10.
pub fn own_tgid() -> io::Result<u32> {
    let program = load(&OWN_TGID, PROG_TYPE_RAW_TRACEPOINT, 0, 0)?;
    let mut attributes = TestRun::new_zeroed();
    attributes.program = descriptor(&program)?;
    // SAFETY: no pointers in the attributes.
    unsafe { bpf(PROG_TEST_RUN, &mut attributes)? };
    Ok(attributes.result)
}

/// Attaches a program that does nothing to a function by a trampoline (fentry), and takes it off again.
///
/// # Errors
/// What `bpf(2)` says, and at which step.
pub fn try_trampoline(function: u32) -> Result<(), (&'static str, io::Error)> {
    let program = load(&NOTHING, PROG_TYPE_TRACING, TRACE_FENTRY, function).map_err(|error| ("load", error))?;
    let mut attributes = RawTracepointOpen::new_zeroed();
    attributes.program = descriptor(&program).map_err(|error| ("attach", error))?;
    // SAFETY: no pointers in the attributes: a trampoline's program knows its function, `name` is 0.
    let link = unsafe { bpf(RAW_TRACEPOINT_OPEN, &mut attributes) }.map_err(|error| ("attach", error))?;
    // SAFETY: the command made it for us.
    drop(unsafe { OwnedFd::from_raw_fd(link) });
    Ok(())
}

/// What the kernel counted about a program since it was loaded.
///
/// # Errors
/// What `bpf(2)` says.
pub fn program_statistics(program: BorrowedFd<'_>) -> io::Result<ProgramStatistics> {
    // The kernel fills as much as it knows and leaves the rest; the pointers in it are 0, so that it follows none.
    let mut info = ProgramInfo::new_zeroed();
    let mut attributes = GetInfo::new_zeroed();
    attributes.descriptor = descriptor(&program)?;
    attributes.length = size_of::<ProgramInfo>() as u32;
    attributes.info = (&raw mut info).expose_provenance() as u64;
    // SAFETY: `info` outlives the call and is as long as `length` says; any bytes are a value of it.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes)? };
    Ok(ProgramStatistics {
        recursion_misses: info.recursion_misses,
        run_count: info.run_count,
        run_time: info.run_time,
    })
}

/// A program's id, and those of the maps that it uses.
///
/// # Errors
/// What `bpf(2)` says.
pub fn program_objects(program: BorrowedFd<'_>) -> io::Result<(u32, Vec<u32>)> {
    let mut maps = [0u32; MAPS_MAX];
    let mut info = ProgramInfo::new_zeroed();
    info.map_count = MAPS_MAX as u32;
    info.map_ids = maps.as_mut_ptr().expose_provenance() as u64;
    let mut attributes = GetInfo::new_zeroed();
    attributes.descriptor = descriptor(&program)?;
    attributes.length = size_of::<ProgramInfo>() as u32;
    attributes.info = (&raw mut info).expose_provenance() as u64;
    // SAFETY: `info` and `maps` outlive the call and are as long as `length` and `map_count` say; any bytes are a value of both.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes)? };
    let count = usize::try_from(info.map_count).unwrap_or(0).min(MAPS_MAX);
    Ok((info.id, maps.into_iter().take(count).collect()))
}

/// What a link is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Its own id.
    pub id: u32,
    /// The id of the program that it runs.
    pub program: u32,
    /// The id of the cgroup that it is on; 0 for one that was detached, and for links on anything else.
    pub cgroup: u64,
}

/// What a link is now.
///
/// # Errors
/// What `bpf(2)` says: EBADF if somebody closed the descriptor.
pub fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    let mut facts = LinkFacts::new_zeroed();
    let mut attributes = GetInfo::new_zeroed();
    attributes.descriptor = descriptor(&link)?;
    attributes.length = size_of::<LinkFacts>() as u32;
    attributes.info = (&raw mut facts).expose_provenance() as u64;
    // SAFETY: `facts` outlives the call and is as long as `length` says; any bytes are a value of it.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes)? };
    let cgroup = if facts.link_type == LINK_TYPE_CGROUP { facts.cgroup } else { 0 };
    Ok(LinkInfo { id: facts.id, program: facts.program, cgroup })
}

/// Second descriptors of the links that this process has, by their ids.
///
/// The library does not give its own away, and `BPF_LINK_GET_FD_BY_ID` needs CAP_SYS_ADMIN (`bpf_link_get_fd_by_id`,
/// kernel/bpf/syscall.c). So they are found in `/proc/self/fdinfo`, which has a line `link_id` for each (`bpf_link_show_fdinfo`, 5.8).
///
/// # Errors
/// `/proc` is not there.
pub fn own_links() -> io::Result<HashMap<u32, OwnedFd>> {
    let mut links = HashMap::new();
    for entry in std::fs::read_dir("/proc/self/fdinfo")? {
        let entry = entry?;
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may be closed meanwhile by the thread that it is for.
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let id = text.lines().find_map(|line| line.strip_prefix("link_id:")?.trim().parse().ok());
        let Some(id) = id else { continue };
        // SAFETY: borrowed for this one call, which takes any number; whether it still is that link is asked below.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()?;
        if link_info(descriptor.as_fd()).is_ok_and(|info| info.id == id) {
            links.insert(id, descriptor);
        }
    }
    Ok(links)
}

/// Pins what the descriptor is of: it lives as long as the name does.
///
/// # Errors
/// What `bpf(2)` says.
pub fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = Pin::new_zeroed();
    attributes.path = name.as_ptr().expose_provenance() as u64;
    attributes.descriptor = descriptor(&object)?;
    // SAFETY: `name` outlives the call and ends with a NUL.
    unsafe { bpf(OBJ_PIN, &mut attributes)? };
    Ok(())
}

/// What is pinned under that name.
///
/// # Errors
/// What `bpf(2)` says: ENOENT if there is nothing.
pub fn pinned(path: &Path) -> io::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = Pin::new_zeroed();
    attributes.path = name.as_ptr().expose_provenance() as u64;
    // SAFETY: `name` outlives the call and ends with a NUL.
    let object = unsafe { bpf(OBJ_GET, &mut attributes)? };
    // SAFETY: the command made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(object) })
}

/// The one element of the map `AGENT`.
///
/// # Errors
/// What `bpf(2)` says.
pub fn agent(map: BorrowedFd<'_>) -> io::Result<Agent> {
    let (key, mut agent) = (0u32, Agent::ZERO);
    let mut attributes = Element::new_zeroed();
    attributes.map = descriptor(&map)?;
    attributes.key = (&raw const key).expose_provenance() as u64;
    attributes.value = (&raw mut agent).expose_provenance() as u64;
    // SAFETY: both outlive the call, and are as long as the map's key and value, which were compared with the object's.
    unsafe { bpf(MAP_LOOKUP_ELEM, &mut attributes)? };
    Ok(agent)
}

/// Writes the one element of the map `AGENT`. The kernel copies it while programs read it (`array_map_update_elem`); each reads one
/// word of it, so that in the worst case an event of the agent's own is told for some nanoseconds.
///
/// # Errors
/// What `bpf(2)` says.
pub fn set_agent(map: BorrowedFd<'_>, agent: Agent) -> io::Result<()> {
    let (key, agent) = (0u32, agent);
    let mut attributes = Element::new_zeroed();
    attributes.map = descriptor(&map)?;
    attributes.key = (&raw const key).expose_provenance() as u64;
    attributes.value = (&raw const agent).expose_provenance() as u64;
    // SAFETY: as above; the kernel only reads them.
    unsafe { bpf(MAP_UPDATE_ELEM, &mut attributes)? };
    Ok(())
}

/// Gives memory that was freed back to the system, where the C library keeps it.
pub fn release_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions; only moves the allocator's own boundaries.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn load(program: &[Instruction], program_type: u32, attach_type: u32, attach_btf_id: u32) -> io::Result<OwnedFd> {
    let license = c"Dual MIT/GPL";
    let mut attributes = ProgLoad::new_zeroed();
    attributes.program_type = program_type;
    attributes.instruction_count = u32::try_from(program.len()).unwrap_or(0);
    attributes.instructions = program.as_ptr().expose_provenance() as u64;
    attributes.license = license.as_ptr().expose_provenance() as u64;
    attributes.expected_attach_type = attach_type;
    attributes.attach_btf_id = attach_btf_id;
    attributes.name[..10].copy_from_slice(b"weir_probe");
    // SAFETY: `program` and `license` outlive the call; the instructions are as many as given, the license ends with a NUL.
    let program = unsafe { bpf(PROG_LOAD, &mut attributes)? };
    // SAFETY: the command made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(program) })
}

fn descriptor(descriptor: &impl AsRawFd) -> io::Result<u32> {
    u32::try_from(descriptor.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// One `bpf(2)` command. Descriptors that it makes are close-on-exec (`bpf_map_new_fd` and the like, kernel/bpf/syscall.c).
///
/// # Safety
/// Pointers in `attributes` are 0, or valid for the call for as many bytes as the command reads or writes there.
unsafe fn bpf<T: IntoBytes + Immutable>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: `attributes` is live, writable and of the size given; for its pointers the caller vouches.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, (&raw mut *attributes), size_of::<T>()) };
    match libc::c_int::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_the_kernels() {
        assert_eq!(std::mem::offset_of!(ProgLoad, attach_btf_id), 108);
        assert_eq!(std::mem::offset_of!(ProgLoad, line_info), 96);
        assert_eq!(std::mem::offset_of!(ProgramInfo, recursion_misses), 208);
        assert_eq!(std::mem::offset_of!(ProgramInfo, map_ids), 56);
        assert_eq!(std::mem::offset_of!(LinkFacts, cgroup), 16);
        assert_eq!(size_of::<TestRun>(), 80);
    }

    #[test]
    fn the_kernel_tells_our_process_id() {
        match own_tgid() {
            Ok(tgid) if in_initial_pid_namespace() => assert_eq!(tgid, std::process::id()),
            Ok(_) => println!("skipped: not in the initial pid namespace, so that there is nothing to compare with"),
            Err(error) => println!("skipped: BPF_PROG_TEST_RUN was refused: {error}"),
        }
    }

    /// It has a fixed inode number: `PROC_PID_INIT_INO` (include/linux/proc_ns.h).
    fn in_initial_pid_namespace() -> bool {
        std::fs::metadata("/proc/self/ns/pid")
            .is_ok_and(|data| std::os::unix::fs::MetadataExt::ino(&data) == 0xeffffffc)
    }
}
