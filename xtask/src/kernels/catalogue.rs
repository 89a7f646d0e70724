//! The kernels, and where Debian has them; and the hook families.

use crate::debian::Part;

/// A series of Debian's kernels for x86-64 machines in clouds: small, and with everything built that Weir may use.
pub struct Kernel {
    /// What it is called here: its series, or `newest`.
    pub name: &'static str,
    /// Suites that have it, looked into in turn: releases leave the mirrors one day, their security updates later.
    pub suites: &'static [&'static [(Part, &'static str)]],
    /// Families that it cannot have, or that are not checked on it, and why.
    pub lacks: &'static [(Family, &'static str)],
    /// It leaves out runs of programs that were preempted, trampolines' as well, and counts them: what is missing for that alone, and
    /// was told, is no failure of the sensor (docs/kernels.md, "Known").
    pub leaves_out: bool,
    /// The processor that qemu emulates for it.
    pub processor: &'static str,
}

/// qemu 7.2 now and then gets the flags wrong after cmpxchg16b, of which older kernels die; they do without.
const WITHOUT_CX16: &str = "max,cx16=off";
/// Without cmpxchg16b, newer ones have no memory to give where they may not wait (`kmalloc_nolock`, 6.18).
const WHOLE: &str = "max";

/// The metapackage of all of them.
pub const PACKAGE: &str = "linux-image-cloud-amd64";

pub const KERNELS: &[Kernel] = &[
    Kernel {
        name: "5.10",
        suites: &[&[(Part::Security, "bullseye-security")], &[(Part::Main, "bullseye")]],
        lacks: &[],
        leaves_out: false,
        processor: WITHOUT_CX16,
    },
    Kernel {
        name: "6.1",
        suites: &[&[(Part::Main, "bookworm"), (Part::Security, "bookworm-security")], &[(Part::Main, "bookworm")]],
        lacks: &[],
        leaves_out: false,
        processor: WITHOUT_CX16,
    },
    Kernel {
        name: "6.12",
        suites: &[&[(Part::Main, "trixie"), (Part::Security, "trixie-security")], &[(Part::Main, "trixie")]],
        lacks: &[],
        leaves_out: false,
        processor: WITHOUT_CX16,
    },
    Kernel {
        name: "newest",
        suites: &[&[(Part::Main, "sid")]],
        lacks: &[(
            Family::Portable,
            "not checked: it leaves out runs of programs on sys_exit that were preempted, which is told as lost \
             (missed_by_kernel), many more than with trampolines, which the sensor uses there; checks fail at random",
        )],
        leaves_out: true,
        processor: WHOLE,
    },
];

/// How the sensor is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Family {
    /// Tracepoints and cgroup programs.
    Portable,
    /// BPF trampolines: fentry and LSM.
    Trampoline,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::Portable, Family::Trampoline];
    /// The variable that makes `weir` use one.
    pub const VARIABLE: &str = "WEIR_HOOKS";

    /// The value of [`Family::VARIABLE`].
    pub fn name(self) -> &'static str {
        match self {
            Family::Portable => "portable",
            Family::Trampoline => "trampoline",
        }
    }
}
