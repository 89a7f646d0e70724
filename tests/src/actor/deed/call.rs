//! System calls by number, in either of the two conventions of x86.

use crate::actor::compat;
pub use crate::actor::compat::Argument;
use clap::ValueEnum;
use std::ffi::CStr;
use std::io;

/// The ways into the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The system call.
    #[value(name = "call")]
    Call,
    /// A request to io_uring.
    #[value(name = "io_uring")]
    IoUring,
    /// The 32-bit system call of that name (`int 0x80`).
    #[value(name = "ia32")]
    Ia32,
}

/// A system call's numbers: here, and in the 32-bit convention of x86 (arch/x86/entry/syscalls/syscall_32.tbl).
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// `None`: this architecture does not have the call.
    pub here: Option<i64>,
    /// `None`: the actor does not make it so.
    pub ia32: Option<u32>,
}

/// Text as an argument.
pub fn words(text: &CStr) -> Argument<'_> {
    Argument::Bytes(text.to_bytes_with_nul())
}

/// Makes the call, which has at most five arguments; the inner error says why the kernel does not offer it.
///
/// # Safety
/// As the call demands of its arguments. It must not write to them.
pub unsafe fn call(by: By, number: Number, arguments: &[Argument<'_>]) -> io::Result<Result<i64, String>> {
    let done = match by {
        By::IoUring => return Ok(Err("io_uring has no such operation".into())),
        By::Ia32 => match number.ia32 {
            None => return Ok(Err("not done by a 32-bit call".into())),
            // SAFETY: by the contract above.
            Some(number) => unsafe { compat::call(number, arguments) },
        },
        By::Call => match number.here {
            None => return Ok(Err("this architecture does not have the call".into())),
            Some(number) => {
                let mut words = [0; 5];
                for (word, argument) in words.iter_mut().zip(arguments) {
                    *word = match argument {
                        Argument::Number(number) => *number,
                        Argument::Bytes(bytes) => bytes.as_ptr().expose_provenance() as i64,
                    };
                }
                let [first, second, third, fourth, fifth] = words;
                // SAFETY: by the contract above.
                match unsafe { libc::syscall(number, first, second, third, fourth, fifth) } {
                    ..0 => Err(io::Error::last_os_error()),
                    returned => Ok(Ok(returned)),
                }
            }
        },
    };
    match done {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(Err("the kernel does not have the call".into())),
        done => done,
    }
}

/// Numbers of calls that only the older architectures have.
#[cfg(target_arch = "x86_64")]
macro_rules! older {
    ($name:ident) => {
        Some(libc::$name)
    };
}
#[cfg(not(target_arch = "x86_64"))]
macro_rules! older {
    ($name:ident) => {
        None
    };
}
pub(super) use older;
