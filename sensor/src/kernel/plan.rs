//! Which programs there are, what each is for, where it attaches, and what is not seen without it.

use super::btf::{Argument, Btf};
use crate::event::{Hook, Kind};

/// Something that the sensor watches, by one program or several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
    /// Programs started.
    Exec,
    /// Processes created.
    Fork,
    /// Processes ended.
    Exit,
    /// Files opened by system calls.
    Open,
    /// Files opened by io_uring.
    IoUring,
    /// Connections and unconnected sends asked for.
    Connect,
    /// Bytes that leave, and whose socket they leave by.
    Bytes,
    /// Flows that end, and connections accepted.
    FlowEnd,
    /// Cgroups made.
    Cgroups,
}

impl Concern {
    /// Every concern, in the order in which their programs are attached: who acts before what is done.
    pub const ALL: [Concern; 9] = [
        Concern::Cgroups,
        Concern::Fork,
        Concern::Exec,
        Concern::Exit,
        Concern::FlowEnd,
        Concern::Bytes,
        Concern::Connect,
        Concern::IoUring,
        Concern::Open,
    ];

    /// The name in output and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Concern::Exec => "exec",
            Concern::Fork => "fork",
            Concern::Exit => "exit",
            Concern::Open => "open",
            Concern::IoUring => "io_uring",
            Concern::Connect => "connect",
            Concern::Bytes => "bytes",
            Concern::FlowEnd => "flow_end",
            Concern::Cgroups => "cgroups",
        }
    }

    /// Without it the sensor does not start.
    pub const fn required(self) -> bool {
        !matches!(self, Concern::IoUring | Concern::FlowEnd | Concern::Cgroups)
    }

    /// What is not seen without it.
    pub const fn without(self) -> &'static str {
        match self {
            Concern::Exec => "programs started are not seen",
            Concern::Fork => "new processes are not seen",
            Concern::Exit => "the end of processes is not seen",
            Concern::Open => "opens of files are not seen",
            Concern::IoUring => "opens by io_uring are not seen",
            Concern::Connect => "connections are not seen",
            Concern::Bytes => "bytes that leave are not counted",
            Concern::FlowEnd => "a flow's last bytes and accepted connections are not reported",
            Concern::Cgroups => "a container is only known once the sensor has looked for it",
        }
    }

    /// What makes up for it, or gives it back.
    pub(super) const fn mend(self) -> &'static str {
        match self {
            Concern::IoUring => {
                "use Linux 6.10 or later, or forbid io_uring by `sysctl kernel.io_uring_disabled=2` (6.6 and later)"
            }
            Concern::FlowEnd | Concern::Cgroups => "use Linux 5.10 or later",
            _ => "use Linux 5.10 or later with CONFIG_DEBUG_INFO_BTF=y, CONFIG_CGROUP_BPF=y and CONFIG_BPF_EVENTS=y",
        }
    }

    /// The programs that it takes.
    pub(super) fn parts(self) -> impl Iterator<Item = &'static Part> {
        PARTS.iter().filter(move |part| part.concern == self)
    }
}

/// One program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// What it is for.
    pub(super) concern: Concern,
    /// The function's name in the object.
    pub(super) program: &'static str,
    /// The kernel's name of the attach point.
    pub(super) hook: &'static str,
    /// What it sends.
    pub(super) kind: Kind,
    /// The tracepoints that it can attach to, the best first; none for programs on a cgroup.
    pub(super) tracepoints: &'static [Tracepoint],
}

/// A tracepoint as a program expects it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tracepoint {
    /// Its name.
    pub(super) name: &'static str,
    /// The structure that each argument must point to, where it matters. Kernels changed some over time.
    arguments: &'static [Option<&'static str>],
}

const SCHED_EXEC: &[Tracepoint] = &[Tracepoint { name: "sched_process_exec", arguments: &[Some("task_struct")] }];
const SCHED_FORK: &[Tracepoint] =
    &[Tracepoint { name: "sched_process_fork", arguments: &[Some("task_struct"), Some("task_struct")] }];
const SCHED_EXIT: &[Tracepoint] = &[Tracepoint { name: "sched_process_exit", arguments: &[Some("task_struct")] }];
const SYS_EXIT: &[Tracepoint] = &[Tracepoint { name: "sys_exit", arguments: &[Some("pt_regs"), None] }];
const SOCK_STATE: &[Tracepoint] = &[Tracepoint { name: "inet_sock_set_state", arguments: &[Some("sock"), None, None] }];
const CGROUP_MKDIR: &[Tracepoint] = &[Tracepoint { name: "cgroup_mkdir", arguments: &[Some("cgroup"), None] }];
/// `(ctx, req, cqe)` since 6.10.
const URING_COMPLETE: &[Tracepoint] =
    &[Tracepoint { name: "io_uring_complete", arguments: &[None, None, Some("io_uring_cqe")] }];
