//! What files tell.

use super::{Finding, Roots, State};
use crate::kernel::btf::Btf;
use crate::kernel::capability::{Capability, NO_MEMLOCK};
use crate::kernel::concern::{Concern, Family};
use crate::kernel::plan;
use rustix::thread::CapabilitySet;
use std::path::Path;

/// Oldest kernel on which the portable programs load.
const OLDEST: (u32, u32) = (5, 10);
/// What maps and ring need with their default sizes, bytes, generously.
const MEMLOCK: u64 = 64 << 20;

pub(super) fn probe(roots: &Roots) -> Vec<Finding> {
    let kernel = kernel_version(&roots.proc);
    let capabilities = effective_capabilities(&roots.proc);
    let mut findings = vec![
        release(kernel.as_ref()),
        loading_capabilities(capabilities),
        looking_capabilities(capabilities),
        lockdown(&roots.sys),
    ];
    findings.extend(types(&roots.sys));
    findings.extend(cgroups(roots));
    findings.push(memlock(&roots.proc, kernel.as_ref(), capabilities));
    findings.push(jit(&roots.proc));
    findings.push(unprivileged(&roots.proc));
    findings
}

struct KernelVersion {
    release: String,
    number: (u32, u32),
}

/// From `sys/kernel/osrelease`: `6.1.0-18-cloud-amd64`.
fn kernel_version(proc: &Path) -> Option<KernelVersion> {
    let release = read(&proc.join("sys/kernel/osrelease"))?;
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let number = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(KernelVersion { release, number })
}

fn release(kernel: Option<&KernelVersion>) -> Finding {
    const NAME: &str = "kernel";
    match kernel {
        Some(kernel) if kernel.number >= OLDEST => Finding::ok(NAME, format!("Linux {}", kernel.release)),
        Some(kernel) => Finding::not(
            NAME,
            State::Missing,
            format!("Linux {} is older than 5.10, on which the programs need to run", kernel.release),
            "boot Linux 5.10 or later",
        ),
        None => Finding::not(
            NAME,
            State::Degraded,
            "the kernel's version could not be read from /proc/sys/kernel/osrelease",
            "mount /proc",
        ),
    }
}

/// The bit set of `CapEff` in `self/status`.
fn effective_capabilities(proc: &Path) -> Option<CapabilitySet> {
    let status = read(&proc.join("self/status"))?;
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(set.trim(), 16).ok().map(CapabilitySet::from_bits_retain)
}

fn loading_capabilities(set: Option<CapabilitySet>) -> Finding {
    const NAME: &str = "capabilities to load";
    let Some(set) = set else {
        return Finding::not(NAME, State::Degraded, "the own capabilities could not be read", "mount /proc");
    };
    let needed = [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin];
    let lacking: Vec<_> = needed.into_iter().filter(|wanted| !wanted.is_in(set)).map(Capability::name).collect();
    if lacking.is_empty() {
        return Finding::ok(NAME, "programs may be loaded and attached");
    }
    Finding::not(
        NAME,
        State::Missing,
        format!("without {} the kernel lets nobody load and attach the programs", lacking.join(" and ")),
        "run weir as root, or give it CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN",
    )
}

fn looking_capabilities(set: Option<CapabilitySet>) -> Finding {
    const NAME: &str = "capabilities to look";
    let set = set.unwrap_or(CapabilitySet::empty());
    let needed = [Capability::SysPtrace, Capability::DacReadSearch];
    let lacking: Vec<_> = needed.into_iter().filter(|wanted| !wanted.is_in(set)).collect();
    if lacking.is_empty() {
        return Finding::ok(NAME, "other processes can be looked up in /proc, and their files be looked into");
    }
    let each: Vec<_> = lacking.iter().map(|lacks| format!("without {} {}", lacks.name(), lacks.without())).collect();
    let names: Vec<_> = lacking.into_iter().map(Capability::name).collect();
    Finding::not(NAME, State::Degraded, each.join("; "), format!("give weir {}", names.join(" and ")))
}

/// `[none] integrity confidentiality`; no file without the lockdown module.
fn lockdown(sys: &Path) -> Finding {
    const NAME: &str = "lockdown";
    let modes = read(&sys.join("kernel/security/lockdown")).unwrap_or_default();
    match modes.split(['[', ']']).nth(1) {
        Some("confidentiality") => Finding::not(
            NAME,
            State::Missing,
            "lockdown in confidentiality mode forbids programs to read kernel memory (bpf_probe_read_kernel)",
            "boot with lockdown=integrity or without lockdown",
        ),
        Some(mode) => Finding::ok(NAME, format!("mode {mode} lets programs read kernel memory")),
        None => Finding::ok(NAME, "not in this kernel, or securityfs is not mounted"),
    }
}

