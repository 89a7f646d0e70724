//! From one container to another: they are no wall.

use super::{Outcome, outside};
use tests::board::{MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "shared_volume", about: "shared volume, the second container sends", play: shared_volume },
    Scenario { name: "shared_volume_renamed", about: "the same, renamed in between", play: shared_volume_renamed },
    Scenario { name: "proc_root", about: "/proc/PID/root of the other container", play: proc_root },
    Scenario { name: "unix_socket_between_containers", about: "unix socket in a shared volume", play: unix_socket },
];

fn shared_volume(stage: &mut Stage) -> Outcome {
    volume(stage, false)
}

fn shared_volume_renamed(stage: &mut Stage) -> Outcome {
    volume(stage, true)
}

fn volume(stage: &mut Stage, rename: bool) -> Outcome {
    let second = Some(stage.another(false, true, false)?);
    let world = stage.world(&[])?;
    let copy = stage.shared("metrics.db");
    let mut lines = stage.act(&["theft", "file", "--read", MODEL, "--place", &copy])?;
    let sent = match rename {
        true => stage.shared("old"),
        false => copy.clone(),
    };
    if rename {
        stage.run("/bin/mv", &[&copy, &sent])?;
    }
    lines.extend(stage.act_in(second, &["theft", "file", "--place", &sent, "--to", &outside()])?);
    Ok(Played::Attack(stage.truth_of(&lines, second, world, true)?))
}

fn proc_root(stage: &mut Stage) -> Outcome {
    let second = Some(stage.another(false, true, true)?);
    let world = stage.world(&[])?;
    // Pid 1 of the namespace that they share is the first container's first process.
    let path = format!("/proc/1/root{MODEL}");
    let lines = stage.act_in(second, &["theft", "none", "--read", &path, "--to", &outside()])?;
    Ok(Played::Attack(stage.truth_of(&lines, second, world, true)?))
}

fn unix_socket(stage: &mut Stage) -> Outcome {
    let second = Some(stage.another(false, true, false)?);
    let world = stage.world(&[])?;
    let place = stage.shared("agent.sock");
    let receive = ["theft", "unix-receive", "--place", &place, "--to", &outside()];
    let (sent, given) = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| stage.act_in(second, &receive));
        let given = stage.act(&["theft", "unix-give", "--place", &place, "--read", MODEL]);
        (receiver.join().unwrap_or_else(|_| Err("the receiver died".into())), given)
    });
    let lines = [given?, sent?].concat();
    Ok(Played::Attack(stage.truth_of(&lines, second, world, true)?))
}
