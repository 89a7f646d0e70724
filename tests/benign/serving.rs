//! Model servers at work: the weights are in memory, and answers leave on connections that others asked for.

use super::{Outcome, PYTHON};
use tests::board::{Has, MODEL, Played, Scenario, Stage, Trouble};
use tests::scene::Network;

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("start_and_long_streams", "4 streamed answers of 100 kB", |stage| {
        serve(stage, 4, 100_000, &["--parts", "200"])
    }),
    Scenario::new("probes", "30 probes", |stage| serve(stage, 30, 90, &[])),
    Scenario::new("metrics_scraped", "5 scrapes of 20 kB", |stage| serve(stage, 5, 20_000, &[])),
    Scenario::new("forked_workers", "workers with the weights answer", |stage| serve(stage, 8, 5_000, &["--workers"])),
    Scenario::new("behind_a_sidecar", "answers through a unix socket", sidecar),
    Scenario::new("behind_a_sidecar_container", "the same, the sidecar is another container", sidecar_container),
    Scenario::new("a_static_site", "5 MB served, no weights", static_site),
    Scenario::new("in_containerd", "streams, in containerd and runc", containerd),
];

const REQUEST: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\n\r\n";

fn listen() -> String {
    format!("{}:8000", Network::INSIDE_V4)
}

/// A server in python that has loaded the model answers so many requests with so many bytes each.
fn serve(stage: &mut Stage, connections: u32, bytes: u64, more: &[&str]) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let (at, count, answer) = (listen(), connections.to_string(), bytes.to_string());
    let deed = ["serve", "--bind", &at, "--load", MODEL, "--connections", &count, "--answer", &answer];
    let server = stage.spawn(python, &[&deed[..], more].concat())?;
    ask(stage, &at, connections, bytes)?;
    stage.lines_of(server)?;
    Ok(Played::Harmless)
}

fn ask(stage: &Stage, at: &str, connections: u32, bytes: u64) -> Result<(), Trouble> {
    for _ in 0..connections {
        let (came, _) = stage.fetch(at, REQUEST)?;
        if came != bytes {
            return Err(format!("{came} bytes were answered instead of {bytes}").into());
        }
    }
    Ok(())
}

fn sidecar(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let at = listen();
    let deed = ["serve", "--unix", "/tmp/vllm.sock", "--load", MODEL, "--connections", "3", "--answer", "30000"];
    let server = stage.spawn(python, &deed)?;
    let envoy = stage.begin(&["relay", "--bind", &at, "--to", "/tmp/vllm.sock", "--connections", "3"])?;
    ask(stage, &at, 3, 30_000)?;
    stage.lines_of(server)?;
    stage.lines_of(envoy)?;
    Ok(Played::Harmless)
}

fn sidecar_container(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let envoy = Some(stage.another(Has::Nothing)?);
    let (at, socket) = (listen(), stage.shared("vllm.sock"));
    let deed = ["serve", "--unix", &socket, "--load", MODEL, "--connections", "3", "--answer", "30000"];
    let server = stage.spawn(python, &deed)?;
    let relay = ["relay", "--bind", &at, "--to", &socket, "--connections", "3"];
    let envoy = tests::actor_in(tests::Place::Container(stage.place(envoy)?), &relay)?;
    ask(stage, &at, 3, 30_000)?;
    stage.lines_of(server)?;
    stage.lines_of(envoy)?;
    Ok(Played::Harmless)
}

fn static_site(stage: &mut Stage) -> Outcome {
    let at = listen();
    let server = stage.begin(&["serve", "--bind", &at, "--answer", "5000000"])?;
    ask(stage, &at, 1, 5_000_000)?;
    stage.lines_of(server)?;
    Ok(Played::Harmless)
}

fn containerd(stage: &mut Stage) -> Outcome {
    let at = listen();
    let deed = ["serve", "--bind", &at, "--load", MODEL, "--connections", "3", "--answer", "50000", "--parts", "50"];
    let (server, _) = stage.begin_in_runtime(PYTHON, &deed)?;
    ask(stage, &at, 3, 50_000)?;
    stage.lines_of(server)?;
    Ok(Played::Harmless)
}
