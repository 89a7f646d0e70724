//! How a program was started: what stands behind its first descriptors, with whose rights, and from where.

use crate::watch::{Outcome, events, events_in, nothing_lost, skipped, the};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use tests::scene::{Container, Directory, Spec};
use tests::{Place, skip};

/// Lets `command` join the container's cgroup, so that only what is in it has to be watched.
fn join(command: &mut Command, scope: &Container) -> Result<(), Box<dyn std::error::Error>> {
    let cgroup = scope.cgroup_directories.first().ok_or("no cgroup")?;
    let mut procs = OpenOptions::new().write(true).open(cgroup.join("cgroup.procs"))?;
    // SAFETY: between fork and exec this makes one system call and allocates nothing.
    unsafe { command.pre_exec(move || procs.write_all(b"0")) };
    Ok(())
}

/// The slave of a new pseudo-terminal, and its master, which has to live as long.
fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.as_bytes()))?;
    Ok((slave.into(), master))
}

#[test]
fn what_is_behind_the_first_descriptors() -> Outcome {
    if skipped("the descriptors of programs that are started") {
        return Ok(());
    }
    // One of a file system that is in memory nowhere: temporary files may be, and in a guest everything is.
    let file: OwnedFd = File::open("/proc/version")?.into();
    let (read, _write) = io::pipe()?;
    let (unix, _other) = UnixStream::pair()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let connected = TcpStream::connect(listener.local_addr()?)?;
    let mut streams: Vec<(&str, OwnedFd)> = vec![
        ("file", file),
        ("memory", memfd_create("memory", MemfdFlags::CLOEXEC)?),
        ("null", File::open("/dev/null")?.into()),
        ("other", File::open("/dev/zero")?.into()),
        ("other", File::open("/")?.into()),
        ("pipe", read.into()),
        ("unix_socket", unix.into()),
        ("unix_socket", UnixDatagram::unbound()?.into()),
        ("inet_socket", connected.into()),
        ("inet_socket", UdpSocket::bind("127.0.0.1:0")?.into()),
        ("socket", rustix::net::socket(rustix::net::AddressFamily::NETLINK, rustix::net::SocketType::RAW, None)?),
    ];
    let terminal = terminal();
    match &terminal {
        Ok((slave, _master)) => streams.push(("terminal", slave.try_clone()?)),
        Err(error) => skip::say(&format!("no pseudo-terminals ({error}): one behind a descriptor")),
    }
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(listener) => streams.push(("inet_socket", listener.into())),
        Err(error) => skip::say(&format!("no IPv6 ({error}): a socket of it behind a descriptor")),
    }
    let scope = Container::start(&Spec::default())?;
    let sensor = events_in(&scope, &["--kind", "exec"])?;
    let mut all = Vec::new();
    for (name, descriptor) in streams {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", ":"]);
        join(&mut command, &scope)?;
        command.stdin(descriptor.try_clone()?).stdout(Stdio::null()).stderr(descriptor);
        all.push((name, "null", name, command));
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", ":"]);
    join(&mut command, &scope)?;
    // SAFETY: between fork and exec this makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            // The second is open until the exec, and closed by it.
            libc::close(0);
            libc::fcntl(1, libc::F_SETFD, libc::FD_CLOEXEC);
            Ok(())
        })
    };
    command.stdout(Stdio::null()).stderr(Stdio::null());
    all.push(("none", "none", "null", command));
    let mut pids = Vec::new();
    for (stdin, stdout, stderr, mut command) in all {
        let mut child = command.spawn()?;
        pids.push((
            child.id(),
            json!({
                "weir.process.stdin": stdin, "weir.process.stdout": stdout, "weir.process.stderr": stderr,
                "weir.process.setuid": false,
            }),
        ));
        assert!(child.wait()?.success());
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let names = ["weir.process.stdin", "weir.process.stdout", "weir.process.stderr", "weir.process.setuid"];
    for (pid, truth) in &pids {
        assert_eq!(the(&events, "exec", *pid, truth)?.differences(truth, &names), [""; 0]);
    }
    scope.stop()?;
    Ok(())
}

