//! The capabilities that the sensor uses, and what goes unseen without each (docs/privileges.md).

use rustix::thread::{CapabilitySet, capabilities};

/// From here on `bpf(2)` on a descriptor of a map needs no capability, whatever `kernel.unprivileged_bpf_disabled` says
/// (`__sys_bpf`, kernel/bpf/syscall.c: only `BPF_MAP_CREATE` and `BPF_PROG_LOAD` ask for CAP_BPF there since 5.19).
const MAPS_FOR_ALL: (u32, u32) = (5, 19);
/// From here on maps are charged to the memory cgroup, not to RLIMIT_MEMLOCK.
pub(super) const NO_MEMLOCK: (u32, u32) = (5, 11);

/// A capability that the sensor uses; all of them are there since 5.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// To make maps and load programs.
    Bpf,
    /// To load programs that read the kernel's memory, and to attach them to tracepoints and functions.
    Perfmon,
    /// To load programs for cgroups.
    NetAdmin,
    /// To look at other processes in `/proc`, and through it at their files.
    SysPtrace,
    /// To read files of other users.
    DacReadSearch,
}

impl Capability {
    /// All of them.
    pub const ALL: [Capability; 5] =
        [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin, Capability::SysPtrace, Capability::DacReadSearch];

    /// Its name, as in capabilities(7).
    pub const fn name(self) -> &'static str {
        match self {
            Capability::Bpf => "CAP_BPF",
            Capability::Perfmon => "CAP_PERFMON",
            Capability::NetAdmin => "CAP_NET_ADMIN",
            Capability::SysPtrace => "CAP_SYS_PTRACE",
            Capability::DacReadSearch => "CAP_DAC_READ_SEARCH",
        }
    }

    /// As a set of one.
    pub const fn set(self) -> CapabilitySet {
        match self {
            Capability::Bpf => CapabilitySet::BPF,
            Capability::Perfmon => CapabilitySet::PERFMON,
            Capability::NetAdmin => CapabilitySet::NET_ADMIN,
            Capability::SysPtrace => CapabilitySet::SYS_PTRACE,
            Capability::DacReadSearch => CapabilitySet::DAC_READ_SEARCH,
        }
    }

    /// Another one that does as well: CAP_SYS_ADMIN for what was split off it (`bpf_token_capable`, kernel/bpf/token.c), and
    /// CAP_DAC_OVERRIDE for reading (`generic_permission`, fs/namei.c).
    const fn stand_in(self) -> CapabilitySet {
        match self {
            Capability::Bpf | Capability::Perfmon | Capability::NetAdmin => CapabilitySet::SYS_ADMIN,
            Capability::SysPtrace => CapabilitySet::empty(),
            Capability::DacReadSearch => CapabilitySet::DAC_OVERRIDE,
        }
    }

    /// What is not to be had without it, as the end of a sentence.
    pub const fn without(self) -> &'static str {
        match self {
            Capability::Bpf => "nothing can be watched: the kernel lets nobody make maps and load programs",
            Capability::Perfmon => "nothing can be watched: the kernel lets nobody load programs that trace",
            Capability::NetAdmin => {
                "nothing can be watched: the kernel lets nobody load programs that see connections and bytes"
            }
            Capability::SysPtrace => {
                "files are not looked into, so that weights under another name go unrecognised, and what processes had open before the sensor stays unknown"
            }
            Capability::DacReadSearch => {
                "files that root may not read as their owner are not looked into, so that weights under another name go unrecognised there"
            }
        }
    }

    /// Whether it, or what stands for it, is in `set`.
    pub const fn is_in(self, set: CapabilitySet) -> bool {
        set.intersects(self.set().union(self.stand_in()))
    }

    /// Those that are not in `set`.
    pub fn lacking(set: CapabilitySet) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| !capability.is_in(set))
    }
}

/// What the calling thread may do now; nothing if the kernel does not tell.
pub fn effective() -> CapabilitySet {
    capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective)
}

/// Those that a running sensor needs once the programs are attached, on the running kernel.
pub fn needed_to_go_on() -> CapabilitySet {
    let looks = CapabilitySet::SYS_PTRACE.union(CapabilitySet::DAC_READ_SEARCH);
    match release() {
        Some(release) if release >= MAPS_FOR_ALL => looks,
        _ => looks.union(CapabilitySet::BPF),
    }
}

/// The running kernel's version, from `6.1.0-18-cloud-amd64`.
fn release() -> Option<(u32, u32)> {
    let name = rustix::system::uname();
    let mut numbers = name.release().to_str().ok()?.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// For the kernel's refusals: `: weir lacks CAP_BPF`, or nothing if it has all that loading takes.
pub(super) fn lacked_to_load() -> String {
    lacked(effective(), release())
}

fn lacked(held: CapabilitySet, release: Option<(u32, u32)>) -> String {
    let load = [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin];
    let lacking: Vec<_> = load.into_iter().filter(|wanted| !wanted.is_in(held)).map(Capability::name).collect();
    let may_raise = release.is_none_or(|release| release >= NO_MEMLOCK) || held.contains(CapabilitySet::SYS_RESOURCE);
    match (lacking.as_slice(), may_raise) {
        ([], true) => String::new(),
        // The kernel says EPERM for that, too (`bpf_charge_memlock`, kernel/bpf/syscall.c, until 5.11).
        ([], false) => {
            ": before Linux 5.11 maps take RLIMIT_MEMLOCK=infinity, or CAP_SYS_RESOURCE, which weir lacks".into()
        }
        (lacking, _) => format!(": weir lacks {}", lacking.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_one_may_stand_for_it() {
        let lacking = |set| Capability::lacking(set).map(Capability::name).collect::<Vec<_>>();
        assert_eq!(lacking(CapabilitySet::all()), [""; 0]);
        let all = ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"];
        assert_eq!(lacking(CapabilitySet::empty()), all);
        assert_eq!(lacking(CapabilitySet::SYS_ADMIN), all[3..]);
        assert_eq!(lacking(CapabilitySet::DAC_OVERRIDE), all[..4]);
        for capability in Capability::ALL {
            assert_eq!(lacking(CapabilitySet::all() - capability.set() - capability.stand_in()), [capability.name()]);
        }
    }

    #[test]
    fn what_is_lacking_to_load_is_named() {
        let (old, new) = (Some((5, 10)), Some((5, 11)));
        let all = CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::NET_ADMIN;
        assert_eq!(lacked(all, new), "");
        assert_eq!(lacked(all | CapabilitySet::SYS_RESOURCE, old), "");
        assert!(lacked(all, old).contains("CAP_SYS_RESOURCE"));
        assert_eq!(lacked(all - CapabilitySet::PERFMON, old), ": weir lacks CAP_PERFMON");
        assert_eq!(lacked(CapabilitySet::PERFMON, new), ": weir lacks CAP_BPF and CAP_NET_ADMIN");
    }

    #[test]
    fn the_running_kernel_has_a_version() {
        assert!(release().is_some_and(|release| release >= (5, 10)));
    }
}
