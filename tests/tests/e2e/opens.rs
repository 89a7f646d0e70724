//! Every way to open a file gives the same event, by whatever name.

use serde_json::Value;
use std::arch::asm;
use std::error::Error;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use tests::scene::{Bind, Container, Directory, Spec};
use tests::sensor::{Event, Sensor};
use tests::wait::PATIENCE;
use tests::{Place, actor_in, skip, weights};

/// What is taken from the struct file, and so is the same whichever hook saw it.
const FILE: [&str; 5] = ["weir.file.device", "file.inode", "file.path", "file.size", "weir.file.links"];

const HOWS: [&[&str]; 10] = [
    &["open"],
    &["openat"],
    &["openat2"],
    &["open_by_handle_at"],
    &["io_uring-openat"],
    &["io_uring-openat2"],
    &["io_uring-openat", "--async"],
    &["io_uring-openat2", "--sqpoll"],
    &["io_uring-direct"],
    &["io_uring-direct", "--sqpoll"],
];

/// Starts an actor; when it has ended and the sensor has said so: its truth, and the opens that the sensor saw of it.
fn opens(sensor: &Sensor, place: Place<'_>, arguments: &[&str]) -> Result<(Value, Vec<Event>), Box<dyn Error>> {
    let actor = actor_in(place, arguments)?;
    let pid = u64::from(actor.pid());
    let truth = actor.truth()?;
    let of_actor = |event: &Event, kind| event.kind() == kind && event.pid() == Some(pid);
    sensor.wait_for("the actor's exit", PATIENCE, |event| of_actor(event, "exit"))?;
    let seen = sensor
        .events()
        .into_iter()
        .filter(|event| of_actor(event, "open") && !event.list("weir.file.class").is_empty());
    Ok((truth, seen.collect()))
}

#[test]
fn every_way_and_every_name_is_one_file() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("opens in a container") {
        return Ok(());
    }
    let models = Directory::new()?;
    let file = models.path().join("model.safetensors");
    weights::safetensors(&file, 1, 1)?;
    symlink("model.safetensors", models.path().join("symlink"))?;
    fs::hard_link(&file, models.path().join("hard-link.safetensors"))?;
    fs::create_dir(models.path().join("below"))?;
    let bind = |target: &str| Bind { source: models.path().into(), target: target.into(), read_only: true };
    let container = Container::start(&Spec { binds: vec![bind("/models"), bind("/elsewhere")], ..Spec::default() })?;
    let expected = fs::metadata(&file)?;
    let sensor = Sensor::start(&["events", "--kind", "open", "--kind", "exit"])?;
    for how in HOWS {
        for name in [
            "/models/model.safetensors",
            "/models/symlink",
            "/models/hard-link.safetensors",
            "/elsewhere/model.safetensors",
            "/models/below/../../models/./model.safetensors",
        ] {
            let arguments = [&["open", "--how"], how, &[name]].concat();
            let (truth, seen) = opens(&sensor, Place::Container(&container), &arguments)?;
            if skip::if_skipped(&truth) {
                continue;
            }
            let what = format!("{how:?} {name}: {truth}");
            let [event] = seen.as_slice() else { panic!("{what}: seen {} times: {seen:?}", seen.len()) };
            assert_eq!(event.differences(&truth, &FILE), [""; 0], "{what}");
            assert_eq!(event.text("file.inode"), Some(&*expected.ino().to_string()), "{what}");
            assert_eq!(event.text("weir.file.access"), Some("read"), "{what}");
            assert_eq!(event.text("container.id"), Some(&*container.id), "{what}");
            assert_eq!(event.list("weir.file.class"), ["weights"], "{what}");
            let hook = if how[0].starts_with("io_uring") { "io_uring_complete" } else { "sys_exit" };
            assert_eq!(event.text("weir.hook"), Some(hook), "{what}");
            assert_eq!(event.field("weir.file.descriptor").is_none(), how[0] == "io_uring-direct", "{what}");
        }
    }
    sensor.stop()?;
    Ok(())
}

