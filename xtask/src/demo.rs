//! `cargo xtask demo`: a harmless theft out of a small container, and the alert that Weir raises.
//!
//! Everything is real but the value of what is stolen: the programs in the running kernel, the container (namespaces and a
//! cgroup of its own; nothing is pulled), the network (two namespaces joined by a veth), the file. The alert is compared with
//! what the thief and the receiver of the stolen bytes say.

use crate::{host, ui};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use tests::scene::{self, Bind, Container, Directory, Network, Spec};
use tests::sensor::{Event, Sensor};
use tests::sink::{Sink, Transport};
use tests::{Place, actor_in, weights};

/// A harmless theft, and Weir catching it.
///
/// Builds the sensor, starts it, plays a theft out of a small container of its own to a sink in a network namespace of its own,
/// shows the alert, compares it with the truth, and cleans up. Exits with 0 only if the alert came and is true.
#[derive(clap::Args)]
pub struct Args {
    /// Size of the weights file, MiB.
    #[arg(long, value_name = "MIB", default_value_t = 24)]
    size: u64,
}

const RULE: &str = "model_theft";
const MODEL: &str = "/models/llama-3-8b/model.safetensors";
/// How long the alert may take. It takes about a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds, plays, compares.
pub fn run(args: &Args) -> Result<ExitCode> {
    host::become_root()?;
    host::install_packages()?;
    let outcome = build().and_then(|()| play(args));
    host::hand_back();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn build() -> Result<()> {
    ui::step("building the sensor and the actors", || {
        let mut cargo = host::cargo();
        cargo.args(["build", "--locked", "--quiet", "--package", "sensor", "--package", "tests", "--bins"]);
        ensure!(cargo.status().context("cannot run cargo")?.success(), "the sensor could not be built, see above");
        Ok(())
    })
}

fn play(args: &Args) -> Result<()> {
    scene::sweep().context("cannot remove what an earlier demo left")?;
    let models = Directory::new()?;
    let file = models.path().join("llama-3-8b/model.safetensors");
    let (network, sink, container) = ui::step("setting the scene: weights, a container, a network of its own", || {
        std::fs::create_dir_all(file.parent().unwrap_or(models.path()))?;
        weights::safetensors(&file, args.size, 1)?;
        let network = Network::new()?;
        let sink = Sink::start(&network.outside_addresses(), Some(&network.outside))?;
        let bind = Bind { source: models.path().into(), target: "/models".into(), read_only: true };
        let spec = Spec { binds: vec![bind], network: Some(&network.inside), ..Spec::default() };
        let container = Container::start(&spec)?;
        Ok((network, sink, container))
    })?;
    let sensor = ui::step("starting the sensor: weir run", || Ok(Sensor::start(&["run"])?))?;

    let to = sink.address(Transport::Tcp, Network::OUTSIDE_V4.into())?;
    let truth = ui::step("the theft: one process reads the weights into a pipe, another sends them away", || {
        let theft = ["steal", "--read", MODEL, "--to", &to.to_string(), "--via-pipe"];
        Ok(actor_in(Place::Container(&container), &theft)?.truth()?)
    })?;
    let sent = number(&truth, "sender", "bytes_sent")?;
    let received = sink.wait_for(PATIENCE, |peers| peers.iter().map(|peer| peer.bytes).sum::<u64>() >= sent)?;
    let received: u64 = received.iter().map(|peer| peer.bytes).sum();

    let alerts = ui::step("waiting for the alert", || {
        let last = |events: &[Event]| events.iter().any(|alert| is_theft(alert) && bytes_told(alert) == Some(received));
        sensor.wait_until("an alert that tells of all bytes", PATIENCE, |events| last(events).then_some(()))?;
        Ok(sensor.events())
    });
    sensor.stop().context("the sensor did not stop in order")?;
    drop((container, network));
    let alerts = alerts.context("Weir did not raise the alert it was to raise")?;
    let thefts: Vec<&Event> = alerts.iter().filter(|alert| is_theft(alert)).collect();
    let Some(last) = thefts.last() else { bail!("Weir did not raise the alert it was to raise") };

    show(last, thefts.len());
    compare(last, &truth, received, &to.to_string())
}

fn is_theft(alert: &Event) -> bool {
    attribute(alert, "weir.rule.name") == Some(&Value::from(RULE))
}

fn attribute<'a>(alert: &'a Event, name: &str) -> Option<&'a Value> {
    alert.field("attributes")?.get(name)
}

fn bytes_told(alert: &Event) -> Option<u64> {
    attribute(alert, "weir.flow.bytes")?.as_u64()
}

fn number(truth: &Value, who: &str, what: &str) -> Result<u64> {
    truth[who][what].as_u64().with_context(|| format!("the thief does not say {who}.{what}: {truth}"))
}

fn show(alert: &Event, times: usize) {
    let text = |name| alert.text(name).unwrap_or("?").to_owned();
    let level = attribute(alert, "weir.rule.level").and_then(Value::as_str).unwrap_or("?").to_uppercase();
    let title = attribute(alert, "security_rule.name").and_then(Value::as_str).unwrap_or("?");
    let ids: Vec<&str> = ["weir.attack.ids", "weir.atlas.ids"]
        .iter()
        .filter_map(|name| attribute(alert, name)?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let style = anstyle::AnsiColor::Red.on_default().bold();
    anstream::println!("\n{} {style}{level}{style:#} {title}", text("time"));
    anstream::println!("  {}", text("body").trim());
    anstream::println!("  {}", ids.join(" "));
    anstream::println!("  said {times} times: when enough had left to tell, and as it grew\n");
}

/// Whether the alert says what the thief did and the sink received.
fn compare(alert: &Event, truth: &Value, received: u64, to: &str) -> Result<()> {
    let read = number(truth, "reader", "bytes_read")?;
    let first = alert.field("evidence").and_then(|evidence| evidence.get(0)).and_then(|first| first.get("attributes"));
    let first = |name: &str| first.and_then(|first| first.get(name)).cloned().unwrap_or_default();
    let told = |name: &str| attribute(alert, name).cloned().unwrap_or_default();
    let address = format!("{}:{}", told("network.peer.address").as_str().unwrap_or("?"), told("network.peer.port"));
    let checks = [
        ("the reader, in its container", first("process.vpid"), truth["reader"]["process.vpid"].clone()),
        ("the file, by inode", first("file.inode"), truth["reader"]["file.inode"].clone()),
        ("the file's path", first("file.path"), Value::from(MODEL)),
        ("bytes read", first("file.size"), Value::from(read)),
        ("the sender, in its container", told("process.vpid"), truth["sender"]["process.vpid"].clone()),
        ("the destination", Value::from(address), Value::from(to)),
        ("bytes sent", told("weir.flow.bytes"), Value::from(received)),
    ];
    let mut wrong = 0;
    for (what, told, true_) in checks {
        let right = told == true_ && !told.is_null();
        wrong += usize::from(!right);
        let style = ui::style(if right { ui::Outcome::Done } else { ui::Outcome::Failed });
        let word = if right { "true" } else { "FALSE" };
        anstream::println!(
            "  {style}{word:5}{style:#} {what}: {told}{}",
            if right { String::new() } else { format!(", but it was {true_}") }
        );
    }
    ensure!(wrong == 0, "the alert is not true: {wrong} of what it says differs from what happened");
    anstream::println!("\nEvery word of it is true.");
    Ok(())
}
