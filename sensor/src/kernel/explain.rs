//! The kernel's refusals as sentences.

use super::capability::lacked_to_load;
use super::load::{Gap, LoadError};
use super::plan::Part;
use aya::maps::MapError;
use aya::programs::ProgramError;
use aya::{EbpfError, sys::SyscallError};
use std::io;

/// Lines of the verifier's log that an error shows: the last ones say what it did not like.
const LOG_LINES: usize = 4;

/// What to do when the kernel does not permit.
pub(super) const fn not_permitted() -> &'static str {
    "run it as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (before Linux 5.8: CAP_SYS_ADMIN), in a container with \
     hostPID and a seccomp profile that lets bpf(2) through; `weir doctor` says what is missing"
}

/// Why a program does not run.
pub(super) fn explain(part: &Part, error: &ProgramError) -> Gap {
    let mend = part.concern.mend();
    let (reason, mend) = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            tracing::debug!(program = part.program, %log, "the verifier's log");
            if log.trim().is_empty() { refused("load", io_error, mend) } else { rejected(io_error, &log) }
        }
        ProgramError::SyscallError(SyscallError { call: "bpf_link_create", io_error })
            if io_error.raw_os_error() == Some(libc::EPERM) =>
        {
            (
                format!("the kernel does not let it share the root cgroup ({io_error})"),
                "find a program there that was attached without BPF_F_ALLOW_MULTI (`bpftool cgroup tree`), or grant CAP_NET_ADMIN",
            )
        }
        ProgramError::SyscallError(SyscallError { call, io_error }) => refused(call, io_error, mend),
        other => (other.to_string(), mend),
    };
    Gap { program: part.program, reason, mend }
}

/// What the verifier has to say.
fn rejected(error: &io::Error, log: &str) -> (String, &'static str) {
    // Under lockdown the helpers are simply not there (`bpf_base_func_proto`, LOCKDOWN_BPF_READ_KERNEL); until about 6.10 the
    // verifier calls that an unknown function.
    let helpers_lack = |line: &str| line.contains("cannot use helper") || line.contains("unknown func");
    if log.lines().any(|line| line.contains("bpf_probe_read") && helpers_lack(line)) {
        return (
            format!(
                "the kernel forbids programs to read its memory, as lockdown in confidentiality mode does ({error})"
            ),
            "boot with lockdown=integrity or without lockdown (/sys/kernel/security/lockdown shows the mode)",
        );
    }
    let what = format!("the kernel's verifier rejects it ({error}): {}", last_lines(log));
    (what, "please report this with the kernel's version and the output of `weir --log debug run`")
}

fn refused(step: &str, error: &io::Error, mend: &'static str) -> (String, &'static str) {
    let (mend, lacked) = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => (not_permitted(), lacked_to_load()),
        _ => (mend, String::new()),
    };
    let step = if step == "load" { "load" } else { "attach" };
    (format!("the kernel refuses to {step} it ({error}{lacked})"), mend)
}

/// Why the object as a whole cannot be used.
pub(super) fn explain_object(error: &EbpfError) -> LoadError {
    let io_error = match error {
        EbpfError::MapError(MapError::CreateError { io_error, .. }) => Some(io_error),
        EbpfError::MapError(MapError::SyscallError(SyscallError { io_error, .. })) => Some(io_error),
        _ => None,
    };
    match io_error {
        Some(source) if matches!(source.raw_os_error(), Some(libc::EPERM | libc::EACCES)) => {
            LoadError::NotPermitted(io::Error::from_raw_os_error(source.raw_os_error().unwrap_or(libc::EPERM)))
        }
        Some(source) => LoadError::Object(format!("{error} ({source}); is there memory left for its maps?")),
        None => LoadError::Object(format!("{}; object and agent differ, rebuild both", chain(error))),
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// The verifier's last words, without its statistics, in one line.
fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines.iter().rposition(|line| !is_statistics(line)).map_or(0, |last| last + 1);
    let lines = lines.get(said.saturating_sub(LOG_LINES)..said).unwrap_or(&[]);
    lines.join(" / ")
}

fn is_statistics(line: &str) -> bool {
    ["processed ", "verification time ", "stack depth "].iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_kept_and_the_statistics_not() {
        let log = "0: r1\n1: r2\n2: r3\n3: r4\nR1 invalid mem access 'scalar'\n\nverification time 5 usec\nstack depth 8\n\
                   processed 4 insns (limit 1000000)\n";
        assert_eq!(last_lines(log), "1: r2 / 2: r3 / 3: r4 / R1 invalid mem access 'scalar'");
        assert_eq!(last_lines(""), "");
        assert_eq!(last_lines("processed 4 insns"), "");
        assert_eq!(last_lines("only this"), "only this");
    }

    #[test]
    fn lockdown_is_told_from_a_mistake_of_ours() {
        let error = io::Error::from_raw_os_error(libc::EINVAL);
        for said in
            ["program of this type cannot use helper bpf_probe_read_kernel#113", "unknown func bpf_probe_read#4"]
        {
            let log = format!("0: (85) call bpf_probe_read_kernel#113\n{said}\nprocessed 1 insns\n");
            let (reason, mend) = rejected(&error, &log);
            assert!(reason.contains("lockdown") && mend.contains("lockdown=integrity"), "{reason}; {mend}");
        }
        let other = "0: (85) call bpf_probe_read_kernel#113\nR1 invalid mem access 'scalar'\n";
        let (reason, mend) = rejected(&error, other);
        assert!(reason.contains("invalid mem access") && mend.contains("report"), "{reason}; {mend}");
    }

    #[test]
    fn what_is_not_permitted_is_told_with_who_may() {
        for number in [libc::EPERM, libc::EACCES] {
            let (reason, mend) = refused("load", &io::Error::from_raw_os_error(number), "another mend");
            assert!(reason.contains("refuses to load") && mend.contains("CAP_BPF"), "{reason}; {mend}");
        }
        let (_, mend) = refused("bpf_link_create", &io::Error::from_raw_os_error(libc::ENOMEM), "another mend");
        assert_eq!(mend, "another mend");
    }
}
