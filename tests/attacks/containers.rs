//! From one container to another: they are no wall.

use super::{Outcome, outside};
use tests::board::{Has, MODEL, Played, Scenario, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("shared_volume", "shared volume, the second container sends", shared_volume),
    Scenario::new("shared_volume_renamed", "the same, renamed in between", shared_volume_renamed),
    Scenario::new("proc_root", "/proc/PID/root of the other container", proc_root),
    Scenario::new("unix_stream_across", "unix stream, two containers", |stage| halves(stage, "unix-stream")),
    Scenario::new("unix_datagram_across", "unix datagrams, two containers", |stage| halves(stage, "unix-datagram")),
    Scenario::new("fifo_across", "named pipe, two containers", |stage| halves(stage, "fifo")),
    Scenario::new("descriptor_across", "SCM_RIGHTS, two containers", |stage| halves(stage, "descriptor")),
    Scenario::new("mapped_file_across", "a file that both map, two containers", |stage| halves(stage, "map")),
    Scenario::new("descriptor_fetched_across", "pidfd_getfd, two containers", |stage| prey(stage, "pidfd-getfd")),
    Scenario::new("process_vm_readv_across", "process_vm_readv, two containers", |stage| {
        prey(stage, "process-vm-readv")
    }),
    Scenario::new("proc_mem_across", "/proc/PID/mem, two containers", |stage| prey(stage, "proc-mem")),
    Scenario::new("in_containerd", "pipe, in containerd and runc", containerd),
    Scenario::new("hidden_in_a_flood", "200 thousand opens next door meanwhile", flood).alone(),
];

fn shared_volume(stage: &mut Stage) -> Outcome {
    volume(stage, false)
}

fn shared_volume_renamed(stage: &mut Stage) -> Outcome {
    volume(stage, true)
}

fn volume(stage: &mut Stage, rename: bool) -> Outcome {
    let second = Some(stage.another(Has::Nothing)?);
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
    let second = Some(stage.another(Has::Processes)?);
    let world = stage.world(&[])?;
    // Pid 1 of the namespace that they share is the first container's first process.
    let path = format!("/proc/1/root{MODEL}");
    let lines = stage.act_in(second, &["theft", "none", "--read", &path, "--to", &outside()])?;
    Ok(Played::Attack(stage.truth_of(&lines, second, world, true)?))
}

/// The reader is in the first container, the sender in the second; they share a directory.
fn halves(stage: &mut Stage, carrier: &str) -> Outcome {
    let second = stage.another(Has::Nothing)?;
    by_halves(stage, second, carrier)
}

/// They share their processes as well, so that the thief can get at its prey.
fn prey(stage: &mut Stage, carrier: &str) -> Outcome {
    let second = stage.another(Has::Processes)?;
    by_halves(stage, second, carrier)
}

fn by_halves(stage: &mut Stage, second: usize, carrier: &str) -> Outcome {
    let second = Some(second);
    let world = stage.world(&[])?;
    let place = stage.shared("agent");
    // The sender cannot see the file, and has to be told how long it is.
    let length = format!("{}", stage.model.len());
    let to = outside();
    let receive = ["theft", carrier, "--half", "receive", "--place", &place, "--limit", &length, "--to", &to];
    let (sent, given) = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| stage.act_in(second, &receive));
        let given = stage.act(&["theft", carrier, "--half", "give", "--place", &place, "--read", MODEL]);
        (receiver.join().unwrap_or_else(|_| Err("the receiver died".into())), given)
    });
    let lines = [given?, sent?].concat();
    Ok(Played::Attack(stage.truth_of(&lines, second, world, true)?))
}

fn containerd(stage: &mut Stage) -> Outcome {
    let world = stage.world(&[])?;
    let deed = ["theft", "pipe", "--read", MODEL, "--to", &outside()];
    let (running, id) = stage.begin_in_runtime(tests::scene::Container::ACTOR, &deed)?;
    let lines = stage.lines_of(running)?;
    Ok(Played::Attack(stage.truth_in(&lines, &id, world, true, 0)?))
}

/// In a neighbouring container weights of its own are opened as fast as it goes, before, during and after the theft.
fn flood(stage: &mut Stage) -> Outcome {
    let neighbour = Some(stage.another(Has::Nothing)?);
    let world = stage.world(&[])?;
    let noise = stage.shared("noise.safetensors");
    stage.program_in(neighbour, "/bin/sh", &["-c", &format!("head -c 100000 /dev/urandom > {noise}")])?;
    let storm = ["storm", "--opens", "200000", "--threads", "2", "--path", &noise];
    let running = tests::actor_in(tests::Place::Container(stage.place(neighbour)?), &storm)?;
    let lines = stage.act(&["theft", "pipe", "--read", MODEL, "--to", &outside()])?;
    stage.lines_of(running)?;
    Ok(Played::Attack(stage.truth_of(&lines, None, world, true)?))
}