/// `(req)` since 6.4, `(req, force_nonblock)` under the older name since 6.0.
const URING_SUBMIT: &[Tracepoint] = &[
    Tracepoint { name: "io_uring_submit_req", arguments: &[Some("io_kiocb")] },
    Tracepoint { name: "io_uring_submit_sqe", arguments: &[Some("io_kiocb")] },
];

static PARTS: [Part; 15] = [
    tracepoint(Concern::Exec, "on_exec", Hook::SchedProcessExec, Kind::Exec, SCHED_EXEC),
    tracepoint(Concern::Fork, "on_fork", Hook::SchedProcessFork, Kind::Fork, SCHED_FORK),
    tracepoint(Concern::Exit, "on_exit", Hook::SchedProcessExit, Kind::Exit, SCHED_EXIT),
    tracepoint(Concern::Open, "on_sys_exit", Hook::SysExit, Kind::Open, SYS_EXIT),
    tracepoint(Concern::IoUring, "on_uring_complete", Hook::IoUringComplete, Kind::Open, URING_COMPLETE),
    tracepoint(Concern::IoUring, "on_uring_submit", Hook::IoUringSubmit, Kind::Open, URING_SUBMIT),
    cgroup(Concern::Connect, "on_connect4", "cgroup_connect4", Kind::Connect),
    cgroup(Concern::Connect, "on_connect6", "cgroup_connect6", Kind::Connect),
    cgroup(Concern::Connect, "on_sendmsg4", "cgroup_sendmsg4", Kind::Connect),
    cgroup(Concern::Connect, "on_sendmsg6", "cgroup_sendmsg6", Kind::Connect),
    cgroup(Concern::Bytes, "on_sock_create", "cgroup_sock_create", Kind::Flow),
    cgroup(Concern::Bytes, "on_egress", "cgroup_skb", Kind::Flow),
    cgroup(Concern::FlowEnd, "on_sock_release", "cgroup_sock_release", Kind::Flow),
    tracepoint(Concern::FlowEnd, "on_sock_state", Hook::InetSockSetState, Kind::Flow, SOCK_STATE),
    tracepoint(Concern::Cgroups, "on_cgroup_mkdir", Hook::CgroupMkdir, Kind::Cgroup, CGROUP_MKDIR),
];

const fn tracepoint(
    concern: Concern,
    program: &'static str,
    hook: Hook,
    kind: Kind,
    tracepoints: &'static [Tracepoint],
) -> Part {
    Part { concern, program, hook: hook.name(), kind, tracepoints }
}

const fn cgroup(concern: Concern, program: &'static str, hook: &'static str, kind: Kind) -> Part {
    Part { concern, program, hook, kind, tracepoints: &[] }
}

/// Every program, in the order in which they are attached.
pub(super) fn parts() -> impl Iterator<Item = &'static Part> {
    Concern::ALL.into_iter().flat_map(Concern::parts)
}

impl Part {
    /// The tracepoint to attach to on this kernel: `Ok(None)` for programs on a cgroup.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn tracepoint(&self, btf: &Btf<'_>) -> Result<Option<&'static str>, String> {
        let Some(best) = self.tracepoints.first() else { return Ok(None) };
        let mut reason = format!("this kernel has no tracepoint {}", best.name);
        for tracepoint in self.tracepoints {
            match btf.tracepoint_arguments(tracepoint.name) {
                Some(arguments) if tracepoint.accepts(&arguments) => return Ok(Some(tracepoint.name)),
                Some(_) => reason = format!("this kernel's tracepoint {} has other arguments", tracepoint.name),
                None => (),
            }
        }
        Err(reason)
    }
}

impl Tracepoint {
    fn accepts(&self, arguments: &[Argument<'_>]) -> bool {
        self.arguments.iter().enumerate().all(|(index, expected)| match (expected, arguments.get(index)) {
            (Some(expected), Some(Argument::Pointer(Some(found)))) => found == expected,
            (None, Some(_)) => true,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_concern_has_its_programs_and_no_program_two_concerns() {
        let names: Vec<_> = parts().map(|part| part.program).collect();
        assert_eq!(names.len(), PARTS.len());
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), PARTS.len());
        assert!(Concern::ALL.into_iter().all(|concern| concern.parts().next().is_some()));
    }

    #[test]
    fn a_tracepoint_with_other_arguments_is_not_taken() {
        let complete = &URING_COMPLETE[0];
        let (pointer, cqe) = (Argument::Pointer(None), Argument::Pointer(Some("io_uring_cqe")));
        assert!(complete.accepts(&[Argument::Pointer(Some("io_ring_ctx")), pointer, cqe]));
        assert!(!complete.accepts(&[pointer, Argument::Other, Argument::Other]), "5.10: (ctx, user_data, res)");
        assert!(!complete.accepts(&[pointer, pointer, Argument::Other, Argument::Other]), "6.1");
        assert!(!complete.accepts(&[pointer, pointer]));
    }
}
