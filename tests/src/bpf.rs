//! What of a sensor is in the kernel: programs, maps and links, by their ids, asked for by bpf(2) itself.
//!
//! Ids are not given out again soon (`idr_alloc_cyclic`), so what had one is gone when the id is. Other sensors may run on the
//! machine meanwhile: what is a sensor's own is told by its maps, which no other shares.

use crate::wait;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Commands of bpf(2) (linux/bpf.h, `enum bpf_cmd`).
const OBJ_GET_INFO_BY_FD: i32 = 15;
const ENABLE_STATS: i32 = 32;

/// A kind of object.
#[derive(Clone, Copy)]
struct Kind {
    /// `BPF_*_GET_NEXT_ID`
    next: i32,
    /// `BPF_*_GET_FD_BY_ID`
    open: i32,
}

const PROGRAM: Kind = Kind { next: 11, open: 13 };
const MAP: Kind = Kind { next: 12, open: 14 };
const LINK: Kind = Kind { next: 31, open: 30 };

/// What is, or was, a sensor's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Ids of programs.
    pub programs: BTreeSet<u32>,
    /// Ids of maps.
    pub maps: BTreeSet<u32>,
    /// Ids of links.
    pub links: BTreeSet<u32>,
    /// Of the programs, as far as the kernel keeps them: 15 bytes.
    pub names: BTreeSet<String>,
}

impl Objects {
    /// Everything of the process `pid`: the maps that it holds, the programs that use one of them, their maps and their links,
    /// whoever holds those.
    pub fn of(pid: u32) -> io::Result<Objects> {
        let mut objects = Objects { maps: maps_held_by(pid)?, ..Objects::default() };
        for id in ids(PROGRAM)? {
            // One of somebody else's may go between the two calls.
            let Ok(program) = Program::read(id) else { continue };
            if program.maps.iter().any(|map| objects.maps.contains(map)) {
                objects.programs.insert(id);
                objects.names.insert(program.name);
                objects.maps.extend(program.maps);
            }
        }
        for id in ids(LINK)? {
            if program_of_link(id).is_ok_and(|program| objects.programs.contains(&program)) {
                objects.links.insert(id);
            }
        }
        Ok(objects)
    }

    /// How often each program ran since runs are counted ([`count_runs`]), by its name.
    pub fn runs(&self) -> io::Result<BTreeMap<String, u64>> {
        self.programs.iter().map(|id| Program::read(*id).map(|program| (program.name, program.runs))).collect()
    }

    /// Those that are still there.
    pub fn left(&self) -> io::Result<Objects> {
        let there = |kind, ids: &BTreeSet<u32>| -> io::Result<BTreeSet<u32>> {
            let all = self::ids(kind)?;
            Ok(ids.intersection(&all).copied().collect())
        };
        Ok(Objects {
            programs: there(PROGRAM, &self.programs)?,
            maps: there(MAP, &self.maps)?,
            links: there(LINK, &self.links)?,
            names: BTreeSet::new(),
        })
    }

    /// Waits until none is there any more: the kernel frees them some time after they have been let go.
    pub fn wait_until_gone(&self) -> io::Result<()> {
        wait::until(wait::PATIENCE, "nothing of the sensor is in the kernel", || {
            (self.left().ok()? == Objects::default()).then_some(())
        })
        .map_err(|error| io::Error::other(format!("{error}: {:?}", self.left())))
    }
}

/// Has the kernel count how often programs run (`BPF_ENABLE_STATS`, 5.8), as long as what it returns lives.
pub fn count_runs() -> io::Result<OwnedFd> {
    // `BPF_STATS_RUN_TIME`
    let descriptor = bpf(ENABLE_STATS, &mut [0u32])?;
    // SAFETY: the kernel has just made this descriptor, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The ids of the maps among the descriptors of `pid`.
fn maps_held_by(pid: u32) -> io::Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.strip_prefix("map_id:")?.trim().parse::<u32>().ok()));
    }
    Ok(found)
}

/// All ids of a kind.
fn ids(kind: Kind) -> io::Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    let mut last = 0;
    loop {
        // `start_id`, `next_id`, `open_flags`
        let mut attributes = [last, 0, 0];
        match bpf(kind.next, &mut attributes) {
            Ok(_) => last = attributes[1],
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(found),
            Err(error) => return Err(error),
        }
        found.insert(last);
    }
}

struct Program {
    name: String,
    maps: Vec<u32>,
    runs: u64,
}

/// The head of `struct bpf_prog_info`, Linux 5.1.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_length: u32,
    translated_length: u32,
    jited: u64,
    translated: u64,
    load_time: u64,
    created_by: u32,
    map_count: u32,
    maps: u64,
    name: [u8; 16],
    between: [u64; 15],
    runs: u64,
}

/// The head of `struct bpf_link_info`, Linux 5.8, with room for what follows it.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    rest: [u32; 13],
}

impl Program {
    fn read(id: u32) -> io::Result<Program> {
        let program = open(PROGRAM, id)?;
        let mut maps = [0u32; 64];
        let (count, address) = (maps.len() as u32, maps.as_mut_ptr().addr() as u64);
        let mut info = ProgramInfo { map_count: count, maps: address, ..ProgramInfo::default() };
        read_info(program.as_raw_fd(), &mut info)?;
        let name = info.name.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Program {
            name: String::from_utf8_lossy(name).into_owned(),
            maps: maps.iter().take(info.map_count as usize).copied().collect(),
            runs: info.runs,
        })
    }
}

fn program_of_link(id: u32) -> io::Result<u32> {
    let link = open(LINK, id)?;
    let mut info = LinkInfo::default();
    read_info(link.as_raw_fd(), &mut info)?;
    Ok(info.program)
}

fn open(kind: Kind, id: u32) -> io::Result<OwnedFd> {
    let descriptor = bpf(kind.open, &mut [id, 0, 0])?;
    // SAFETY: the kernel has just made this descriptor, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn read_info<T>(descriptor: RawFd, info: &mut T) -> io::Result<()> {
    #[repr(C)]
    struct Attributes {
        descriptor: u32,
        length: u32,
        info: u64,
    }
    let info = std::ptr::from_mut(info).addr() as u64;
    let mut attributes = Attributes { descriptor: descriptor as u32, length: size_of::<T>() as u32, info };
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes).map(drop)
}

fn bpf<T>(command: i32, attributes: &mut T) -> io::Result<RawFd> {
    // SAFETY: the kernel reads and writes `size_of::<T>()` bytes at `attributes`, which is borrowed for the call. What `read_info`
    // and `Program::read` name by address are plain integers, as long as they say, and live through the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}
