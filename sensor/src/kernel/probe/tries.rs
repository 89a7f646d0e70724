//! What only trying tells.

use super::{Finding, State};
use crate::kernel::btf::{Btf, VMLINUX};
use crate::kernel::sys;
use std::io;

/// A function that nothing but the kernel's own tests calls (net/bpf/test_run.c).
const TEST_FUNCTION: &str = "bpf_fentry_test1";

pub(super) fn probe() -> Vec<Finding> {
    let tgid = sys::own_tgid();
    let mut findings = vec![loading(&tgid)];
    if let Ok(tgid) = tgid {
        findings.push(pid_namespace(tgid));
        findings.push(trampolines());
    }
    findings
}

fn loading(tgid: &io::Result<u32>) -> Finding {
    const NAME: &str = "loading programs";
    match tgid {
        Ok(_) => Finding::ok(NAME, "a program was loaded and run"),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)) => Finding::not(
            NAME,
            State::Missing,
            format!("bpf(2) is refused ({error})"),
            "run weir as root or with CAP_BPF and CAP_PERFMON; in a container also with a seccomp profile that lets bpf(2) through",
        ),
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            Finding::not(NAME, State::Missing, "this kernel has no bpf(2)", "boot a kernel with CONFIG_BPF_SYSCALL=y")
        }
        Err(error) => Finding::not(
            NAME,
            State::Degraded,
            format!("a program could not be run on request ({error}), so that weir takes its process id from /proc"),
            "use Linux 5.10 or later",
        ),
    }
}

/// The kernel counts from the initial pid namespace, `/proc` from the one that it was mounted in.
fn pid_namespace(tgid: u32) -> Finding {
    const NAME: &str = "pid namespace";
    if tgid == std::process::id() {
        return Finding::ok(NAME, "weir sees all processes of this machine");
    }
    Finding::not(
        NAME,
        State::Degraded,
        "weir is in a pid namespace of its own: processes that were there before it stay unknown",
        "run it in the host's pid namespace (hostPID: true in Kubernetes)",
    )
}

fn trampolines() -> Finding {
    const NAME: &str = "trampolines";
    let tried = std::fs::read(VMLINUX)
        .map_err(|error| error.to_string())
        .and_then(|bytes| Btf::parse(&bytes).map(|btf| btf.function(TEST_FUNCTION)).map_err(|error| error.to_string()))
        .and_then(|function| function.ok_or_else(|| format!("this kernel has no {TEST_FUNCTION} to try it with")))
        .and_then(|function| {
            sys::try_trampoline(function).map_err(|(step, error)| format!("the kernel refuses to {step} one: {error}"))
        });
    match tried {
        Ok(()) => Finding::ok(NAME, "programs attach to kernel functions: only what is watched pays for it"),
        Err(reason) => Finding::not(
            NAME,
            State::Degraded,
            format!(
                "programs cannot attach to kernel functions ({reason}): opens and the like are watched by the exits of all system calls"
            ),
            "nothing has to be done; kernels with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y (arm64: 6.4 and later) have trampolines",
        ),
    }
}
