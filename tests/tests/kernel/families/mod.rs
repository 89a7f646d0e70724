//! Both families of hooks say the same of the same deeds.

mod difference;

use crate::deeds::{Done, KINDS, deed};
use crate::watch::{Outcome, events, nothing_lost, skipped};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use tests::scene::{Bind, Container, Directory, Network, Spec};
use tests::sensor::{Event, Sensor};
use tests::sink::{Sink, Transport};
use tests::{Place, actor_in, skip};

/// Ways to open a file, as in [`crate::opens`], but for the one that one family knows less of.
const OPENS: [&str; 13] = [
    "open",
    "openat",
    "openat2",
    "creat",
    "open_by_handle_at",
    "io_uring-openat",
    "io_uring-openat2",
    "io_uring-direct",
    "ia32-open",
    "ia32-creat",
    "ia32-openat",
    "ia32-openat2",
    "ia32-open_by_handle_at",
];

const DEEDS: [&str; 39] = [
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "truncate",
    "ftruncate",
    "rename --by ia32",
    "link --by ia32",
    "unlinkat --by ia32",
    "truncate --by ia32",
    "ftruncate --by ia32",
    "renameat --by io_uring",
    "linkat --by io_uring",
    "unlinkat --by io_uring",
    "ftruncate --by io_uring",
    "socket_packet",
    "socket_raw",
    "socketcall_raw --by ia32",
    "socket_xdp --by io_uring",
    "socket_vsock",
    "socket_inet",
    "ptrace_seize",
    "ptrace_attach",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "proc_mem",
    "mount_tmpfs",
    "mount_bind",
    "move_mount",
    "pivot_root",
    "unshare",
    "setns",
    "setns_any",
    "setns --by ia32",
    "bpf_prog_load",
];

/// Where it is played.
struct Stage {
    directory: Directory,
    container: Container,
    sink: String,
}

impl Stage {
    /// Everything that either family sees; what is reported of it under one.
    fn play(&self, hooks: &str) -> Result<Vec<Event>, Box<dyn std::error::Error>> {
        // Of the whole machine, so that it has seen the programs start that go into the container, and need not look them up.
        let sensor = events(&["--container", &self.container.id, "--hooks", hooks])?;
        for how in OPENS {
            self.prepare()?;
            self.act(&["open", "--how", how, "/models/model.safetensors"])?;
        }
        for what in DEEDS {
            self.prepare()?;
            let path =
                if what.contains("mount") || what == "pivot_root" { "/models" } else { "/models/model.safetensors" };
            let words: Vec<&str> = what.split(' ').chain(["--to", "/models/other.gguf", "--size", "3", path]).collect();
            let _: Option<Done> = deed(&self.container, true, &words)?;
        }
        self.act(&["storm", "--execs", "1"])?;
        self.act(&["exec-memfd"])?;
        self.act(&["upload", "--to", &self.sink, "--bytes", "1000"])?;
        // After the bytes: a file whose size only one family knows is held by only one.
        self.prepare()?;
        self.act(&["open", "--how", "io_uring-skip-cqe", "/models/model.safetensors"])?;
        let events = sensor.stop()?.events;
        nothing_lost(&events);
        Ok(events)
    }

    fn act(&self, arguments: &[&str]) -> io::Result<()> {
        let truth = actor_in(Place::Container(&self.container), arguments)?.truth()?;
        let _ = skip::if_skipped(&truth);
        Ok(())
    }

    /// A new file of weights with one name.
    fn prepare(&self) -> io::Result<()> {
        let path = |name| self.directory.path().join(name);
        let _ = fs::remove_file(path("other.gguf"));
        let _ = fs::remove_file(path("model.safetensors"));
        fs::write(path("model.safetensors"), "weights")
    }
}

#[test]
fn both_families_see_the_same() -> Outcome {
    if skipped("both families of hooks") {
        return Ok(());
    }
    if let Some(family) = std::env::var_os("WEIR_HOOKS") {
        skip::say(&format!("one family was asked for (WEIR_HOOKS={}): both families", family.display()));
        return Ok(());
    }
    if let Err(why) = Sensor::start(&["events", "--hooks", "trampoline"]).and_then(Sensor::stop) {
        let why = why.to_string();
        skip::say(&format!("no trampolines here: {}", why.lines().last().unwrap_or_default()));
        return Ok(());
    }
    let network = Network::new()?;
    let directory = Directory::new()?;
    let bind = Bind { source: directory.path().into(), target: "/models".into(), read_only: false };
    let spec = Spec { binds: vec![bind], network: Some(&network.inside), ..Spec::default() };
    let address = network.outside_addresses().into_iter().next().ok_or("no address")?;
    let sink = Sink::start(&[address], Some(&network.outside))?;
    let to = sink.address(Transport::Tcp, address)?.to_string();
    let stage = Stage { directory, container: Container::start(&spec)?, sink: to };
    let (portable, trampoline) = (stage.play("portable")?, stage.play("trampoline")?);
    let mut kinds = BTreeMap::<&str, usize>::new();
    for event in &trampoline {
        *kinds.entry(event.kind()).or_default() += 1;
    }
    println!("compared: {kinds:?}");
    for kind in KINDS.into_iter().filter(|kind| *kind != "module").chain(["open", "exec", "connect", "flow"]) {
        assert!(kinds.contains_key(kind), "no {kind} was compared");
    }
    let found = difference::all(&portable, &trampoline);
    assert!(found.is_empty(), "{}", found.join("\n"));
    stage.container.stop()?;
    sink.finish()?;
    Ok(())
}
