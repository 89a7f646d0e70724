//! Attacks: each a theft or a tampering that is to be told at high or above, with its file, reader, sender, destination and bytes, with
//! the small policy and with none. One file a kind of evasion; what is declared is in `../policy`.

mod channels;
mod containers;
mod descriptors;
mod destinations;
mod disguises;
mod memory;
mod one_process;
mod preload;
mod relays;
mod tampering;

use std::process::ExitCode;
use tests::board::{self, Expected, Played, Policy, Stage, Trouble};

type Outcome = Result<Played, Trouble>;

fn main() -> ExitCode {
    let all = [
        one_process::SCENARIOS,
        relays::SCENARIOS,
        descriptors::SCENARIOS,
        memory::SCENARIOS,
        containers::SCENARIOS,
        channels::SCENARIOS,
        disguises::SCENARIOS,
        preload::SCENARIOS,
        destinations::SCENARIOS,
        tampering::SCENARIOS,
    ];
    board::main("attacks", &all.concat(), &[Policy::Small, Policy::None])
}

/// A theft in the container of the stage, by the actor's verb `theft` with these words; TCP to the world outside unless they say
/// otherwise (`--to`).
fn theft(stage: &mut Stage, words: &[&str]) -> Outcome {
    theft_checked(stage, words, |_| ())
}

/// The same; `change` may say more of what is expected.
fn theft_checked(stage: &mut Stage, words: &[&str], change: impl FnOnce(&mut Expected)) -> Outcome {
    let world = stage.world(&[])?;
    let to = outside();
    let mut deed = vec!["theft"];
    deed.extend(words);
    if !words.contains(&"--read") {
        deed.extend(["--read", board::MODEL]);
    }
    if !words.contains(&"--to") {
        deed.extend(["--to", &to]);
    }
    let lines = stage.act(&deed)?;
    let mut expected = stage.truth_of(&lines, None, world, !words.contains(&"--scramble"))?;
    change(&mut expected);
    Ok(Played::Attack(expected))
}

/// Where thieves listen.
fn outside() -> String {
    format!("{}:{}", Stage::OUTSIDE, Stage::PORT)
}
