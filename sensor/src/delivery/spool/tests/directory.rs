//! The directory must be this user's alone, and one sensor's.

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use tempfile::TempDir;

fn refusal(path: &Path) -> String {
    let said = Spool::open(path, Limits::default()).expect_err("it is refused").to_string();
    assert!(!said.contains('\n') && said.contains(path.to_str().unwrap()), "{said}");
    said
}

#[test]
fn it_is_made_for_this_user_alone() {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("state/spool");
    let mut spool = open_real(&path);
    put(&mut spool, 9, "a");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn one_sensor_at_a_time() {
    let directory = TempDir::new().unwrap();
    let spool = open_real(directory.path());
    let said = refusal(directory.path());
    assert!(said.contains("is used by another sensor; stop that one"), "{said}");
    drop(spool);
    open_real(directory.path());
}

#[test]
fn others_must_not_write_it() {
    let directory = TempDir::new().unwrap();
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
        let said = refusal(directory.path());
        assert!(said.contains(&format!("has mode {mode:o}")) && said.contains("chmod 700"), "{said}");
    }
}

#[test]
fn it_must_be_this_users() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a directory away");
        return;
    }
    let directory = TempDir::new().unwrap();
    chown(directory.path(), Some(65_534), None).unwrap();
    let said = refusal(directory.path());
    assert!(said.contains("belongs to user 65534") && said.contains("give it to user 0 (chown)"), "{said}");
}

#[test]
fn it_must_be_a_directory() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(refusal(&file).contains("cannot be made (File exists"));
    let link = parent.path().join("link");
    symlink(parent.path(), &link).unwrap();
    let said = refusal(&link);
    assert!(said.contains("cannot be opened (Not a directory") || said.contains("Too many levels"), "{said}");
}

#[test]
fn it_must_be_writable() {
    // Root may write whatever has a mode; not what is mounted read-only, as /sys/fs/cgroup's parent and /proc are for files.
    let said = refusal(Path::new("/proc/self/task"));
    assert!(said.contains("cannot be written (") && said.contains("--state-dir"), "{said}");
    let said = refusal(Path::new("/proc/self/no/spool"));
    assert!(said.contains("cannot be made (") && said.contains("--state-dir"), "{said}");
}
