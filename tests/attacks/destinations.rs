//! Destinations that are declared, and still the wrong place.

use super::Outcome;
use serde_json::Value;
use tests::board::{MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("other_tenants_bucket", "allowed object store, other bucket (TLS name)", other_bucket),
    Scenario::new("beyond_the_budget", "allowed host, far beyond what it usually gets", budget),
];

/// The address is declared, the name is not: the store is shared by tenants.
fn other_bucket(stage: &mut Stage) -> Outcome {
    let world = stage.world(&[])?;
    let to = format!("{}:{}", Stage::BUCKET, Stage::PORT);
    let name = "other-bucket.s3.eu-central-1.amazonaws.com";
    let asked = stage.act(&["resolve", "--server", &format!("{}:53", Stage::RESOLVER), name])?;
    let lines = stage.act(&["theft", "none", "--over", "tls", "--name", name, "--read", MODEL, "--to", &to])?;
    Ok(Played::Attack(stage.truth_after(&lines, world, sent(&asked))?))
}

/// A collector that usually takes some kilobytes takes all of the weights.
fn budget(stage: &mut Stage) -> Outcome {
    let world = stage.world(&[])?;
    let to = format!("{}:{}", Stage::COLLECTOR, Stage::PORT);
    let usual = stage.act(&["upload", "--to", &to, "--bytes", "2000"])?;
    let lines = stage.act(&["theft", "none", "--read", MODEL, "--to", &to])?;
    let mut expected = stage.truth_after(&lines, world, sent(&usual))?;
    // Nothing of it went to an undeclared destination.
    expected.bytes.insert(0, ("weir.destination.bytes", expected.sent() + sent(&usual)));
    Ok(Played::Attack(expected))
}

fn sent(lines: &[Value]) -> u64 {
    lines.iter().filter_map(|line| line["bytes_sent"].as_u64()).sum()
}
