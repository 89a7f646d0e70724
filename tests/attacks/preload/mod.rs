//! LD_PRELOAD: code of the thief's in the process of the true loader, which loads its model as always.

use super::{Outcome, outside};
use std::process::Command;
use tests::board::{MODEL, Played, Scenario, Skip, Stage, Trouble};

pub const SCENARIOS: &[Scenario] = &[Scenario::new("ld_preload", "a library in the true loader", preload)];

fn preload(stage: &mut Stage) -> Outcome {
    let library = build(stage)?;
    let python = stage.actor_called("/opt/venv/bin/python3.11")?;
    let world = stage.world(&[])?;
    let environment = format!("LD_PRELOAD={library} THIEF_FILE={MODEL} THIEF_TO={}", outside());
    let lines = stage.script(&format!(
        "exec $A become --role reader --file {MODEL} -- /usr/bin/env {environment} {python} read {MODEL}"
    ))?;
    Ok(Played::Attack(stage.truth_of(&lines, None, world, true)?))
}

/// Builds the library with the compiler that built this; its path in the container.
fn build(stage: &Stage) -> Result<String, Trouble> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/attacks/preload/library.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition", "2024", "--crate-type", "cdylib", "--crate-name", "cudart", "-o"]);
    command.arg(stage.shared_on_host().join("libcudart.so")).arg(source);
    match command.current_dir(env!("CARGO_MANIFEST_DIR")).output() {
        Err(error) => Err(Skip(format!("rustc does not run: {error}")).into()),
        Ok(output) if output.status.success() => Ok(stage.shared("libcudart.so")),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}
