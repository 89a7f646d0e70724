//! What the sensor watches, and by which family of hooks.

use sensor_common::config::{Action, MOVES, uring_op};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Something that the sensor watches, by one program or several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
    /// Programs started.
    Exec,
    /// Processes created.
    Fork,
    /// Processes ended.
    Exit,
    /// Files opened.
    Open,
    /// What io_uring does that no system call shows.
    IoUring,
    /// Files renamed, linked, unlinked and truncated.
    FileChange,
    /// Connections and unconnected sends asked for.
    Connect,
    /// Bytes that leave, and whose socket they leave by.
    Bytes,
    /// Answers of DNS. (Questions and ClientHellos are seen with the bytes that leave.)
    Names,
    /// Flows that end, connections accepted, and sockets that listen.
    FlowEnd,
    /// Sockets made whose bytes are not counted.
    Socket,
    /// Memory and descriptors of other processes.
    ProcessAccess,
    /// bpf commands.
    Bpf,
    /// Kernel modules loaded.
    Module,
    /// Mounts.
    Mount,
    /// Namespaces entered.
    Namespace,
    /// Classified content on its way between processes, files, pipes and sockets.
    Transfer,
    /// Cgroups made.
    Cgroups,
}

impl Concern {
    /// Every concern, in the order in which their programs are attached: who acts before what is done.
    pub const ALL: [Concern; 18] = [
        Concern::Cgroups,
        Concern::Fork,
        Concern::Exec,
        Concern::Exit,
        Concern::FlowEnd,
        Concern::Bytes,
        Concern::Names,
        Concern::Connect,
        Concern::Module,
        Concern::Bpf,
        Concern::Mount,
        Concern::Namespace,
        Concern::ProcessAccess,
        Concern::Socket,
        Concern::FileChange,
        Concern::Transfer,
        Concern::IoUring,
        Concern::Open,
    ];

    /// The name in output, metrics and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Concern::Exec => "exec",
            Concern::Fork => "fork",
            Concern::Exit => "exit",
            Concern::Open => "open",
            Concern::IoUring => "io_uring",
            Concern::FileChange => "file_change",
            Concern::Connect => "connect",
            Concern::Bytes => "bytes",
            Concern::Names => "names",
            Concern::FlowEnd => "flow_end",
            Concern::Socket => "socket",
            Concern::ProcessAccess => "process_access",
            Concern::Bpf => "bpf",
            Concern::Module => "module",
            Concern::Mount => "mount",
            Concern::Namespace => "namespace",
            Concern::Transfer => "transfer",
            Concern::Cgroups => "cgroups",
        }
    }

    /// Without it the sensor does not start.
    pub const fn required(self) -> bool {
        matches!(
            self,
            Concern::Exec | Concern::Fork | Concern::Exit | Concern::Open | Concern::Connect | Concern::Bytes
        )
    }

    /// What is not seen without it.
    pub const fn without(self) -> &'static str {
        match self {
            Concern::Exec => "programs started are not seen",
            Concern::Fork => "new processes are not seen",
            Concern::Exit => "the end of processes is not seen",
            Concern::Open => "opens of files are not seen",
            Concern::IoUring => "what io_uring opens is not seen",
            Concern::FileChange => "renames, links, removals and truncations of files are not seen",
            Concern::Connect => "connections are not seen",
            Concern::Bytes => "bytes that leave are not counted",
            Concern::Names => "destinations are not named by answers of DNS",
            Concern::FlowEnd => "a flow's last bytes, accepted connections and who listens are not reported",
            Concern::Socket => "raw, packet and vsock sockets are not seen",
            Concern::ProcessAccess => "who reads the memory of other processes is not seen",
            Concern::Bpf => "other users of bpf are not seen",
            Concern::Module => "kernel modules loaded are not seen",
            Concern::Mount => "mounts are not seen",
            Concern::Namespace => "who enters other namespaces is not seen",
            Concern::Transfer => "what a process passes on to others is not followed, only what its container holds",
            Concern::Cgroups => "a container is only known once the sensor has looked for it",
        }
    }

    /// What makes up for it, or gives it back.
    pub(super) const fn mend(self) -> &'static str {
        match self {
            Concern::IoUring => {
                "use a kernel with BPF trampolines, or Linux 6.0 or later, or forbid io_uring by `sysctl kernel.io_uring_disabled=2` \
                 (6.6 and later)"
            }
            Concern::FlowEnd | Concern::Cgroups => "use Linux 5.10 or later",
            Concern::Module => "nothing, if this kernel is built without modules",
            _ => "use Linux 5.10 or later with CONFIG_DEBUG_INFO_BTF=y, CONFIG_CGROUP_BPF=y and CONFIG_BPF_EVENTS=y",
        }
    }

    /// Whether there is more than one way to watch it.
    pub const fn has_families(self) -> bool {
        !self.actions().is_empty() && !self.portable_only()
    }

    /// Whether it is watched by the exits of system calls on every kernel: only there it is known how many bytes moved.
    pub const fn portable_only(self) -> bool {
        matches!(self, Concern::Transfer)
    }

    /// The system calls by whose exits the portable family watches it.
    pub(super) const fn actions(self) -> &'static [Action] {
        match self {
            Concern::Open => &[Action::Open],
            Concern::FileChange => &[
                Action::Rename,
                Action::Renameat,
                Action::Link,
                Action::Linkat,
                Action::Unlink,
                Action::Unlinkat,
                Action::Truncate,
                Action::Truncate64,
                Action::Ftruncate,
                Action::Ftruncate64,
            ],
            Concern::Socket => &[Action::Socket, Action::Socketcall],
            Concern::ProcessAccess => {
                &[Action::Ptrace, Action::ProcessVmReadv, Action::ProcessVmWritev, Action::PidfdGetfd]
            }
            Concern::Bpf => &[Action::Bpf],
            Concern::Mount => &[Action::Mount, Action::MoveMount, Action::PivotRoot],
            Concern::Namespace => &[Action::Unshare, Action::Setns],
            Concern::Transfer => &[
                Action::Read,
                Action::ReadMany,
                Action::Write,
                Action::WriteMany,
                Action::Sendto,
                Action::Sendmsg,
                Action::Sendfile,
                Action::Splice,
                Action::Tee,
                Action::Vmsplice,
                Action::Ioctl,
                Action::Mmap,
            ],
            _ => &[],
        }
    }

    /// The io_uring operations that do the same.
    pub(super) const fn operations(self) -> &'static [u32] {
        match self {
            Concern::Open => &[uring_op::OPENAT, uring_op::OPENAT2],
            Concern::FileChange => &[uring_op::RENAMEAT, uring_op::UNLINKAT, uring_op::LINKAT, uring_op::FTRUNCATE],
            Concern::Socket => &[uring_op::SOCKET],
            Concern::Transfer => MOVES,
            _ => &[],
        }
    }
}

