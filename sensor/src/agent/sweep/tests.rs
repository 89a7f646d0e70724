//! Real pipes, memfds, files and mounts of this process, in the real `/proc`.

use super::*;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(30);

fn entry(file: impl AsFd, kind: Kind) -> Entry {
    let stat = rustix::fs::fstat(file).expect("it is open");
    let device = rustix::fs::major(stat.st_dev) << 20 | rustix::fs::minor(stat.st_dev);
    Entry { key: InodeKey { inode: stat.st_ino, device, reserved: 0 }, kind, idle: IDLE }
}

/// What is gone, when that can be told: the machine is not ours alone, and somebody may have files in flight just now.
fn gone(entries: &[Entry]) -> Option<Vec<u64>> {
    let end = Instant::now() + PATIENCE;
    loop {
        match Sweep::default().gone(entries) {
            Ok(keys) => return Some(keys.iter().map(|key| key.inode).collect()),
            Err(reason @ (Uncertain::Namespace(_) | Uncertain::Unreadable { .. })) => {
                eprintln!("skipped: {reason}");
                return None;
            }
            Err(reason) if Instant::now() >= end => {
                eprintln!("skipped: {reason}");
                return None;
            }
            Err(_) => std::thread::yield_now(),
        }
    }
}

#[test]
fn what_is_open_or_mapped_stays_and_what_nobody_has_goes() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (path, named) = (directory.path().join("unlinked"), directory.path().join("named"));
    let pipe = std::io::pipe().expect("a pipe can be made");
    let socket = std::os::unix::net::UnixStream::pair().expect("sockets can be made");
    let memory = File::from(memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made"));
    let mut unlinked = File::create_new(&path).expect("a file can be made");
    let kept = File::create_new(&named).expect("a file can be made");
    unlinked.write_all(&[0; 4096]).expect("it can be written");
    fs::remove_file(&path).expect("it can be removed");
    let entries = [
        entry(&pipe.0, Kind::Pipe),
        entry(&socket.0, Kind::Socket),
        entry(&memory, Kind::Memory),
        entry(&unlinked, Kind::File { unlinked: true }),
        entry(&kept, Kind::File { unlinked: false }),
    ];
    let Some(none) = gone(&entries) else { return };
    assert_eq!(none, [0; 0], "all are open");

    // SAFETY: a mapping of its own of a page of that file, which is not touched and taken away below.
    let mapped = unsafe {
        let place = std::ptr::null_mut();
        libc::mmap(place, 4096, libc::PROT_READ, libc::MAP_SHARED, unlinked.as_raw_fd(), 0)
    };
    assert_ne!(mapped, libc::MAP_FAILED);
    drop((pipe, socket, memory, unlinked, kept));
    let inodes = entries.map(|entry| entry.key.inode);
    assert_eq!(gone(&entries), Some(inodes[..3].to_vec()), "one is mapped, one has a name");
    // SAFETY: the mapping from above, which nothing refers to.
    assert_eq!(unsafe { libc::munmap(mapped, 4096) }, 0);
    assert_eq!(gone(&entries), Some(inodes[..4].to_vec()));
    let used = entries.map(|entry| Entry { idle: IDLE - Duration::from_nanos(1), ..entry });
    assert_eq!(gone(&used), Some(vec![]), "used a moment ago");
}

#[test]
fn a_descriptor_that_only_a_thread_has_is_found() {
    let (to_thread, from_test) = channel::<()>();
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        // SAFETY: this thread gets a copy of the table of descriptors; it ends in this test.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
        let memory = memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made");
        sender.send(entry(&memory, Kind::Memory)).expect("the test waits");
        let _ = from_test.recv();
    });
    let entries = [receiver.recv_timeout(PATIENCE).expect("the thread tells")];
    let while_open = gone(&entries);
    drop(to_thread);
    thread.join().expect("it does not panic");
    if let Some(none) = while_open {
        assert_eq!(none, [0; 0], "only the thread has it");
        assert_eq!(gone(&entries), Some(vec![entries[0].key.inode]));
    }
}

