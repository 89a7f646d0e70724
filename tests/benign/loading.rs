//! Weights that come, are loaded, and go where they belong.

use super::{OWN_BUCKET, Outcome, PYTHON, arrived, at, at_resolver, download};
use tests::board::{Has, MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("a_loader_loads", "python reads", loads),
    Scenario::new("eight_ranks", "8 ranks open every file at once", ranks),
    Scenario::new("rolling_update", "the next container loads", update),
    Scenario::new("init_container", "copied to a shared volume, loaded there", init),
    Scenario::new("hub_download", "6 MB come from an undeclared hub", hub),
    Scenario::new("checkpoint_to_the_own_bucket", "5 MB to the declared store", checkpoint),
    Scenario::new("fine_tuning", "weights read, others written", tuning),
];

fn loads(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    stage.act_as(python, &["read", MODEL])?;
    stage.act_as(python, &["open", "--how", "io_uring-openat", MODEL])?;
    Ok(Played::Harmless)
}

fn ranks(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let ranks = (0..8).map(|_| stage.spawn(python, &["read", MODEL])).collect::<Result<Vec<_>, _>>()?;
    for rank in ranks {
        stage.lines_of(rank)?;
    }
    Ok(Played::Harmless)
}

fn update(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    stage.act_as(python, &["read", MODEL])?;
    let next = Some(stage.another(Has::Models)?);
    stage.program_in(
        next,
        "/bin/sh",
        &["-c", "mkdir -p /opt/venv/bin && cp /opt/weir/weir-actor /opt/venv/bin/python3.11"],
    )?;
    stage.program_in(next, PYTHON, &["read", MODEL])?;
    Ok(Played::Harmless)
}

/// KServe's storage initializer: one container copies, the other loads the copy.
fn init(stage: &mut Stage) -> Outcome {
    let copy = stage.shared("model.safetensors");
    stage.run("/bin/cp", &[MODEL, &copy])?;
    let server = Some(stage.another(Has::Nothing)?);
    stage.program_in(
        server,
        "/bin/sh",
        &["-c", "mkdir -p /opt/venv/bin && cp /opt/weir/weir-actor /opt/venv/bin/python3.11"],
    )?;
    stage.program_in(server, PYTHON, &["read", &copy])?;
    Ok(Played::Harmless)
}

fn hub(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let world = stage.world(&[])?;
    stage.act_as(python, &["resolve", "--server", &at_resolver(), "huggingface.co"])?;
    download(stage, python, 6_000_000, 3, "/tmp/blob.incomplete")?;
    stage.run("/bin/mv", &["/tmp/blob.incomplete", "/tmp/model.safetensors"])?;
    stage.act_as(python, &["read", "/tmp/model.safetensors"])?;
    arrived(world, 1)
}

fn checkpoint(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let world = stage.world(&[])?;
    stage.act_as(python, &["theft", "file", "--read", MODEL, "--place", "/tmp/step-100.safetensors"])?;
    stage.act_as(python, &["resolve", "--server", &at_resolver(), OWN_BUCKET])?;
    let deed = ["theft", "none", "--over", "tls", "--name", OWN_BUCKET];
    stage
        .act_as(python, &[&deed[..], &["--read", "/tmp/step-100.safetensors", "--to", &at(Stage::BUCKET)]].concat())?;
    arrived(world, 5 << 20)
}

fn tuning(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    stage
        .run("/bin/sh", &["-c", "mkdir -p /data/train && head -c 3000000 /dev/urandom > /data/train/part-0.parquet"])?;
    stage.act_as(python, &["read", "/data/train/part-0.parquet"])?;
    stage.act_as(python, &["theft", "file", "--read", MODEL, "--place", "/tmp/tuned.safetensors"])?;
    Ok(Played::Harmless)
}
