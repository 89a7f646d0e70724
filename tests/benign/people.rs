//! People and their tools: notebooks, packages, debuggers, clients of the cluster.

use super::{Outcome, PYTHON, arrived, at, download};
use tests::board::{MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "notebook", about: "weights, a shell, a package", play: notebook },
    Scenario { name: "package_install", about: "8 MB come, 40 requests leave", play: packages },
    Scenario { name: "upload_without_weights", about: "4 MB leave, nothing was read", play: upload },
    Scenario { name: "json_beside_weights", about: "the tokenizer leaves", play: json },
    Scenario { name: "debugger", about: "memory of a process without weights", play: debugger },
    Scenario { name: "data_in_shared_memory", about: "/dev/shm is read, not run", play: shared_memory },
    Scenario { name: "clients_read_their_token", about: "kubectl and python", play: token },
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