/// The kernel's type information and what it says about hooks.
fn types(sys: &Path) -> Vec<Finding> {
    const NAME: &str = "btf";
    let path = sys.join("kernel/btf/vmlinux");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            return vec![Finding::not(
                NAME,
                State::Missing,
                format!("{} cannot be read ({error}), so that the programs cannot know this kernel", path.display()),
                "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions have since 2020",
            )];
        }
    };
    let btf = match Btf::parse(&bytes) {
        Ok(btf) => btf,
        Err(error) => {
            let mend = "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, or use a newer Weir";
            return vec![Finding::not(NAME, State::Missing, error.to_string(), mend)];
        }
    };
    let mut findings = vec![match crate::kernel::layout::offsets(&btf) {
        Ok(_) => Finding::ok(NAME, "the kernel tells where its structures' fields are"),
        Err(error) => Finding::not(NAME, State::Missing, error.to_string(), "use Linux 5.10 or later, or a newer Weir"),
    }];
    findings.push(match btf.enumerator("BPF_MAP_TYPE_RINGBUF") {
        Some(_) => Finding::ok("ring buffer", "records can be sent through a BPF ring buffer"),
        None => Finding::not(
            "ring buffer",
            State::Missing,
            "this kernel has no BPF ring buffer (Linux 5.8)",
            "use Linux 5.10 or later",
        ),
    });
    findings.extend(Concern::ALL.into_iter().filter_map(|concern| hooks(&btf, concern)));
    findings
}

/// Whether what a concern attaches to is there; nothing for concerns that attach to cgroups only. Where there is a choice, what
/// the best family needs; whether the kernel lets programs attach to functions at all is told by trying.
fn hooks(btf: &Btf<'_>, concern: Concern) -> Option<Finding> {
    let name = match concern {
        Concern::Exec => "hook exec",
        Concern::Fork => "hook fork",
        Concern::Exit => "hook exit",
        Concern::Open => "hook open",
        Concern::IoUring => "hook io_uring",
        Concern::FileChange => "hook file_change",
        Concern::FlowEnd => "hook flow_end",
        Concern::Socket => "hook socket",
        Concern::ProcessAccess => "hook process_access",
        Concern::Bpf => "hook bpf",
        Concern::Module => "hook module",
        Concern::Mount => "hook mount",
        Concern::Namespace => "hook namespace",
        Concern::Cgroups => "hook cgroups",
        // The same tracepoint as the portable family of others.
        Concern::Connect | Concern::Bytes | Concern::Names | Concern::Transfer => return None,
    };
    let missing = |reason: String| {
        let state = if concern.required() { State::Missing } else { State::Degraded };
        Finding::not(name, state, format!("{reason}, so that {}", concern.without()), concern.mend())
    };
    if concern == Concern::Module && btf.tracepoint_arguments("module_load").is_none() {
        return Some(Finding::not(name, State::Unused, "this kernel loads no modules", "nothing has to be done"));
    }
    if !concern.has_families() {
        return Some(match targets(btf, concern, None) {
            Ok(names) => Finding::ok(name, format!("{} can be attached to", names.join(" and "))),
            Err(reason) => missing(reason),
        });
    }
    Some(match (targets(btf, concern, Some(Family::Trampoline)), plan::CALLS.target(btf)) {
        (Ok(names), Ok(_)) => Finding::ok(name, format!("{}, or the exits of system calls", names.join(" and "))),
        (Ok(names), Err(_)) => Finding::ok(name, names.join(" and ")),
        (Err(reason), Ok(_)) => Finding::not(
            name,
            State::Degraded,
            format!("the exits of system calls, since {reason}"),
            "nothing has to be done; kernels with CONFIG_SECURITY_PATH=y have the better hooks",
        ),
        (Err(_), Err(reason)) => missing(reason),
    })
}

