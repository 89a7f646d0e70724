//! People and their tools: notebooks, packages, debuggers, clients of the cluster.

use super::{Outcome, PYTHON, arrived, at, download};
use tests::board::{MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("notebook", "weights, a shell, a package", notebook),
    Scenario::new("package_install", "8 MB come, 40 requests leave", packages),
    Scenario::new("upload_without_weights", "4 MB leave, nothing was read", upload),
    Scenario::new("json_beside_weights", "the tokenizer leaves", json),
    Scenario::new("debugger", "memory of a process without weights", debugger),
    Scenario::new("data_in_shared_memory", "/dev/shm is read, not run", shared_memory),
    Scenario::new("clients_read_their_token", "kubectl and python", token),
];

fn notebook(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    stage.act_as(python, &["read", MODEL])?;
    stage.act_as(python, &["run-shell"])?;
    stage.run("/bin/ls", &["-l", "/models/llama"])?;
    download(stage, python, 500_000, 4, "/tmp/package.whl")?;
    Ok(Played::Harmless)
}

fn packages(stage: &mut Stage) -> Outcome {
    let pip = stage.actor_called("/opt/venv/bin/python3.12")?;
    download(stage, pip, 200_000, 40, "/tmp/wheel")?;
    Ok(Played::Harmless)
}

fn upload(stage: &mut Stage) -> Outcome {
    let world = stage.world(&[])?;
    stage.act(&["upload", "--to", &at(Stage::OUTSIDE), "--bytes", "4000000"])?;
    arrived(world, 4_000_000)
}

fn json(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let world = stage.world(&[])?;
    for file in ["/models/llama/tokenizer.json", "/models/llama/config.json"] {
        stage.act_as(python, &["theft", "none", "--read", file, "--to", &at(Stage::OUTSIDE)])?;
    }
    arrived(world, 1 << 20)
}

fn debugger(stage: &mut Stage) -> Outcome {
    stage.act(&["deed", "--what", "process_vm_readv"])?;
    stage.act(&["deed", "--what", "ptrace_attach"])?;
    Ok(Played::Harmless)
}

fn shared_memory(stage: &mut Stage) -> Outcome {
    // NCCL, Ray and PyTorch's data loaders keep data there, and no programs.
    stage.run("/bin/cp", &["/bin/true", "/dev/shm/psm_7f3a"])?;
    stage.act(&["read", "/dev/shm/psm_7f3a"])?;
    Ok(Played::Harmless)
}

fn token(stage: &mut Stage) -> Outcome {
    for client in ["/opt/bin/kubectl", PYTHON] {
        let client = stage.actor_called(client)?;
        stage.act_as(client, &["read", &stage.token()])?;
    }
    Ok(Played::Harmless)
}
