//! A disk that is full, for real: a small tmpfs.

use super::*;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A tmpfs of a megabyte, until it is dropped.
struct Mounted(TempDir);

impl Mounted {
    fn new() -> Option<Mounted> {
        let directory = TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "weir-spool-test"])
            .arg(directory.path())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Mounted(directory))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_confirmed_and_mends_itself() {
    let Some(mounted) = Mounted::new() else {
        eprintln!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let path = mounted.0.path().join("spool");
    let other = mounted.0.path().join("other");
    fs::write(&other, vec![0; 512 << 10]).unwrap();
    let mut spool = open_real(&path);
    let mut confirmed = Vec::new();
    let mut append = |spool: &mut Spool, number: usize| {
        let uid = format!("uid-{number}");
        match spool.append(&[draft(17, &uid, &[b'x'; 3_000])]) {
            Ok(appended) => {
                confirmed.push(uid);
                assert!(appended.ids[0].is_some() && appended.evicted.is_empty());
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    };
    let failed = (0..1_000).find_map(|number| append(&mut spool, number).err().map(|said| (number, said)));
    let (number, said) = failed.expect("it is full");
    assert!(number > 50, "there was room for some");
    assert!(said.contains("No space left on device") && said.contains("see that there is room"), "{said}");
    for again in 0..20 {
        append(&mut spool, 2_000 + again).expect_err("it is still full");
    }
    fs::remove_file(&other).unwrap();
    for after in 0..20 {
        append(&mut spool, 3_000 + after).expect("there is room again");
    }
    drop(spool);
    let came = drain(&mut open_real(&path));
    let mut rest = confirmed.iter().peekable();
    for uid in &came {
        rest.next_if(|expected| *expected == uid);
    }
    assert_eq!(rest.next(), None, "confirmed, and did not come out");
    assert!(came.len() <= confirmed.len() + 21, "what nobody was told of may come out, nothing else");
}

#[test]
fn a_full_disk_takes_from_what_is_less_severe() {
    let Some(mounted) = Mounted::new() else {
        eprintln!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let path = mounted.0.path().join("spool");
    let limits = Limits { segment: 64 << 10, ..Limits::default() };
    let mut spool = Spool::open(&path, limits).unwrap().0;
    while spool.append(&[draft(9, "light", &[b'x'; 3_000])]).is_ok() {}
    for _ in 0..30 {
        let appended = spool.append(&[draft(21, "grave", &[b'x'; 3_000])]).expect("the others go for it");
        assert!(appended.ids[0].is_some());
    }
    assert!(spool.counts().evicted[&9] > 0);
    let grave = drain(&mut spool).iter().filter(|uid| *uid == "grave").count();
    assert_eq!(grave, 30);
}
