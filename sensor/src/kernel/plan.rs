//! Which programs there are, what each is for, and where it attaches.

use super::btf::{Argument, Btf};
use super::concern::{Concern, Family};
use crate::event::{Hook, Kind};

/// One program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// What it is for; of the exit of system calls, one of the things.
    pub(super) concern: Concern,
    /// The family that it is of; `None` where all kernels have the same.
    pub(super) family: Option<Family>,
    /// The function's name in the object.
    pub(super) program: &'static str,
    /// The kernel's name of the attach point.
    pub(super) hook: &'static str,
    /// What it sends; of programs that send several kinds, one of them.
    pub(super) kind: Kind,
    /// Where it attaches.
    pub(super) place: Place,
    /// Not on all kernels, and nothing is missing where it is not: another program of the concern sees the same there.
    pub(super) optional: bool,
}

/// Where a program attaches: the first of the targets that the kernel has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A tracepoint.
    Tracepoint(&'static [Target]),
    /// A function's entry.
    Entry(&'static [Target]),
    /// A function's exit. Its arguments must be just these: the result comes behind them.
    Exit(&'static [Target]),
    /// A cgroup.
    Cgroup,
    /// A cgroup, for packets that arrive.
    Ingress,
}

/// A tracepoint or a function as a program expects it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Its name.
    pub(super) name: &'static str,
    /// The structure that each argument must point to, where it matters. Kernels changed some over time.
    arguments: &'static [Option<&'static str>],
}