/// What the programs of a concern in a family attach to here.
fn targets(btf: &Btf<'_>, concern: Concern, family: Option<Family>) -> Result<Vec<&'static str>, String> {
    let required = plan::parts(concern, family).filter(|part| !part.optional);
    required.filter_map(|part| part.target(btf).transpose()).collect()
}

fn cgroups(roots: &Roots) -> Vec<Finding> {
    const NAME: &str = "cgroup v2";
    let mounts = read(&roots.proc.join("self/mountinfo")).unwrap_or_default();
    // 41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
    let mounted = |kind: &'static str| {
        mounts.lines().filter_map(move |line| {
            let (mount, source) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(3);
            (source.split(' ').next() == Some(kind)).then_some((fields.next()?, fields.next()?))
        })
    };
    let Some((_, place)) = mounted("cgroup2").find(|(root, _)| *root == "/") else {
        return vec![Finding::not(
            NAME,
            State::Missing,
            "no root of cgroup v2 is mounted, to which the programs for connections and bytes attach",
            "mount it (`mount -t cgroup2 none /sys/fs/cgroup/unified`, or boot with systemd.unified_cgroup_hierarchy=1), \
             in a container from the host",
        )];
    };
    let hybrid = if mounted("cgroup").next().is_some() { ", beside cgroup v1" } else { "" };
    // Every cgroup but the real root has this file.
    let inner = roots.root.join(place.trim_start_matches('/')).join("cgroup.events").exists();
    vec![if inner {
        Finding::not(
            NAME,
            State::Degraded,
            format!("{place} is the root of a cgroup namespace: connections and bytes outside of it are not seen"),
            "run weir in the host's cgroup namespace (in a container: cgroupns=host, or mount the host's /sys/fs/cgroup)",
        )
    } else {
        Finding::ok(NAME, format!("mounted at {place}{hybrid}"))
    }]
}

fn memlock(proc: &Path, kernel: Option<&KernelVersion>, capabilities: Option<CapabilitySet>) -> Finding {
    const NAME: &str = "locked memory";
    if kernel.is_some_and(|kernel| kernel.number >= NO_MEMLOCK) {
        return Finding::ok(NAME, "this kernel charges maps to the memory cgroup, not to RLIMIT_MEMLOCK");
    }
    if capabilities.is_some_and(|set| set.contains(CapabilitySet::SYS_RESOURCE)) {
        return Finding::ok(NAME, "RLIMIT_MEMLOCK can be raised");
    }
    // Max locked memory         8388608              8388608              bytes
    let limits = read(&proc.join("self/limits")).unwrap_or_default();
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"))
        .and_then(|rest| rest.split_whitespace().next());
    match limit.map(|limit| if limit == "unlimited" { Ok(u64::MAX) } else { limit.parse() }) {
        Some(Ok(limit)) if limit >= MEMLOCK => Finding::ok(NAME, "RLIMIT_MEMLOCK leaves room for the maps"),
        _ => Finding::not(
            NAME,
            State::Missing,
            "RLIMIT_MEMLOCK is too small for the maps, and weir may not raise it",
            "give weir CAP_SYS_RESOURCE, or LimitMEMLOCK=infinity in its systemd unit",
        ),
    }
}

fn jit(proc: &Path) -> Finding {
    const NAME: &str = "jit";
    match read(&proc.join("sys/net/core/bpf_jit_enable")).as_deref() {
        Some("1" | "2") => Finding::ok(NAME, "programs run as machine code"),
        // Only the first network namespace has it (`sysctl_core_init`, net/core/sysctl_net_core.c): a pod of its own network has not.
        None => Finding::not(
            NAME,
            State::Unused,
            "whether programs run as machine code is told in the network namespace of the machine only",
            "look there: `sysctl net.core.bpf_jit_enable` should say 1",
        ),
        _ => Finding::not(
            NAME,
            State::Degraded,
            "programs are interpreted, which makes every watched system call and packet dearer",
            "set `sysctl net.core.bpf_jit_enable=1`",
        ),
    }
}

fn unprivileged(proc: &Path) -> Finding {
    const NAME: &str = "unprivileged bpf";
    match read(&proc.join("sys/kernel/unprivileged_bpf_disabled")).as_deref() {
        Some("0") => Finding::not(
            NAME,
            State::Unused,
            "every user may load BPF programs; Weir does not need that",
            "harden the machine with `sysctl kernel.unprivileged_bpf_disabled=2`",
        ),
        _ => Finding::ok(NAME, "only privileged users may load BPF programs"),
    }
}

/// A small file of one value, without the line's end.
fn read(path: &Path) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim_end().to_owned())
}
