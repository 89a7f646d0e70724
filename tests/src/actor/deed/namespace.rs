//! Going into other namespaces.

use super::call::{Argument, By, Number, call};
use super::{Done, What};
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Into a new UTS namespace, or into the one that this process is in.
pub fn change(what: What, by: By) -> io::Result<Done> {
    if what == What::Unshare {
        return unshare(by, libc::CLONE_NEWUTS, "uts").map(|done| done.map(|deed| vec![deed]));
    }
    let own = File::open("/proc/self/ns/uts")?;
    let flags = if what == What::Setns { libc::CLONE_NEWUTS } else { 0 };
    let number = Number { here: Some(libc::SYS_setns), ia32: Some(346) };
    let arguments = [own.as_raw_fd(), flags].map(|word| Argument::Number(word.into()));
    // SAFETY: numbers only.
    let done = unsafe { call(by, number, &arguments) }?;
    let kinds = if flags == 0 { Value::Null } else { json!(["uts"]) };
    Ok(done.map(|_| vec![truth("setns", kinds)]))
}

/// Into a new namespace of that kind.
pub fn unshare(by: By, flag: i32, kind: &str) -> io::Result<Result<Value, String>> {
    let number = Number { here: Some(libc::SYS_unshare), ia32: Some(310) };
    // SAFETY: a number only; namespaces have nothing to do with memory.
    let done = unsafe { call(by, number, &[Argument::Number(flag.into())]) }?;
    Ok(done.map(|_| truth("unshare", json!([kind]))))
}

fn truth(how: &str, kinds: Value) -> Value {
    json!({ "weir.event.kind": "namespace", "weir.namespace.how": how, "weir.namespace.type": kinds })
}
