//! What the tests have in common.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use tests::scene::Container;
use tests::sensor::{Event, Sensor};
use tests::{Place, Running, locate, skip};

/// How a test ends.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Says what is missing here for the sensor to see `what`; true if something is.
pub fn skipped(what: &str) -> bool {
    if skip::unless_root(what) {
        return true;
    }
    let btf = Path::new("/sys/kernel/btf/vmlinux").exists();
    if !btf {
        skip::say(&format!("the kernel has no BTF (CONFIG_DEBUG_INFO_BTF): {what}"));
    }
    let unified = std::fs::read_to_string("/proc/self/mounts").is_ok_and(|mounts| mounts.contains(" cgroup2 "));
    if !unified {
        skip::say(&format!("cgroup v2 is not mounted: {what}"));
    }
    !btf || !unified
}

/// The events of a kind by a process.
pub fn of<'a>(events: &'a [Event], kind: &str, pid: u32) -> Vec<&'a Event> {
    events.iter().filter(|event| event.kind() == kind && event.pid() == Some(pid.into())).collect()
}

/// The one event of a kind by a process; anything else is an error.
pub fn the<'a>(events: &'a [Event], kind: &str, pid: u32, what: &impl fmt::Display) -> Result<&'a Event, String> {
    match of(events, kind, pid).as_slice() {
        [event] => Ok(event),
        others => Err(format!("{what}: one {kind} by {pid}, but there are {}: {others:#?}", others.len())),
    }
}

/// Nothing was lost, so that what is not there did not happen.
pub fn nothing_lost(events: &[Event]) {
    let lost: Vec<_> = events.iter().filter(|event| event.kind() == "lost").collect();
    assert!(lost.is_empty(), "events were lost: {lost:#?}");
}

/// Starts `weir events` with a ring that holds what a busy machine does meanwhile.
pub fn events(options: &[&str]) -> std::io::Result<Sensor> {
    Sensor::start(&[&["events", "--ring-size", "64"], options].concat())
}

/// The same, of one container only: what else the machine does costs nothing.
pub fn events_in(container: &Container, options: &[&str]) -> std::io::Result<Sensor> {
    let cgroup = container.cgroup_directories.first().map(|path| path.to_string_lossy()).unwrap_or_default();
    Sensor::start(&[&["events", "--ring-size", "64", "--cgroup", &cgroup], options].concat())
}

/// Starts a program on the host, only in the container's cgroup of version 2: so that [`events_in`] sees it.
pub fn spawn_on_host(container: &Container, program: &OsStr, arguments: &[&str]) -> std::io::Result<Running> {
    const JOIN: &str = r#"echo 0 > "$0/cgroup.procs" && exec "$@""#;
    let cgroup = container.cgroup_directories.first().map(|path| path.as_os_str()).unwrap_or_default();
    let words = ["-c", JOIN].map(OsStr::new).into_iter().chain([cgroup, program]);
    let words: Vec<&OsStr> = words.chain(arguments.iter().map(OsStr::new)).collect();
    Place::Host.spawn(OsStr::new("/bin/sh"), &words)
}

/// The same with an actor.
pub fn actor_on_host(container: &Container, arguments: &[&str]) -> std::io::Result<Running> {
    spawn_on_host(container, locate::actor()?.as_os_str(), arguments)
}

/// Whether a trampoline saw it. Where one family of hooks was asked for (`WEIR_HOOKS`), it must have been that.
pub fn by_trampoline(event: &Event) -> bool {
    let hook = event.text("weir.hook").unwrap_or_default();
    let found = hook.starts_with("security_") || matches!(hook, "ksys_unshare" | "sys_setns");
    match std::env::var("WEIR_HOOKS").as_deref() {
        Ok("trampoline") => assert!(found, "WEIR_HOOKS asks for trampolines, but {hook} saw it"),
        Ok("portable") => assert!(!found, "WEIR_HOOKS asks for none, but {hook} saw it"),
        _ => (),
    }
    found
}
