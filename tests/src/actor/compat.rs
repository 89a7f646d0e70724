//! The 32-bit system calls, from this 64-bit program: `int 0x80`. Their numbers are not those of the 64-bit calls, so that who
//! knows only the latter does not see them.

use super::open::Opened;

/// An argument of a system call.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// A number; of a 32-bit call its low half.
    Number(i64),
    /// The address of these bytes.
    Bytes(&'a [u8]),
}

#[cfg(not(target_arch = "x86_64"))]
pub use elsewhere::*;
#[cfg(target_arch = "x86_64")]
pub use here::*;

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    use super::*;
    use std::ffi::CStr;
    use std::io;

    /// The calls.
    #[derive(Clone, Copy, Debug)]
    pub enum Call {
        Open,
        Creat,
        Openat,
        Openat2,
    }

    pub fn open(_: Call, _: &CStr, _: i32) -> io::Result<Opened> {
        Ok(Opened::Skipped("this architecture has no `int 0x80`".into()))
    }

    pub fn open_by_handle(_: i32, _: &[u32], _: i32) -> io::Result<Opened> {
        Ok(Opened::Skipped("this architecture has no `int 0x80`".into()))
    }

    /// # Safety
    /// None is needed.
    pub unsafe fn call(_: u32, _: &[Argument<'_>]) -> io::Result<Result<i64, String>> {
        Ok(Err("this architecture has no `int 0x80`".into()))
    }
}

#[cfg(target_arch = "x86_64")]
mod here {
    use super::{Argument, Opened};
    use crate::actor::open::owned;
    use std::ffi::CStr;
    use std::io;
    use std::ptr;

    /// The calls, with their numbers (arch/x86/entry/syscalls/syscall_32.tbl).
    #[derive(Clone, Copy, Debug)]
    #[repr(u32)]
    pub enum Call {
        Open = 5,
        Creat = 8,
        Openat = 295,
        Openat2 = 437,
    }

    const GETPID: u32 = 20;
    const OPEN_BY_HANDLE_AT: u32 = 342;

    /// `open(path, flags)`, or `creat(path, mode)`, and so on.
    pub fn open(call: Call, path: &CStr, flags_or_mode: i32) -> io::Result<Opened> {
        if let Some(why) = missing()? {
            return Ok(Opened::Skipped(why));
        }
        let (path, at, value) = (Low::new(path.to_bytes_with_nul())?, libc::AT_FDCWD as u32, flags_or_mode as u32);
        // SAFETY: `path`, and `how` where it is used, live through the call, which only reads them.
        let fd = unsafe {
            match call {
                Call::Open | Call::Creat => system_call(call as u32, [path.address()?, value, 0o644, 0, 0]),
                Call::Openat => system_call(call as u32, [at, path.address()?, value, 0, 0]),
                Call::Openat2 => {
                    // struct open_how: flags, mode, resolve, each 64 bits wide.
                    let mut how = [0; 24];
                    how[..4].copy_from_slice(&value.to_ne_bytes());
                    let how = Low::new(&how)?;
                    system_call(call as u32, [at, path.address()?, how.address()?, 24, 0])
                }
            }
        };
        result(fd)
    }

    /// `open_by_handle_at(mount, handle, flags)`; `handle` is a `struct file_handle`.
    pub fn open_by_handle(mount: i32, handle: &[u32], flags: i32) -> io::Result<Opened> {
        if let Some(why) = missing()? {
            return Ok(Opened::Skipped(why));
        }
        let handle = Low::new(&handle.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>())?;
        // SAFETY: `handle` lives through the call, which only reads it.
        let fd = unsafe { system_call(OPEN_BY_HANDLE_AT, [mount as u32, handle.address()?, flags as u32, 0, 0]) };
        result(fd)
    }

    /// The call of that number with at most five arguments; the inner error says why the kernel takes no such calls.
    ///
    /// # Safety
    /// As the call demands of its arguments. Bytes are copied to where it reaches them; what it writes there is lost.
    pub unsafe fn call(number: u32, arguments: &[Argument<'_>]) -> io::Result<Result<i64, String>> {
        if let Some(why) = missing()? {
            return Ok(Err(why));
        }
        let (mut words, mut copies) = ([0; 5], Vec::new());
        for (word, argument) in words.iter_mut().zip(arguments) {
            *word = match argument {
                Argument::Number(number) => *number as u32,
                Argument::Bytes(bytes) => {
                    let copy = Low::new(bytes)?;
                    let address = copy.address()?;
                    copies.push(copy);
                    address
                }
            };
        }
        // SAFETY: the caller vouches for the call; the copies live through it.
        match unsafe { system_call(number, words) } {
            error @ ..0 => Err(io::Error::from_raw_os_error(-error)),
            returned => Ok(Ok(returned.into())),
        }
    }

    fn result(returned: i32) -> io::Result<Opened> {
        match returned {
            0.. => owned(returned.into()).map(Opened::Fd),
            error => Err(io::Error::from_raw_os_error(-error)),
        }
    }

    /// # Safety
    /// As the call demands of its arguments.
    unsafe fn system_call(number: u32, [first, second, third, fourth, fifth]: [u32; 5]) -> i32 {
        let returned: i32;
        // SAFETY: the caller vouches for the call. The kernel keeps all registers but those that are named; the first argument's
        // belongs to the compiler, which gets it back.
        unsafe {
            std::arch::asm!(
                "xchg {first:r}, rbx",
                "int 0x80",
                "xchg {first:r}, rbx",
                first = inout(reg) u64::from(first) => _,
                inlateout("eax") number => returned,
                in("ecx") second,
                in("edx") third,
                in("esi") fourth,
                in("edi") fifth,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            );
        }
        returned
    }

    /// Why the kernel does not take 32-bit calls, if so. A child asks: where the interrupt has no handler, it ends the process.
    fn missing() -> io::Result<Option<String>> {
        // SAFETY: the child makes one system call, which has no arguments, and ends itself.
        let child = unsafe {
            let child = libc::fork();
            if child == 0 {
                let pid = system_call(GETPID, [0; 5]);
                libc::_exit(i32::from(pid <= 0));
            }
            child
        };
        let mut status = 0;
        // SAFETY: `child` is a child of ours that nobody else waits for; `status` is an int.
        if child < 0 || unsafe { libc::waitpid(child, &raw mut status, 0) } != child {
            return Err(io::Error::last_os_error());
        }
        Ok((status != 0)
            .then(|| "the kernel takes no 32-bit system calls (CONFIG_IA32_EMULATION, ia32_emulation=)".into()))
    }

    /// Memory below 4 GiB, where a 32-bit call can reach it.
    struct Low {
        start: *mut libc::c_void,
        length: usize,
    }

    impl Low {
        fn new(content: &[u8]) -> io::Result<Low> {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: a new mapping, wherever the kernel likes.
            let start = unsafe { libc::mmap(ptr::null_mut(), content.len(), access, flags, -1, 0) };
            if start == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the mapping is new, and as long as the content at least.
            unsafe { ptr::copy_nonoverlapping(content.as_ptr(), start.cast(), content.len()) };
            Ok(Low { start, length: content.len() })
        }

        fn address(&self) -> io::Result<u32> {
            u32::try_from(self.start as usize).map_err(io::Error::other)
        }
    }

    impl Drop for Low {
        fn drop(&mut self) {
            // SAFETY: our own mapping, to which no reference is left.
            unsafe { libc::munmap(self.start, self.length) };
        }
    }
}
