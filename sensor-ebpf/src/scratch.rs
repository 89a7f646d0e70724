//! Where records with names of any length are made: a fixed part, and a tail that is filled string by string.

use crate::globals::bounded;
use crate::path;
use aya_ebpf::{
    btf_maps::PerCpuArray,
    helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user_str},
    macros::btf_map,
};
use sensor_common::record::{PATH_MAX, Path, STRING_MAX, path_flags};

/// Room for the fixed part of any record.
const FIXED: usize = 256;
/// Room for two paths and one short string at their longest.
const TAIL: usize = 2 * (PATH_MAX + 1) + STRING_MAX;

/// One program's place.
#[repr(C)]
pub struct Scratch {
    bytes: [u64; (FIXED + TAIL + path::SLACK) / 8],
}

/// Who has which place. Programs on tracepoints cannot be interrupted by one another in process context; those on trampolines
/// can (they are only kept on their CPU), but not by themselves.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Slot {
    SysExit = 0,
    UringSubmit = 1,
    Rename = 2,
    Link = 3,
    Unlink = 4,
    PathTruncate = 5,
    FileTruncate = 6,
    Mount = 7,
    MoveMount = 8,
    PivotRoot = 9,
    UringComplete = 10,
    Connect = 11,
}

#[btf_map]
static SCRATCH: PerCpuArray<Scratch, 12> = PerCpuArray::new();

/// Where a string is.
#[derive(Clone, Copy)]
pub enum Text {
    /// In the kernel's memory.
    Kernel(u64),
    /// In the process's, as it is now: whoever shares that memory may have changed it.
    User(u64),
}

/// A record in the making.
pub struct Tail {
    start: *mut u8,
}

/// This CPU's place of `slot`, for a record whose fixed part is a `T`.
#[inline(always)]
pub fn of<T>(slot: Slot) -> Option<(&'static mut T, Tail)> {
    const { assert!(size_of::<T>() <= FIXED) }
    let place: *mut u8 = SCRATCH.get_ptr_mut(slot as u32)?.cast();
    // SAFETY: this program's own element of this CPU's copy; nothing else refers to it while the program runs. Any bytes are a
    // value of a record, and the tail begins behind it.
    unsafe { Some((&mut *place.cast::<T>(), Tail { start: place.add(size_of::<T>()) })) }
}

impl Tail {
    /// Adds a path at `at`, a sum of lengths that this gave before; returns it and where the next begins.
    #[inline(always)]
    pub fn path(&self, at: u64, dentry: u64, mount: u64) -> (Path, u64) {
        let at = bounded::<{ PATH_MAX as u32 }>(at);
        // SAFETY: at most PATH_MAX bytes are before it, and the tail has room for another PATH_MAX + 1 and the slack.
        let path = unsafe { path::write::<{ PATH_MAX as u32 }>(self.start.add(at as usize), dentry, mount) };
        (path, at + bounded::<{ PATH_MAX as u32 }>(path.len.into()))
    }

    /// Adds a string as it is, an unresolved path among others; empty if it cannot be read.
    #[inline(always)]
    pub fn text(&self, at: u64, text: Text) -> (Path, u64) {
        let at = bounded::<{ PATH_MAX as u32 }>(at);
        // SAFETY: as for `path`.
        let length = unsafe { self.write(at, text, PATH_MAX as u32 + 1) };
        let length = bounded::<{ PATH_MAX as u32 }>(length);
        (Path { len: length as u16, flags: path_flags::UNRESOLVED }, at + length)
    }

    /// Adds a string of at most [`STRING_MAX`] bytes behind at most two others.
    #[inline(always)]
    pub fn short(&self, at: u64, text: Text) -> (Path, u64) {
        let at = bounded::<{ 2 * PATH_MAX as u32 + 1 }>(at);
        // SAFETY: at most two paths are before it.
        let length = unsafe { self.write(at, text, STRING_MAX as u32) };
        let length = bounded::<{ 2 * STRING_MAX as u32 - 1 }>(length);
        (Path { len: length as u16, flags: path_flags::UNRESOLVED }, at + length)
    }

    /// Where the string is that was added at `at`, as a kernel address to read from.
    #[inline(always)]
    pub fn address(&self, at: u64) -> u64 {
        self.start as u64 + at
    }

    #[inline(always)]
    unsafe fn write(&self, at: u64, text: Text, room: u32) -> u64 {
        // SAFETY: by the contract of the callers there are `room` bytes at `at`.
        let length = unsafe {
            let place = self.start.add(at as usize).cast();
            match text {
                Text::Kernel(from) => bpf_probe_read_kernel_str(place, room, from as *const _),
                Text::User(from) => bpf_probe_read_user_str(place, room, from as *const _),
            }
        };
        if length > 0 { length as u64 } else { 0 }
    }
}