#[test]
fn a_program_with_the_setuid_bit() -> Outcome {
    if skipped("a program with the setuid bit") {
        return Ok(());
    }
    const UID: u32 = 65_533;
    let directory = Directory::new()?;
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
    let program = directory.path().join("setuid");
    fs::copy("/bin/sh", &program)?;
    if fs::metadata(&program)?.uid() != 0 {
        skip::say("temporary files are not root's: a program with the setuid bit");
        return Ok(());
    }
    let scope = Container::start(&Spec::default())?;
    let sensor = events_in(&scope, &["--kind", "exec"])?;
    let mut pids = Vec::new();
    for mode in [0o755, 0o4755] {
        fs::set_permissions(&program, Permissions::from_mode(mode))?;
        let mut command = Command::new(&program);
        command.args(["-c", ":"]).uid(UID).stdin(Stdio::null());
        join(&mut command, &scope)?;
        let mut child = command.spawn()?;
        pids.push(child.id());
        assert!(child.wait()?.success());
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let is_nosuid = rustix::fs::statvfs(&program)?.f_flag.contains(rustix::fs::StatVfsMountFlags::NOSUID);
    if is_nosuid {
        skip::say("temporary files are on a file system that is mounted nosuid: only that the bit counts for nothing");
    }
    for (pid, setuid) in pids.into_iter().zip([false, !is_nosuid]) {
        let truth = json!({ "weir.process.setuid": setuid, "process.user.id": if setuid { 0 } else { UID } });
        let exec = the(&events, "exec", pid, &"the program")?;
        assert_eq!(exec.differences(&truth, &["weir.process.setuid", "process.user.id"]), [""; 0]);
    }
    scope.stop()?;
    Ok(())
}

/// What is said of each exec in the container, in their order: the arguments, and whether it came from outside.
fn entered(sensor_events: &[tests::sensor::Event], container: &Container) -> Vec<(String, Option<bool>)> {
    let own =
        |event: &&tests::sensor::Event| event.kind() == "exec" && event.text("container.id") == Some(&*container.id);
    let said = |event: &tests::sensor::Event| {
        let flag = event.field("weir.process.entered").and_then(serde_json::Value::as_bool);
        (event.text("process.command_line").unwrap_or_default().to_owned(), flag)
    };
    sensor_events.iter().filter(own).map(said).collect()
}

#[test]
fn who_came_into_a_container_from_outside() -> Outcome {
    if skipped("who came into a container from outside") {
        return Ok(());
    }
    const SCRIPT: &str = "/bin/sh -c :; :";
    let enter = |container: &Container| -> Outcome {
        let words = ["-c", SCRIPT];
        let status = Place::Container(container).spawn(OsStr::new("/bin/sh"), &words)?.output()?.status;
        assert!(status.success());
        Ok(())
    };
    let older = Container::start(&Spec::default())?;
    // Of the whole machine: where a process was before it came into the container counts.
    let sensor = events(&["--kind", "exec"])?;
    let newer = Container::start(&Spec::default())?;
    enter(&older)?;
    enter(&newer)?;
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let inside = [(format!("/bin/sh -c {SCRIPT}"), Some(true)), ("/bin/sh -c :".to_owned(), Some(true))];
    assert_eq!(entered(&events, &older), inside);
    let first = (format!("{} init", Container::ACTOR), Some(false));
    assert_eq!(entered(&events, &newer), [&[first], &inside[..]].concat());
    let outside = events.iter().filter(|event| event.text("weir.workload.kind") != Some("container"));
    assert!(outside.clone().count() > 0);
    assert!(outside.clone().all(|event| event.field("weir.process.entered").is_none()));
    older.stop()?;
    newer.stop()?;
    Ok(())
}