const fn target(name: &'static str, arguments: &'static [Option<&'static str>]) -> Target {
    Target { name, arguments }
}

const FILE: Option<&str> = Some("file");
const PATH: Option<&str> = Some("path");
const DENTRY: Option<&str> = Some("dentry");
const TASK: Option<&str> = Some("task_struct");
const REGISTERS: Option<&str> = Some("pt_regs");

const SCHED_EXEC: &[Target] = &[target("sched_process_exec", &[TASK])];
const SCHED_FORK: &[Target] = &[target("sched_process_fork", &[TASK, TASK])];
const SCHED_EXIT: &[Target] = &[target("sched_process_exit", &[TASK])];
const SYS_EXIT: &[Target] = &[target("sys_exit", &[REGISTERS, None])];
const SOCK_STATE: &[Target] = &[target("inet_sock_set_state", &[Some("sock"), None, None])];
const CGROUP_MKDIR: &[Target] = &[target("cgroup_mkdir", &[Some("cgroup"), None])];
const MODULE_LOAD: &[Target] = &[target("module_load", &[Some("module")])];
/// What its arguments are, `layout::uring_shape` tells the program.
const URING_COMPLETE: &[Target] = &[target("io_uring_complete", &[None, None, None])];
/// Where the request is, `layout::uring_submitted` tells the program.
const URING_SUBMIT: &[Target] = &[target("io_uring_submit_req", &[None]), target("io_uring_submit_sqe", &[None, None])];

const FILE_OPEN: &[Target] = &[target("security_file_open", &[FILE])];
const PATH_RENAME: &[Target] = &[target("security_path_rename", &[PATH, DENTRY, PATH, DENTRY, None])];
const PATH_LINK: &[Target] = &[target("security_path_link", &[DENTRY, PATH, DENTRY])];
const PATH_UNLINK: &[Target] = &[target("security_path_unlink", &[PATH, DENTRY])];
const PATH_TRUNCATE: &[Target] = &[target("security_path_truncate", &[PATH])];
const FILE_TRUNCATE: &[Target] = &[target("security_file_truncate", &[FILE])];
const SOCKET_POST_CREATE: &[Target] =
    &[target("security_socket_post_create", &[Some("socket"), None, None, None, None])];
const PTRACE_ACCESS: &[Target] = &[target("security_ptrace_access_check", &[TASK, None])];
const SECURITY_BPF: &[Target] = &[target("security_bpf", &[None, Some("bpf_attr"), None])];
const SB_MOUNT: &[Target] = &[target("security_sb_mount", &[None, PATH, None, None, None])];
const MOVE_MOUNT: &[Target] = &[target("security_move_mount", &[PATH, PATH])];
const SB_PIVOTROOT: &[Target] = &[target("security_sb_pivotroot", &[PATH, PATH])];
const UNSHARE: &[Target] = &[target("ksys_unshare", &[None])];
const SETNS: &[Target] = &[target("__x64_sys_setns", &[REGISTERS]), target("__arm64_sys_setns", &[REGISTERS])];
const SETNS_COMPAT: &[Target] = &[target("__ia32_sys_setns", &[REGISTERS])];

/// The exit of system calls, for whatever the portable family watches.
pub(super) static CALLS: Part = Part {
    concern: Concern::Open,
    family: Some(Family::Portable),
    program: "on_sys_exit",
    hook: Hook::SysExit.name(),
    kind: Kind::Open,
    place: Place::Tracepoint(SYS_EXIT),
    optional: false,
};

static PARTS: [Part; 31] = [
    tracepoint(Concern::Exec, "on_exec", Hook::SchedProcessExec, Kind::Exec, SCHED_EXEC),
    tracepoint(Concern::Fork, "on_fork", Hook::SchedProcessFork, Kind::Fork, SCHED_FORK),
    tracepoint(Concern::Exit, "on_exit", Hook::SchedProcessExit, Kind::Exit, SCHED_EXIT),
    tracepoint(Concern::IoUring, "on_uring_complete", Hook::IoUringComplete, Kind::Open, URING_COMPLETE),
    tracepoint(Concern::IoUring, "on_uring_submit", Hook::IoUringSubmit, Kind::Open, URING_SUBMIT),
    cgroup(Concern::Connect, "on_connect4", "cgroup_connect4", Kind::Connect),
    cgroup(Concern::Connect, "on_connect6", "cgroup_connect6", Kind::Connect),
    cgroup(Concern::Connect, "on_sendmsg4", "cgroup_sendmsg4", Kind::Connect),
    cgroup(Concern::Connect, "on_sendmsg6", "cgroup_sendmsg6", Kind::Connect),
    cgroup(Concern::Bytes, "on_sock_create", "cgroup_sock_create", Kind::Flow),
    cgroup(Concern::Bytes, "on_egress", "cgroup_skb", Kind::Flow),
    Part { place: Place::Ingress, ..cgroup(Concern::Names, "on_ingress", "cgroup_skb_ingress", Kind::Dns) },
    cgroup(Concern::FlowEnd, "on_sock_release", "cgroup_sock_release", Kind::Flow),
    tracepoint(Concern::FlowEnd, "on_sock_state", Hook::InetSockSetState, Kind::Flow, SOCK_STATE),
    tracepoint(Concern::Cgroups, "on_cgroup_mkdir", Hook::CgroupMkdir, Kind::Cgroup, CGROUP_MKDIR),
    tracepoint(Concern::Module, "on_module_load", Hook::ModuleLoad, Kind::Module, MODULE_LOAD),
    exit(Concern::Open, "on_file_open", Hook::FileOpen, Kind::Open, FILE_OPEN),
    exit(Concern::FileChange, "on_path_rename", Hook::PathRename, Kind::Rename, PATH_RENAME),
    exit(Concern::FileChange, "on_path_link", Hook::PathLink, Kind::Link, PATH_LINK),
    exit(Concern::FileChange, "on_path_unlink", Hook::PathUnlink, Kind::Unlink, PATH_UNLINK),
    exit(Concern::FileChange, "on_path_truncate", Hook::PathTruncate, Kind::Truncate, PATH_TRUNCATE),
    exit(Concern::FileChange, "on_file_truncate", Hook::FileTruncate, Kind::Truncate, FILE_TRUNCATE).optional(),
    exit(Concern::Socket, "on_socket_post_create", Hook::SocketPostCreate, Kind::Socket, SOCKET_POST_CREATE),
    exit(Concern::ProcessAccess, "on_ptrace_access_check", Hook::PtraceAccessCheck, Kind::ProcessAccess, PTRACE_ACCESS),
    entry(Concern::Bpf, "on_security_bpf", Hook::SecurityBpf, Kind::Bpf, SECURITY_BPF),
    exit(Concern::Mount, "on_sb_mount", Hook::SbMount, Kind::Mount, SB_MOUNT),
    exit(Concern::Mount, "on_move_mount", Hook::MoveMount, Kind::Mount, MOVE_MOUNT),
    exit(Concern::Mount, "on_sb_pivotroot", Hook::PivotRoot, Kind::Mount, SB_PIVOTROOT),
    exit(Concern::Namespace, "on_unshare", Hook::Unshare, Kind::Namespace, UNSHARE),
    exit(Concern::Namespace, "on_setns", Hook::Setns, Kind::Namespace, SETNS),
    exit(Concern::Namespace, "on_setns_compat", Hook::Setns, Kind::Namespace, SETNS_COMPAT).optional(),
];

const fn tracepoint(
    concern: Concern,
    program: &'static str,
    hook: Hook,
    kind: Kind,
    targets: &'static [Target],
) -> Part {
    let place = Place::Tracepoint(targets);
    Part { concern, family: None, program, hook: hook.name(), kind, place, optional: false }
}

const fn exit(concern: Concern, program: &'static str, hook: Hook, kind: Kind, targets: &'static [Target]) -> Part {
    let (family, place) = (Some(Family::Trampoline), Place::Exit(targets));
    Part { concern, family, program, hook: hook.name(), kind, place, optional: false }
}

const fn entry(concern: Concern, program: &'static str, hook: Hook, kind: Kind, targets: &'static [Target]) -> Part {
    let (family, place) = (Some(Family::Trampoline), Place::Entry(targets));
    Part { concern, family, program, hook: hook.name(), kind, place, optional: false }
}

const fn cgroup(concern: Concern, program: &'static str, hook: &'static str, kind: Kind) -> Part {
    Part { concern, family: None, program, hook, kind, place: Place::Cgroup, optional: false }
}

/// A function to try a trampoline on before any program is: the one that matters most.
pub(super) const SAMPLE: &str = "security_file_open";

/// What to do where there are none.
pub(super) const NO_TRAMPOLINES: &str =
    "use a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y (arm64: 6.4 and later), or leave --hooks at auto";

/// The programs that `concern` takes in a family; `None` for those that all kernels have.
pub(super) fn parts(concern: Concern, family: Option<Family>) -> impl Iterator<Item = &'static Part> {
    PARTS.iter().filter(move |part| part.concern == concern && part.family == family)
}

