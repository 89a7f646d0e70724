//! One process reads and sends: by every way to read and to send.

use super::{Outcome, outside, theft};
use tests::board::{MODEL, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("read_and_send", "one process, read", |stage| theft(stage, &["none"])),
    Scenario::new("mmap_only", "one process, mmap, nothing is read", |stage| theft(stage, &["none", "--take", "mmap"])),
    Scenario::new("io_uring_only", "open, read, connect, send by io_uring", |stage| {
        theft(stage, &["none", "--take", "io-uring", "--over", "io-uring"])
    }),
    Scenario::new("sendfile", "sendfile", |stage| theft(stage, &["none", "--over", "sendfile"])),
    Scenario::new("splice", "splice through a pipe", |stage| theft(stage, &["none", "--over", "splice"])),
    Scenario::new("encrypted", "combined with a key", |stage| theft(stage, &["none", "--scramble"])),
    Scenario::new("connect_first_read_later", "connected before the open", |stage| {
        theft(stage, &["none", "--connect-first"])
    }),
    Scenario::new("renamed_without_extension", "renamed, then read", renamed),
    Scenario::new("hard_link", "read by another link", hard_link),
    Scenario::new("symbolic_link", "read by a symbolic link", symbolic_link),
    Scenario::new("a_part_only", "a tenth of the file", |stage| theft(stage, &["none", "--limit", "524288"])),
];

fn renamed(stage: &mut Stage) -> Outcome {
    stage.run("/bin/mv", &[MODEL, "/models/llama/cache"])?;
    theft(stage, &["none", "--read", "/models/llama/cache"])
}

fn hard_link(stage: &mut Stage) -> Outcome {
    stage.run("/bin/ln", &[MODEL, "/models/llama/notes"])?;
    theft(stage, &["none", "--read", "/models/llama/notes", "--to", &outside()])
}

fn symbolic_link(stage: &mut Stage) -> Outcome {
    stage.run("/bin/ln", &["-s", MODEL, "/tmp/notes"])?;
    theft(stage, &["none", "--read", "/tmp/notes"])
}
