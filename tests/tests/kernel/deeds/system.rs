//! Sockets, processes, mounts, namespaces, and what is loaded into the kernel.

use super::{Prepared, each_in_both_places};
use crate::watch::{self, Outcome, events_in, nothing_lost, skipped};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use tests::scene::{Container, Spec};
use tests::{Place, skip};

fn nothing_more(_: &str, _: &Path) -> Prepared {
    Ok(Vec::new())
}

#[test]
fn sockets() -> Outcome {
    let kinds = ["socket_packet", "socket_raw", "socket_vsock", "socket_xdp", "socket_inet", "socket_unix"];
    let ways: [&[&str]; 4] = [&[], &["--by", "ia32"], &["--by", "io_uring"], &["--by", "io_uring", "--async"]];
    let mut deeds: Vec<Vec<&str>> =
        kinds.into_iter().flat_map(|kind| ways.map(|way| [&[kind], way].concat())).collect();
    deeds.push(vec!["socketcall_raw", "--by", "ia32"]);
    let deeds: Vec<&[&str]> = deeds.iter().map(Vec::as_slice).collect();
    each_in_both_places("sockets", &deeds, nothing_more)
}

#[test]
fn memory_of_other_processes() -> Outcome {
    let whats = ["ptrace_seize", "ptrace_attach", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "proc_mem"];
    let mut deeds: Vec<Vec<&str>> = whats.into_iter().map(|what| vec![what]).collect();
    for what in ["ptrace_seize", "ptrace_attach", "pidfd_getfd"] {
        deeds.push(vec![what, "--by", "ia32"]);
    }
    // What a process does to itself.
    for what in ["process_vm_readv", "process_vm_writev", "pidfd_getfd", "proc_mem"] {
        deeds.push(vec![what, "--own"]);
    }
    let deeds: Vec<&[&str]> = deeds.iter().map(Vec::as_slice).collect();
    each_in_both_places("memory of other processes", &deeds, nothing_more)
}

#[test]
fn mounts() -> Outcome {
    let whats = ["mount_tmpfs", "mount_bind", "move_mount", "pivot_root"];
    let deeds: Vec<Vec<&str>> = whats.into_iter().flat_map(|what| [vec![what], vec![what, "--by", "ia32"]]).collect();
    let deeds: Vec<&[&str]> = deeds.iter().map(Vec::as_slice).collect();
    each_in_both_places("mounts", &deeds, |place, _| Ok(vec![place.into()]))
}

#[test]
fn namespaces() -> Outcome {
    let whats = ["unshare", "setns", "setns_any"];
    let deeds: Vec<Vec<&str>> = whats.into_iter().flat_map(|what| [vec![what], vec![what, "--by", "ia32"]]).collect();
    let deeds: Vec<&[&str]> = deeds.iter().map(Vec::as_slice).collect();
    each_in_both_places("namespaces", &deeds, nothing_more)
}

#[test]
fn bpf_programs() -> Outcome {
    let deeds: &[&[&str]] = &[&["bpf_prog_load"], &["bpf_prog_load", "--name", "fifteen_letters"]];
    each_in_both_places("a bpf program", deeds, nothing_more)
}

/// Only where the machine is the test's own: a virtual machine with modules as files.
#[test]
fn a_module() -> Outcome {
    if skipped("a kernel module") {
        return Ok(());
    }
    let module = Path::new("/lib/dummy.ko");
    let Ok(loaded) = fs::read_to_string("/proc/modules") else {
        skip::say("the kernel has no modules: a kernel module");
        return Ok(());
    };
    if !module.exists() {
        skip::say("there is no module to load, /lib/dummy.ko: a kernel module");
        return Ok(());
    }
    let container = Container::start(&Spec::default())?;
    let sensor = events_in(&container, &["--kind", "module"])?;
    if loaded.lines().any(|line| line.starts_with("dummy ")) {
        let remove = Place::Host.spawn(OsStr::new("/bin/sh"), &["-c", "rmmod dummy || busybox rmmod dummy"])?;
        assert!(remove.output()?.status.success(), "rmmod dummy");
    }
    let insert = watch::spawn_on_host(&container, OsStr::new("insmod"), &["/lib/dummy.ko"])?;
    let pid = insert.pid();
    assert!(insert.output()?.status.success(), "insmod dummy");
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let event = watch::the(&events, "module", pid, &"insmod")?;
    assert_eq!(event.text("weir.module.name"), Some("dummy"));
    assert_eq!(event.text("weir.hook"), Some("module_load"));
    assert_eq!(event.number("weir.module.taints"), Some(0));
    Ok(())
}