#[test]
fn what_is_in_flight_makes_nothing_certain() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let memory = memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made");
    let (one, other) = std::os::unix::net::UnixStream::pair().expect("sockets can be made");
    let entries = [entry(&memory, Kind::Memory)];
    if gone(&entries).is_none() {
        return;
    }
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [memory.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&one, &[std::io::IoSlice::new(b"x")], &mut control, SendFlags::empty()).expect("it can be sent");
    drop(memory);
    assert!(matches!(Sweep::default().gone(&entries), Err(Uncertain::Hidden(_))));
    assert_eq!(Sweep::default().certainly_gone(&entries), []);
    drop((one, other));
    assert_eq!(gone(&entries), Some(vec![entries[0].key.inode]));
}

#[test]
fn files_of_a_file_system_that_is_no_longer_mounted_go_unless_they_are_open() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mount = |on: bool| {
        let program = if on { &["mount", "-t", "tmpfs", "none"][..] } else { &["umount", "-l"] };
        let mut command = std::process::Command::new(program[0]);
        command.args(&program[1..]).arg(directory.path()).stderr(std::process::Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !mount(true) {
        eprintln!("skipped: mounting takes root");
        return;
    }
    let open = File::create_new(directory.path().join("open")).expect("a file can be made");
    let closed = File::create_new(directory.path().join("closed")).expect("a file can be made");
    let entries = [&open, &closed].map(|file| entry(file, Kind::File { unlinked: false }));
    drop(closed);
    let mounted = gone(&entries);
    assert!(mount(false));
    if let Some(none) = mounted {
        assert_eq!(none, [0; 0]);
        // Where somebody keeps a mount namespace without a process in it, this cannot be told.
        let told = gone(&entries).filter(|told| !told.is_empty());
        assert!(told.is_none_or(|told| told == [entries[1].key.inode]));
    }
}

#[test]
fn the_decision_is_by_kind_use_and_place() {
    let key = |inode, device| InodeKey { inode, device, reserved: 0 };
    let entry = |inode, device, kind| Entry { key: key(inode, device), kind, idle: IDLE };
    let named = Kind::File { unlinked: false };
    let entries = [entry(1, 1, Kind::Pipe), entry(2, 1, named), entry(3, 2, named), entry(4, 2, Kind::Socket)];
    let holders = |inodes: &[u64], devices: Option<&[u32]>| Holders {
        inodes: inodes.iter().copied().collect(),
        devices: devices.map(|devices| devices.iter().copied().collect()),
    };
    let inodes = |holders: Holders| holders.gone(&entries).iter().map(|key| key.inode).collect::<Vec<_>>();
    assert_eq!(inodes(holders(&[], Some(&[1]))), [1, 3, 4]);
    assert_eq!(inodes(holders(&[1, 3], Some(&[1]))), [4]);
    assert_eq!(inodes(holders(&[], None)), [1, 4], "somewhere it may be mounted");
}

#[test]
fn a_sweeper_answers_without_being_waited_for_and_counts() {
    let memory = memfd_create("weir", MemfdFlags::CLOEXEC).expect("a memfd can be made");
    let entries = vec![entry(&memory, Kind::Memory)];
    drop(memory);
    let mut sweeper = Sweeper::default();
    assert_eq!(sweeper.take(), None);
    assert!(sweeper.start(entries.clone()));
    assert!(!sweeper.start(entries), "one at a time");
    let end = Instant::now() + PATIENCE;
    let gone = loop {
        match sweeper.take() {
            Some(gone) => break gone,
            None => assert!(Instant::now() < end, "it never answered"),
        }
        std::thread::yield_now();
    };
    let counts = sweeper.counts();
    assert_eq!((counts.swept, counts.gone), (1, gone.len() as u64));
    assert_eq!(counts.uncertain == 1, gone.is_empty());
}
