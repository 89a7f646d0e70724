//! Where records come from.

/// Which kernel hook made the record. The discriminant is the wire value; [`Hook::name`] is the field `weir.hook`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Hook {
    /// `tp_btf/sched_process_exec`
    SchedProcessExec = 1,
    /// `tp_btf/sched_process_fork`
    SchedProcessFork = 2,
    /// `tp_btf/sched_process_exit`
    SchedProcessExit = 3,
    /// `tp_btf/sys_exit`: a system call that does what is watched returned.
    SysExit = 4,
    /// `tp_btf/io_uring_complete`: an io_uring request that does what is watched completed.
    IoUringComplete = 5,
    /// `tp_btf/io_uring_submit_req` (`io_uring_submit_sqe` before 6.4): a request that will post no completion, or whose names
    /// are gone by then.
    IoUringSubmit = 6,
    /// `cgroup/connect4`, `cgroup/connect6`
    CgroupConnect = 7,
    /// `cgroup/sendmsg4`, `cgroup/sendmsg6`
    CgroupSendmsg = 8,
    /// `cgroup_skb/egress`
    CgroupSkb = 9,
    /// `tp_btf/inet_sock_set_state`
    InetSockSetState = 10,
    /// `cgroup/sock_release`
    CgroupSockRelease = 11,
    /// `tp_btf/cgroup_mkdir`
    CgroupMkdir = 12,
    /// `fexit/security_file_open`
    FileOpen = 13,
    /// `fexit/security_path_rename`
    PathRename = 14,
    /// `fexit/security_path_link`
    PathLink = 15,
    /// `fexit/security_path_unlink`
    PathUnlink = 16,
    /// `fexit/security_path_truncate`
    PathTruncate = 17,
    /// `fexit/security_file_truncate` (6.2)
    FileTruncate = 18,
    /// `fexit/security_socket_post_create`
    SocketPostCreate = 19,
    /// `fexit/security_ptrace_access_check`
    PtraceAccessCheck = 20,
    /// `fexit/security_bpf`
    SecurityBpf = 21,
    /// `tp_btf/module_load`
    ModuleLoad = 22,
    /// `fexit/security_sb_mount`
    SbMount = 23,
    /// `fexit/security_move_mount`
    MoveMount = 24,
    /// `fexit/security_sb_pivotroot`
    PivotRoot = 25,
    /// `fexit/ksys_unshare`
    Unshare = 26,
    /// `fexit/__x64_sys_setns`, `fexit/__arm64_sys_setns`
    Setns = 27,
    /// `cgroup_skb/ingress`
    CgroupSkbIngress = 28,
}

impl Hook {
    /// Every hook, in wire order.
    pub const ALL: [Hook; 28] = [
        Hook::SchedProcessExec,
        Hook::SchedProcessFork,
        Hook::SchedProcessExit,
        Hook::SysExit,
        Hook::IoUringComplete,
        Hook::IoUringSubmit,
        Hook::CgroupConnect,
        Hook::CgroupSendmsg,
        Hook::CgroupSkb,
        Hook::InetSockSetState,
        Hook::CgroupSockRelease,
        Hook::CgroupMkdir,
        Hook::FileOpen,
        Hook::PathRename,
        Hook::PathLink,
        Hook::PathUnlink,
        Hook::PathTruncate,
        Hook::FileTruncate,
        Hook::SocketPostCreate,
        Hook::PtraceAccessCheck,
        Hook::SecurityBpf,
        Hook::ModuleLoad,
        Hook::SbMount,
        Hook::MoveMount,
        Hook::PivotRoot,
        Hook::Unshare,
        Hook::Setns,
        Hook::CgroupSkbIngress,
    ];

    /// The hook of a wire value.
    pub fn from_wire(value: u8) -> Option<Hook> {
        Hook::ALL.get(usize::from(value).checked_sub(1)?).copied()
    }

    /// The kernel's name of the attach point.
    pub const fn name(self) -> &'static str {
        match self {
            Hook::SchedProcessExec => "sched_process_exec",
            Hook::SchedProcessFork => "sched_process_fork",
            Hook::SchedProcessExit => "sched_process_exit",
            Hook::SysExit => "sys_exit",
            Hook::IoUringComplete => "io_uring_complete",
            Hook::IoUringSubmit => "io_uring_submit",
            Hook::CgroupConnect => "cgroup_connect",
            Hook::CgroupSendmsg => "cgroup_sendmsg",
            Hook::CgroupSkb => "cgroup_skb",
            Hook::InetSockSetState => "inet_sock_set_state",
            Hook::CgroupSockRelease => "cgroup_sock_release",
            Hook::CgroupMkdir => "cgroup_mkdir",
            Hook::FileOpen => "security_file_open",
            Hook::PathRename => "security_path_rename",
            Hook::PathLink => "security_path_link",
            Hook::PathUnlink => "security_path_unlink",
            Hook::PathTruncate => "security_path_truncate",
            Hook::FileTruncate => "security_file_truncate",
            Hook::SocketPostCreate => "security_socket_post_create",
            Hook::PtraceAccessCheck => "security_ptrace_access_check",
            Hook::SecurityBpf => "security_bpf",
            Hook::ModuleLoad => "module_load",
            Hook::SbMount => "security_sb_mount",
            Hook::MoveMount => "security_move_mount",
            Hook::PivotRoot => "security_sb_pivotroot",
            Hook::Unshare => "ksys_unshare",
            Hook::Setns => "sys_setns",
            Hook::CgroupSkbIngress => "cgroup_skb_ingress",
        }
    }
}
