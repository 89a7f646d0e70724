//! Each way to open a file is seen once, and gives the same file, by whatever name and from wherever it was opened.

use crate::watch::{self, Outcome, actor_on_host, events_in, nothing_lost, skipped, the};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use tests::scene::{Bind, Container, Directory, Spec};
use tests::sensor::Event;
use tests::{Place, actor_in, skip, weights};

/// Ways to open a file; the four last are 32-bit system calls of a 64-bit program (`int 0x80`).
const HOWS: [&str; 12] = [
    "open",
    "openat",
    "openat2",
    "open_by_handle_at",
    "io_uring-openat",
    "io_uring-openat2",
    "io_uring-direct",
    "io_uring-skip-cqe",
    "ia32-open",
    "ia32-openat",
    "ia32-openat2",
    "ia32-open_by_handle_at",
];
const FIELDS: [&str; 7] =
    ["weir.file.device", "file.inode", "file.path", "file.size", "weir.file.links", "weir.file.access", "process.vpid"];

#[derive(Clone, Copy)]
enum Where<'a> {
    Inside(&'a Container),
    Host(&'a Container),
}

/// An open that was done: how, under which name, by whom, and what the actor says of it.
struct Done {
    what: String,
    how: &'static str,
    name: String,
    pid: u32,
    truth: Value,
}

/// Opens in a container, or on the host in the cgroup of one; `None` if the kernel does not offer that, which was said.
fn open(place: Where<'_>, how: &'static str, name: &str, options: &[&str]) -> std::io::Result<Option<Done>> {
    let arguments = [&["open", "--how", how, name], options].concat();
    let actor = match place {
        Where::Inside(container) => actor_in(Place::Container(container), &arguments)?,
        Where::Host(container) => actor_on_host(container, &arguments)?,
    };
    let pid = actor.pid();
    let truth = actor.truth()?;
    let what = format!("{how} {name} {}", options.join(" "));
    Ok((!skip::if_skipped(&truth)).then(|| Done { what, how, name: name.into(), pid, truth }))
}

/// Each was seen, once, as the actor says.
fn compare(events: &[Event], all: &[Done]) -> Result<(), String> {
    for Done { what, how, name, pid, truth } in all {
        let event = the(events, "open", *pid, what)?;
        let by_ring = how.starts_with("io_uring");
        assert_eq!(event.field("weir.io_uring").is_some(), by_ring, "{what}");
        if *how == "io_uring-skip-cqe" && !watch::by_trampoline(event) {
            // Nothing tells that the request succeeded, nor what was opened: what is reported is the name that was asked for.
            assert_eq!(event.text("file.path"), Some(&**name), "{what}");
            assert_eq!(event.text("weir.hook"), Some("io_uring_submit"), "{what}");
            for unknown in ["file.inode", "weir.file.device", "file.size", "weir.file.links"] {
                assert_eq!(event.field(unknown), None, "{what}: {unknown}");
            }
            assert_eq!(event.differences(truth, &["weir.file.access", "process.vpid"]), [""; 0], "{what}");
            continue;
        }
        assert_eq!(event.differences(truth, &FIELDS), [""; 0], "{what}");
        let hook = match (watch::by_trampoline(event), by_ring) {
            (true, _) => "security_file_open",
            (false, true) => "io_uring_complete",
            (false, false) => "sys_exit",
        };
        assert_eq!(event.text("weir.hook"), Some(hook), "{what}");
        assert_eq!(event.list("weir.file.class"), ["weights"], "{what}");
    }
    Ok(())
}

/// A file of weights with a symbolic and a hard link, and a directory to go through.
fn models() -> std::io::Result<Directory> {
    let models = Directory::new()?;
    let file = models.path().join("model.safetensors");
    weights::safetensors(&file, 1, 1)?;
    symlink("model.safetensors", models.path().join("symlink"))?;
    fs::hard_link(&file, models.path().join("hard-link.safetensors"))?;
    fs::create_dir(models.path().join("below"))?;
    Ok(models)
}

/// Those that were seen by a name have this inode: not only what the actor says.
fn is_one_file(events: &[Event], all: &[Done], file: &Path) -> Outcome {
    let inode = fs::metadata(file)?.ino().to_string();
    for done in all {
        let event = the(events, "open", done.pid, &done.what)?;
        if done.how != "io_uring-skip-cqe" || watch::by_trampoline(event) {
            assert_eq!(event.text("file.inode"), Some(&*inode), "{}", done.what);
        }
    }
    Ok(())
}

#[test]
fn every_way_and_every_name_in_a_container_is_one_file() -> Outcome {
    if skipped("opens in a container") {
        return Ok(());
    }
    let models = models()?;
    let bind = |target: &str| Bind { source: models.path().into(), target: target.into(), read_only: true };
    let spec = Spec { binds: vec![bind("/models"), bind("/elsewhere")], ..Spec::default() };
    let container = Container::start(&spec)?;
    let sensor = events_in(&container, &["--kind", "open"])?;
    let mut all = Vec::new();
    for how in HOWS {
        for name in [
            "/models/model.safetensors",
            "/models/symlink",
            "/models/hard-link.safetensors",
            "/elsewhere/model.safetensors",
            "/models/below/../../models/./model.safetensors",
        ] {
            all.extend(open(Where::Inside(&container), how, name, &[])?);
        }
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    compare(&events, &all)?;
    is_one_file(&events, &all, &models.path().join("model.safetensors"))?;
    for done in &all {
        let event = the(&events, "open", done.pid, &done.what)?;
        assert_eq!(event.text("container.id"), Some(&*container.id), "{}", done.what);
    }
    container.stop()?;
    Ok(())
}

#[test]
fn every_way_and_every_name_on_the_host_is_one_file() -> Outcome {
    if skipped("opens on the host") {
        return Ok(());
    }
    let models = models()?;
    let container = Container::start(&Spec::default())?;
    let sensor = events_in(&container, &["--kind", "open"])?;
    let mut all = Vec::new();
    for how in HOWS {
        for name in ["model.safetensors", "symlink", "hard-link.safetensors", "below/.././model.safetensors"] {
            all.extend(open(Where::Host(&container), how, &models.path().join(name).to_string_lossy(), &[])?);
        }
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    compare(&events, &all)?;
    is_one_file(&events, &all, &models.path().join("model.safetensors"))
}

#[test]
fn opens_that_write_and_opens_that_make() -> Outcome {
    if skipped("opens for writing") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    fs::write(path("out.gguf"), "text")?;
    let container = Container::start(&Spec::default())?;
    let sensor = events_in(&container, &["--kind", "open"])?;
    let mut all = Vec::new();
    for how in HOWS {
        all.extend(open(Where::Host(&container), how, &path("out.gguf"), &["--write"])?);
    }
    for how in ["creat", "ia32-creat"] {
        let made = open(Where::Host(&container), how, &path(&format!("{how}.gguf")), &[])?;
        if let Some(made) = made {
            // Written after the file was made: empties it.
            fs::write(&made.name, "text")?;
            all.push(made);
            all.extend(open(Where::Host(&container), how, &path(&format!("{how}.gguf")), &[])?);
        }
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    compare(&events, &all)?;
    assert!(all.iter().all(|done| done.truth["weir.file.access"] == "write"));
    Ok(())
}

#[test]
fn io_uring_by_the_kernels_own_threads() -> Outcome {
    if skipped("opens by io_uring") {
        return Ok(());
    }
    let models = models()?;
    let bind = Bind { source: models.path().into(), target: "/models".into(), read_only: true };
    let container = Container::start(&Spec { binds: vec![bind], ..Spec::default() })?;
    let sensor = events_in(&container, &["--kind", "open"])?;
    let host = models.path().join("symlink");
    let mut all = Vec::new();
    for how in HOWS.into_iter().filter(|how| how.starts_with("io_uring")) {
        for option in ["--async", "--sqpoll"] {
            all.extend(open(Where::Host(&container), how, &host.to_string_lossy(), &[option])?);
            all.extend(open(Where::Inside(&container), how, "/models/symlink", &[option])?);
        }
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    compare(&events, &all)?;
    is_one_file(&events, &all, &models.path().join("model.safetensors"))
}
