//! The truth about files and processes, under the names of the sensor's fields.

use crate::Context;
use serde_json::{Map, Value, json};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What `fstat` and `/proc/self/fd` say about an open file.
///
/// `weir.file.device` is that of `fstat`, which is the kernel's own except on btrfs and on some overlay file systems.
pub fn file(descriptor: BorrowedFd<'_>) -> io::Result<Map<String, Value>> {
    let stat = rustix::fs::fstat(descriptor).context(|| "fstat".into())?;
    let link = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let path = std::fs::read_link(&link).context(|| link)?;
    Ok(fields(&stat, &path.to_string_lossy()))
}

/// The fields of a file with this status and path.
pub fn fields(stat: &rustix::fs::Stat, path: &str) -> Map<String, Value> {
    let device = stat.st_dev;
    let truth = json!({
        "file.path": path,
        "file.inode": stat.st_ino.to_string(),
        "file.size": stat.st_size,
        "weir.file.links": stat.st_nlink,
        "weir.file.device": format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device)),
        "process.vpid": std::process::id(),
    });
    match truth {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// What was skipped, and why.
pub fn skipped(why: impl Into<String>) -> Value {
    json!({ "skipped": why.into() })
}
