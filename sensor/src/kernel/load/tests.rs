//! With the real kernel: needs root and the object.

use super::*;
use crate::event::{Body, Classes, Event};
use crate::kernel::{Ring, decode, object, ring};
use sensor_common::classify::{InodeKey, SuffixKey};
use sensor_common::count::Outcome;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// The root of cgroup v2: the mount of that type whose root is the hierarchy's.
fn cgroup_root() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let fields: Vec<&str> = mount.split(' ').collect();
        (kind.starts_with("cgroup2 ") && fields.get(3) == Some(&"/")).then(|| PathBuf::from(fields[4]))
    })
}

fn loaded(settings: &Settings) -> Option<Loaded> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: not root");
        return None;
    }
    let Some(root) = cgroup_root() else {
        println!("skipped: no cgroup v2 root is mounted");
        return None;
    };
    let object = object::read(std::env::var_os(object::OVERRIDE).map(PathBuf::from)).unwrap();
    let classification = classification("safetensors");
    let request = Request {
        object: &object,
        cgroup_root: &root,
        settings,
        classification: &classification,
        ring_bytes: RING_BYTES,
        carriers: sensor_common::label::CARRIERS,
        hooks: &Hooks::default(),
        log_level: Some("debug"),
        pins: None,
    };
    Some(load(&request).unwrap_or_else(|error| panic!("{error}")))
}

#[tokio::test(flavor = "current_thread")]
async fn everything_loads_and_an_open_comes_out_until_it_is_detached() {
    // Not filtered as our own: the test is what is watched.
    let settings = Settings::new(u32::MAX);
    let started = std::time::Instant::now();
    let Some(loaded) = loaded(&settings) else { return };
    println!("loaded and attached in {:?}", started.elapsed());
    for coverage in &loaded.coverage {
        println!("{:9} {:?} {:?}", coverage.concern.name(), coverage.hooks, coverage.gaps);
        assert!(!coverage.concern.required() || coverage.is_whole());
    }
    let ids: Vec<u32> = loaded.programs.iter().map(|program| id(program.descriptor())).collect();
    assert!(ids.iter().all(|id| exists(*id)));

    let path = temporary("first.safetensors");
    std::fs::write(&path, b"weights").unwrap();
    let mut ring = Ring::new(loaded.events).unwrap();
    let event = find(&mut ring, |event| opens(event, &path)).await;
    let open = loaded.coverage.iter().find(|coverage| coverage.concern == Concern::Open).unwrap();
    assert_eq!(event.hook.map(|hook| hook.name()), open.hooks.first().copied());
    assert_eq!(event.actor.vpid, std::process::id());

    // Other tables while it runs: what they no longer name does not come out, though it happened first.
    let mut tables = loaded.tables;
    tables.replace(&classification("gguf")).unwrap();
    let (unnamed, named) = (temporary("second.safetensors"), temporary("second.gguf"));
    std::fs::write(&unnamed, b"weights").unwrap();
    std::fs::write(&named, b"weights").unwrap();
    let event = find(&mut ring, |event| opens(event, &unnamed) || opens(event, &named)).await;
    assert!(opens(&event, &named));

    // An inode is watched under whatever name.
    let data = std::fs::metadata(&unnamed).unwrap();
    let device = rustix::fs::major(data.dev()) << 20 | rustix::fs::minor(data.dev());
    let inode = InodeKey { inode: data.ino(), device, reserved: 0 };
    tables.watch(inode, Classes(8)).unwrap();
    std::fs::read(&unnamed).unwrap();
    let event = find(&mut ring, |event| opens(event, &unnamed)).await;
    assert!(matches!(&event.body, Body::Open(open) if open.file.classes == Classes(8)), "{event:?}");
    tables.unwatch(inode).unwrap();
    tables.unwatch(inode).unwrap();
    for path in [path, unnamed, named] {
        std::fs::remove_file(path).unwrap();
    }

    let totals = loaded.counters.read(&loaded.programs).unwrap();
    assert!(totals.get(Kind::Open, Outcome::Sent) >= 1);
    for kind in Kind::ALL {
        let of_seen = Outcome::ALL.into_iter().filter(|o| !matches!(o, Outcome::Seen | Outcome::OutOfScope));
        let accounted: u64 = of_seen.map(|outcome| totals.get(kind, outcome)).sum();
        assert!(totals.get(kind, Outcome::Seen) >= accounted, "{} {totals:?}", kind.name());
    }

    drop(loaded.programs);
    // The kernel frees them after a grace period.
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while ids.iter().any(|id| exists(*id)) && std::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!ids.iter().any(|id| exists(*id)), "programs are left in the kernel");
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("weir-load-{}-{name}", std::process::id()))
}

fn opens(event: &Event, path: &Path) -> bool {
    matches!(&event.body, Body::Open(open) if Path::new(&*open.file.path) == path)
}

fn classification(suffix: &str) -> Classification {
    Classification { suffixes: vec![(SuffixKey::new(suffix).unwrap(), Classes(1))], ..Default::default() }
}

async fn find(ring: &mut Ring, wanted: impl Fn(&Event) -> bool) -> Event {
    let search = async {
        loop {
            ring.ready().await.unwrap();
            let mut found = None;
            ring.drain(ring::BATCH, |record| match decode(record) {
                Ok(event) if wanted(&event) => found = Some(event),
                Ok(_) => (),
                Err(error) => panic!("{error}"),
            });
            if let Some(event) = found {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), search).await.expect("the event came")
}

fn id(program: BorrowedFd<'_>) -> u32 {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(&program)));
    let info = info.unwrap();
    info.lines().find_map(|line| line.strip_prefix("prog_id:")).unwrap().trim().parse().unwrap()
}

fn exists(id: u32) -> bool {
    aya::programs::loaded_programs().flatten().any(|program| program.id() == id)
}

#[test]
fn a_directory_that_is_no_cgroup_is_named() {
    for path in ["/no/such/directory", "/proc"] {
        let error = open_cgroup(Path::new(path)).unwrap_err().to_string();
        assert!(error.contains(path) && error.contains("mount"), "{error}");
    }
}
