//! Records about processes that come and go, and of the programs that they run.

use super::{File, Header, Path, Process};
use crate::plain;

/// How an [`Exec`] came out.
pub mod exec_flags {
    /// The arguments were longer than [`super::ARGS_MAX`].
    pub const ARGS_CUT: u16 = 1;
    /// The arguments could not be read (their pages were not present).
    pub const ARGS_FAULT: u16 = 2;
}

plain! {
    /// `Kind::Exec`. Tail: `path`, then `directory`, then `args` bytes of NUL-separated arguments.
    pub struct Exec {
        /// The beginning of every record.
        pub header: Header,
        /// The program's file; for a script its interpreter, as `/proc/PID/exe` shows it.
        pub file: File,
        /// The parent at that moment (`real_parent`).
        pub parent: Process,
        /// The executable's path.
        pub path: Path,
        /// The working directory's path.
        pub directory: Path,
        /// Bytes of arguments in the tail.
        pub args: u16,
        /// [`exec_flags`].
        pub flags: u16,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

plain! {
    /// `Kind::Fork`. The header's process is the one that called fork or clone, whatever parent it gave the child (`CLONE_PARENT`).
    pub struct Fork {
        /// The beginning of every record.
        pub header: Header,
        /// The new process.
        pub child: Process,
    }
}

plain! {
    /// `Kind::Exit`: the last thread of the process ended.
    pub struct Exit {
        /// The beginning of every record.
        pub header: Header,
        /// As `wait(2)` encodes it: `exit code << 8 | signal`.
        pub status: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}
