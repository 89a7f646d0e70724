//! Look-alikes: what happens in a cluster every day, and resembles a theft. Nothing here may be told at medium or above, with the small
//! policy (`../policy`): people stop reading what cries wolf. One file a kind of work.

mod loading;
mod people;
mod serving;
mod upkeep;

use std::process::ExitCode;
use tests::board::{self, Played, Policy, Stage, Trouble};

type Outcome = Result<Played, Trouble>;

/// A program that loads models, as the shipped list of loaders knows it.
const PYTHON: &str = "/opt/venv/bin/python3.11";

fn main() -> ExitCode {
    let all = [serving::SCENARIOS, loading::SCENARIOS, upkeep::SCENARIOS, people::SCENARIOS];
    board::main("benign", &all.concat(), &[Policy::Small])
}

/// The declared bucket: clients ask for its name before they connect, and it is declared by that.
const OWN_BUCKET: &str = "own-bucket.s3.eu-central-1.amazonaws.com";

/// Whom clients ask for names.
fn at_resolver() -> String {
    format!("{}:53", Stage::RESOLVER)
}

/// A destination on the port on which the world listens.
fn at(address: std::net::Ipv4Addr) -> String {
    format!("{address}:{}", Stage::PORT)
}

/// Has the container download so many bytes, over so many requests, from a server outside that is not declared.
fn download(stage: &Stage, client: &str, bytes: usize, requests: u32, save: &str) -> Result<(), Trouble> {
    let (from, bytes, requests) = (format!("{}:8080", Stage::HUB), bytes.to_string(), requests.to_string());
    let server = stage.begin_outside(&["serve", "--bind", &from, "--answer", &bytes, "--connections", &requests])?;
    let lines = stage.act_as(client, &["download", "--from", &from, "--save", save, "--requests", &requests])?;
    stage.lines_of(server)?;
    let received = lines.iter().find_map(|line| line["bytes_received"].as_u64());
    if received == bytes.parse().ok() { Ok(()) } else { Err(format!("{bytes} bytes were to come: {lines:?}").into()) }
}

/// That the world outside received this many bytes from the container, no fewer.
fn arrived(world: tests::board::World, bytes: u64) -> Result<Played, Trouble> {
    let (came, _) = world.finish()?.all();
    if came >= bytes { Ok(Played::Harmless) } else { Err(format!("{came} bytes came instead of {bytes}").into()) }
}