/// Every program of the object.
pub(super) fn all() -> impl Iterator<Item = &'static Part> {
    PARTS.iter().chain([&CALLS])
}

impl Part {
    const fn optional(self) -> Part {
        Part { optional: true, ..self }
    }

    /// What to attach to on this kernel: `Ok(None)` for programs on a cgroup.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn target(&self, btf: &Btf<'_>) -> Result<Option<&'static str>, String> {
        let (what, targets, exact) = match self.place {
            Place::Tracepoint(targets) => ("tracepoint", targets, false),
            Place::Entry(targets) => ("function", targets, false),
            Place::Exit(targets) => ("function", targets, true),
            Place::Cgroup | Place::Ingress => return Ok(None),
        };
        let Some(best) = targets.first() else { return Ok(None) };
        let mut reason = format!("this kernel has no {what} {}", best.name);
        for target in targets {
            let arguments = match self.place {
                Place::Tracepoint(_) => btf.tracepoint_arguments(target.name),
                _ => btf.function_arguments(target.name),
            };
            match arguments {
                Some(arguments) if target.accepts(&arguments, exact) => return Ok(Some(target.name)),
                Some(_) => reason = format!("this kernel's {what} {} has other arguments", target.name),
                None => (),
            }
        }
        Err(reason)
    }
}

impl Target {
    fn accepts(&self, arguments: &[Argument<'_>], exact: bool) -> bool {
        if exact && arguments.len() != self.arguments.len() {
            return false;
        }
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
        let names: Vec<_> = all().map(|part| part.program).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for concern in Concern::ALL {
            let trampolines = parts(concern, Some(Family::Trampoline)).count();
            assert_eq!(trampolines > 0, concern.has_families(), "{}", concern.name());
            let common = !concern.has_families() && !concern.portable_only();
            assert_eq!(parts(concern, None).count() > 0, common, "{}", concern.name());
        }
    }

    #[test]
    fn a_target_with_other_arguments_is_not_taken() {
        let fork = &SCHED_FORK[0];
        let (pointer, task) = (Argument::Pointer(None), Argument::Pointer(Some("task_struct")));
        assert!(fork.accepts(&[task, task], false) && fork.accepts(&[task, task, Argument::Other], false));
        assert!(!fork.accepts(&[pointer, task], false) && !fork.accepts(&[task], false));
        let open = &FILE_OPEN[0];
        let file = Argument::Pointer(Some("file"));
        assert!(open.accepts(&[file], true));
        assert!(!open.accepts(&[file, Argument::Other], true), "the result would be taken from the wrong place");
    }
}
