//! Weights that are replaced, and code that will run at the next start.

use super::Outcome;
use std::time::SystemTime;
use tests::board::{Expected, MODEL, Played, Scenario, Stage, Trouble};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("weights_replaced", "another file renamed over the weights", replaced),
    Scenario::new("weights_overwritten", "written in place", overwritten),
    Scenario::new("startup_hook", "a .pth file in site-packages", startup_hook),
];

/// What is to be told of a program that touched a file.
fn tampering(stage: &Stage, inodes: Vec<String>, pid: u32, began: SystemTime) -> Result<Played, Trouble> {
    Ok(Played::Attack(Expected {
        inodes,
        readers: vec![pid],
        senders: Vec::new(),
        destinations: Vec::new(),
        bytes: Vec::new(),
        began,
        containers: vec![stage.container.id.clone()],
        verbatim: false,
    }))
}

/// Runs a program to its end; its pid on the host.
fn program(stage: &Stage, program: &str, arguments: &[&str]) -> Result<u32, Trouble> {
    let running = stage.spawn(program, arguments)?;
    let pid = running.pid();
    let output = running.output()?;
    if output.status.success() { Ok(pid) } else { Err(format!("{program}: {}", output.status).into()) }
}

fn replaced(stage: &mut Stage) -> Outcome {
    // Somebody serves the model: without trampolines, only names count under which somebody opened it.
    stage.act(&["read", MODEL])?;
    stage.run("/bin/cp", &["/etc/passwd", "/models/llama/.new"])?;
    let began = SystemTime::now();
    let inode = stage.inode_of("/models/llama/.new")?;
    let pid = program(stage, "/bin/mv", &["-f", "/models/llama/.new", MODEL])?;
    tampering(stage, vec![inode, stage.inode.clone()], pid, began)
}

fn overwritten(stage: &mut Stage) -> Outcome {
    let began = SystemTime::now();
    let pid = program(
        stage,
        "/bin/dd",
        &["if=/dev/zero", &format!("of={MODEL}"), "bs=4096", "count=1", "conv=notrunc", "status=none"],
    )?;
    tampering(stage, vec![stage.inode.clone()], pid, began)
}

fn startup_hook(stage: &mut Stage) -> Outcome {
    let directory = "/opt/venv/lib/python3.11/site-packages";
    stage.run("/bin/mkdir", &["-p", directory])?;
    let hook = format!("{directory}/litellm_init.pth");
    let began = SystemTime::now();
    let pid = program(stage, "/bin/cp", &["/etc/passwd", &hook])?;
    let inode = stage.inode_of(&hook)?;
    tampering(stage, vec![inode], pid, began)
}
