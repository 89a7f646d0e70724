//! What is missing here is said, never passed over in silence.

use serde_json::Value;
use std::io::{self, Write};

/// Says `skipped: WHY`, past the test runner, which shows what passing tests print only when asked to.
pub fn say(why: &str) {
    let _ = writeln!(io::stderr(), "skipped: {why}");
}

/// Whether this is root; if not, says that `what` is skipped.
pub fn unless_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        say(&format!("not root: {what}"));
    }
    !root
}

/// Whether the actor skipped what it was asked for; if so, says why.
pub fn if_skipped(truth: &Value) -> bool {
    let why = truth.get("skipped").map(|why| why.as_str().unwrap_or("the actor does not say why"));
    why.inspect(|why| say(why)).is_some()
}