#[test]
fn writing_and_creating_is_seen_as_such() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("the sensor") {
        return Ok(());
    }
    let models = Directory::new()?;
    let sensor = Sensor::start(&["events", "--kind", "open", "--kind", "exit"])?;
    for (how, options, access) in [
        ("creat", &[][..], "write"),
        ("openat", &["--write"][..], "write"),
        ("io_uring-openat", &["--write"][..], "write"),
        ("openat", &[][..], "read"),
    ] {
        let path = models.path().join("new.gguf");
        if how != "creat" {
            weights::gguf(&path, 1, 1)?;
        }
        let name = path.to_string_lossy();
        let arguments = [&["open", "--how", how, &name], options].concat();
        let (truth, seen) = opens(&sensor, Place::Host, &arguments)?;
        if skip::if_skipped(&truth) {
            continue;
        }
        let [event] = seen.as_slice() else { panic!("{how}: {truth}: {seen:?}") };
        let told = event.text("weir.file.access").unwrap_or_default();
        assert!(told == access || access == "write" && told == "read_write", "{how}: {told}");
        assert_eq!(event.differences(&truth, &FILE[..3]), [""; 0], "{how}");
    }
    sensor.stop()?;
    Ok(())
}

/// No completion is posted, so that no hook of the portable family sees the file; what was asked for is seen.
#[test]
fn io_uring_without_completion_gives_the_name_that_was_asked_for() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("the sensor") {
        return Ok(());
    }
    let models = Directory::new()?;
    weights::safetensors(&models.path().join("model.safetensors"), 1, 1)?;
    let name = format!("{}/./model.safetensors", models.path().display());
    let sensor = Sensor::start(&["events", "--kind", "open", "--kind", "exit"])?;
    let (truth, seen) = opens(&sensor, Place::Host, &["open", "--how", "io_uring-skip-cqe", &name])?;
    if !skip::if_skipped(&truth) {
        let [event] = seen.as_slice() else { panic!("{truth}: {seen:?}") };
        assert_eq!(event.text("weir.hook"), Some("io_uring_submit"));
        assert_eq!(event.text("file.path"), Some(&*name), "unresolved");
        assert_eq!(event.field("file.inode"), None);
        assert_eq!(event.list("weir.file.class"), ["weights"]);
    }
    sensor.stop()?;
    Ok(())
}

/// A 64-bit program can make 32-bit system calls, whose numbers differ.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_32_bit_system_call_is_seen() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("the sensor") {
        return Ok(());
    }
    if !fs::read_to_string("/proc/kallsyms")?
        .lines()
        .any(|line| line.ends_with(" do_int80_emulation") || line.ends_with(" entry_INT80_compat"))
    {
        skip::say("this kernel has no CONFIG_IA32_EMULATION");
        return Ok(());
    }
    let models = Directory::new()?;
    let file = models.path().join("model.gguf");
    weights::gguf(&file, 1, 1)?;
    let sensor = Sensor::start(&["events", "--kind", "open"])?;
    let path = CString::new(file.as_os_str().as_bytes())?;
    let descriptor = open32(&path)?;
    let inode = fs::metadata(&file)?.ino().to_string();
    let ours = u64::from(std::process::id());
    let event = sensor.wait_for("the open", PATIENCE, |event| {
        event.pid() == Some(ours) && event.text("file.inode") == Some(&inode)
    })?;
    assert_eq!(event.number("weir.file.descriptor"), Some(descriptor));
    assert_eq!(event.text("file.path"), file.to_str());
    sensor.stop()?;
    Ok(())
}

/// `open(path, O_RDONLY)` by `int 0x80`.
#[cfg(target_arch = "x86_64")]
fn open32(path: &CString) -> Result<u64, Box<dyn Error>> {
    const OPEN: i64 = 5;
    let bytes = path.as_bytes_with_nul();
    // SAFETY: a fresh anonymous mapping below 4 GiB, where a 32-bit pointer reaches, large enough for the path.
    let result = unsafe {
        let place = libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
            -1,
            0,
        );
        if place == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error().into());
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.cast(), bytes.len().min(4095));
        let mut result = OPEN;
        // rbx is the compiler's own: swapped in and out again. The call clobbers r8 to r11.
        asm!("xchg rbx, {path}", "int 0x80", "xchg rbx, {path}", path = inout(reg) place => _,
            inout("rax") result, in("rcx") 0, in("rdx") 0,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _);
        result as i32
    };
    u64::try_from(result).map_err(|_| format!("int 0x80 open: {result}").into())
}
