//! One process reads and sends: by every way to read and to send.

use super::{Outcome, outside, theft};
use tests::board::{MODEL, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "read_and_send", about: "one process, read", play: |stage| theft(stage, &["none"]) },
    Scenario {
        name: "mmap_only",
        about: "one process, mmap, nothing is read",
        play: |stage| theft(stage, &["none", "--take", "mmap"]),
    },
    Scenario {
        name: "io_uring_only",
        about: "open, read, connect, send by io_uring",
        play: |stage| theft(stage, &["none", "--take", "io-uring", "--over", "io-uring"]),
    },
    Scenario { name: "sendfile", about: "sendfile", play: |stage| theft(stage, &["none", "--over", "sendfile"]) },
    Scenario {
        name: "splice",
        about: "splice through a pipe",
        play: |stage| theft(stage, &["none", "--over", "splice"]),
    },
    Scenario { name: "encrypted", about: "combined with a key", play: |stage| theft(stage, &["none", "--scramble"]) },
    Scenario {
        name: "connect_first_read_later",
        about: "connected before the open",
        play: |stage| theft(stage, &["none", "--connect-first"]),
    },
    Scenario { name: "renamed_without_extension", about: "renamed, then read", play: renamed },
    Scenario { name: "hard_link", about: "read by another link", play: hard_link },
    Scenario { name: "symbolic_link", about: "read by a symbolic link", play: symbolic_link },
    Scenario {
        name: "a_part_only",
        about: "a tenth of the file",
        play: |stage| theft(stage, &["none", "--limit", "524288"]),
    },
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