/// A family of hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// On kernel functions, by BPF trampolines (fexit): only what is watched pays for it, and nothing gets by.
    Trampoline,
    /// On the exits of system calls and on tracepoints: on every kernel, and every system call pays for it.
    Portable,
}

impl Family {
    /// The best first.
    pub const ALL: [Family; 2] = [Family::Trampoline, Family::Portable];

    /// The name in output and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Trampoline => "trampoline",
            Family::Portable => "portable",
        }
    }
}

/// Which families may be used; by default any, the best that works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    all: Option<Family>,
    each: BTreeMap<Concern, Family>,
}

impl Hooks {
    /// The one family that may be used for `concern`, if that was said.
    pub fn wanted(&self, concern: Concern) -> Option<Family> {
        self.each.get(&concern).copied().or(self.all)
    }

    /// These, and what `other` says on top.
    #[must_use]
    pub fn with(mut self, other: &Hooks) -> Hooks {
        self.all = other.all.or(self.all);
        self.each.extend(&other.each);
        self
    }
}

/// `auto`, `portable`, `trampoline`, or `CONCERN=FAMILY`; several separated by commas.
impl FromStr for Hooks {
    type Err = String;

    fn from_str(text: &str) -> Result<Hooks, String> {
        let family = |name: &str| {
            let names = Family::ALL.map(Family::name).join(" or ");
            let found = Family::ALL.into_iter().find(|family| family.name() == name);
            found.ok_or_else(|| {
                format!("`{name}` is no family of hooks: give {names}, or `auto` for the best that works")
            })
        };
        let mut hooks = Hooks::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                None if part == "auto" => hooks.all = None,
                None => hooks.all = Some(family(part)?),
                Some((name, chosen)) => {
                    let known = || Concern::ALL.into_iter().filter(|concern| concern.has_families());
                    let concern = known().find(|concern| concern.name() == name).ok_or_else(|| {
                        let names: Vec<_> = known().map(Concern::name).collect();
                        format!("`{name}` is not watched in more than one way: give one of {}", names.join(", "))
                    })?;
                    hooks.each.insert(concern, family(chosen)?);
                }
            }
        }
        Ok(hooks)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_chosen_for_all_or_for_each() {
        let hooks: Hooks = "portable, open=trampoline".parse().unwrap();
        assert_eq!(hooks.wanted(Concern::Open), Some(Family::Trampoline));
        assert_eq!(hooks.wanted(Concern::Mount), Some(Family::Portable));
        assert_eq!(Hooks::default().wanted(Concern::Open), None);
        assert_eq!("auto".parse(), Ok(Hooks::default()));
        let both = hooks.with(&"trampoline,mount=portable".parse().unwrap());
        assert_eq!(both.wanted(Concern::Bpf), Some(Family::Trampoline));
        assert_eq!(both.wanted(Concern::Mount), Some(Family::Portable));
    }

    #[test]
    fn what_is_no_choice_is_refused_with_the_choices() {
        for (text, said) in
            [("kprobe", "trampoline or portable"), ("exec=portable", "open"), ("open=fast", "trampoline or portable")]
        {
            let error = text.parse::<Hooks>().unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
