//! What resembles a deed and is none. Nothing here may be told at medium or above: people stop reading what cries wolf.

use super::stage::{ACCOUNT, MODEL, Outcome, Stage};
use std::io::{self, Write};
use std::net::TcpStream;
use tests::scene::Network;
use tests::sink::{Sink, Transport};
use tests::wait::{PATIENCE, until};

#[test]
fn a_loader_that_loads() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let python = stage.actor_called("/opt/venv/bin/python3")?;
    let read = stage.act_as(&python, &["read", MODEL])?;
    assert!(read["bytes_read"].as_u64() > Some(1 << 20), "{read}");
    // A loader is not even told of at low.
    assert_eq!(stage.alerts_of("weights_opened_unexpectedly")?.len(), 0);
    stage.stays_silent()
}

#[test]
fn a_server_that_answers() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let address = format!("{}:8000", Network::INSIDE_V4);
    // A model server does not send out its weights: answers are a small share of them.
    let deed =
        ["serve", "--bind", &address, "--load", MODEL, "--connections", "4", "--answer", "100000", "--parts", "200"];
    let server = stage.begin(&deed)?;
    for _ in 0..4 {
        let received = stage.network.outside.enter(|| -> io::Result<u64> {
            let mut stream = until(PATIENCE, "the server listens", || TcpStream::connect(&address).ok())?;
            stream.write_all(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")?;
            io::copy(&mut stream, &mut io::sink())
        })??;
        assert_eq!(received, 100_000);
    }
    server.truth()?;
    stage.stays_silent()
}

#[test]
fn weights_sent_to_itself() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let sink = Sink::start(&["127.0.0.1".parse()?, "::1".parse()?], Some(&stage.network.inside))?;
    for like in ["127.0.0.1", "::1"] {
        let to = sink.address(Transport::Tcp, like.parse()?)?.to_string();
        for how in
            [&["steal", "--read", MODEL, "--to", &to][..], &["steal", "--via-pipe", "--read", MODEL, "--to", &to]]
        {
            let truth = stage.act(how)?;
            assert!(truth["sender"]["bytes_sent"].as_u64() > Some(1 << 20), "{truth}");
        }
    }
    stage.stays_silent()
}

#[test]
fn bytes_that_leave_before_weights_are_read_or_without() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let (sink, to) = stage.sink()?;
    let truth = stage.act(&["upload", "--to", &to, "--bytes", "4000000"])?;
    assert_eq!(truth["bytes_sent"], 4_000_000);
    let python = stage.actor_called("/opt/venv/bin/python3")?;
    stage.act_as(&python, &["read", MODEL])?;
    assert_eq!(sink.finish()?.iter().map(|peer| peer.bytes).sum::<u64>(), 4_000_000);
    stage.stays_silent()
}

#[test]
fn a_request_after_weights_were_read() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let (_sink, to) = stage.sink()?;
    let python = stage.actor_called("/opt/venv/bin/python3")?;
    stage.act_as(&python, &["read", MODEL])?;
    // A hundredth of a percent of what was read: telemetry, not a theft.
    stage.act_as(&python, &["upload", "--to", &to, "--bytes", "600"])?;
    stage.stays_silent()
}

#[test]
fn shells_that_no_server_started() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    // A person's, in the container from outside; one under a program that is no model server; one under a python that serves none.
    stage.run("/bin/sh", &["-c", "true"])?;
    stage.act(&["shell-under", "nginx", "--directory", "/opt"])?;
    let python = stage.actor_called("/opt/venv/bin/python3")?;
    stage.act_as(&python, &["run-shell"])?;
    stage.stays_silent()
}

#[test]
fn programs_that_a_server_starts_and_that_are_no_shells() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let server = stage.actor_called("/opt/bin/vllm")?;
    // It runs copies of itself, under its own and another name.
    stage.act_as(&server, &["storm", "--execs", "5"])?;
    stage.stays_silent()
}

#[test]
fn clients_that_read_their_token() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    for client in ["/opt/bin/kubectl", "/opt/venv/bin/python3"] {
        let client = stage.actor_called(client)?;
        stage.act_as(&client, &["read", &format!("{ACCOUNT}/token")])?;
    }
    // Beside the token, and no secrets.
    stage.run("/bin/cat", &[&format!("{ACCOUNT}/namespace"), &format!("{ACCOUNT}/ca.crt")])?;
    stage.stays_silent()
}

#[test]
fn memory_that_is_read_and_not_run() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    // NCCL, Ray and PyTorch's data loaders keep data there, and no programs.
    let data = "/dev/shm/psm_7f3a";
    stage.run("/bin/cp", &["/bin/true", data])?;
    stage.run("/bin/cat", &[data])?;
    stage.act(&["read", data])?;
    stage.act(&["noop"]).ok();
    stage.stays_silent()
}
