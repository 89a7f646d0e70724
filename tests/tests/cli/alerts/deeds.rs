//! What is to be told, and what is to be told of it.

use super::stage::{ACCOUNT, Alert, MODEL, Outcome, Stage};
use serde_json::{Value, json};
use tests::scene::Container;

/// That it is about the container, and names the process that the actor was.
fn names(stage: &Stage, alert: &Alert, level: &str, expected: &[(&str, Value)]) {
    assert_eq!(alert.revision(), Some(0), "told once");
    assert_eq!(*alert.get("weir.rule.level"), level);
    assert_eq!(*alert.get("container.id"), stage.container.id);
    assert_eq!(*alert.get("k8s.pod.uid"), stage.container.pod_uid);
    for (name, value) in expected {
        assert_eq!(alert.get(name), value, "{name}: {alert:#?}");
    }
    let short = stage.container.id.get(..12).unwrap_or_default();
    assert!(alert.sentence().contains(&format!("container {short}")), "{}", alert.sentence());
}

#[test]
fn weights_opened_by_an_unexpected_process() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    // By an absolute path and through the directories; once, though it is read twice.
    stage.run("/bin/cat", &[MODEL])?;
    stage.run("/bin/cat", &["/models/../models/llama/model.safetensors"])?;
    let alert = stage.one("weights_opened_unexpectedly")?;
    names(&stage, &alert, "low", &[("file.path", MODEL.into()), ("process.command_args", json!(["/bin/cat", MODEL]))]);
    let reader = alert.get("process.executable.path").as_str().unwrap_or_default().to_owned();
    assert!(alert.sentence().starts_with(&format!("{reader} opened the weights {MODEL} (")), "{}", alert.sentence());
    assert!(reader.starts_with("/usr/bin/"), "{reader}");
    stage.strike()
}

/// Reader and sender are one process, or two with a pipe between them.
fn theft(via_pipe: bool) -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let (sink, to) = stage.sink()?;
    let mut deed = vec!["steal", "--read", MODEL, "--to", &to];
    deed.extend(via_pipe.then_some("--via-pipe"));
    let truth = stage.act(&deed)?;
    let received: u64 = sink.finish()?.iter().map(|peer| peer.bytes).sum();
    assert_eq!(truth["sender"]["bytes_sent"], received);

    let alerts = stage.alerts_of("model_theft")?;
    let (Some(first), Some(last)) = (alerts.first(), alerts.last()) else { return Err("no alert".into()) };
    for (expected, alert) in (0..).zip(&alerts) {
        assert_eq!(alert.revision(), Some(expected), "one alert, in revisions");
        assert_eq!(alert.get("weir.alert.uid"), first.get("weir.alert.uid"));
        assert_eq!(*alert.get("container.id"), stage.container.id);
        assert_eq!(*alert.get("weir.rule.level"), "high");
        let (reader, sender) = (&truth["reader"], &truth["sender"]);
        assert_eq!(*alert.first("process.vpid"), reader["process.vpid"], "{alert:#?}");
        assert_eq!(*alert.first("file.path"), MODEL);
        assert_eq!(*alert.first("file.inode"), reader["file.inode"]);
        assert_eq!(*alert.get("process.vpid"), sender["process.vpid"]);
        assert_eq!(*alert.get("network.peer.address"), sender["network.peer.address"]);
        assert_eq!(*alert.get("network.peer.port"), sender["network.peer.port"]);
    }
    assert_eq!(truth["reader"]["process.vpid"] == truth["sender"]["process.vpid"], !via_pipe);
    assert_eq!(*last.get("weir.flow.bytes"), received, "the last one tells of all bytes");
    // From half a percent of the weights on, then each time that it is four times as much, and at the end.
    assert!(alerts.len() <= 6, "told when it has grown, not all the time: {}", alerts.len());
    let sentence = last.sentence();
    for word in [Container::ACTOR, MODEL, &to, "100 %"] {
        assert!(sentence.contains(word), "{word} is not in: {sentence}");
    }
    stage.strike()
}

#[test]
fn a_theft_by_one_process() -> Outcome {
    theft(false)
}

#[test]
fn a_theft_by_two_processes() -> Outcome {
    theft(true)
}

#[test]
fn a_shell_under_a_model_server() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let truth = stage.act(&["shell-under", "vllm", "--directory", "/opt"])?;
    let alert = stage.one("model_server_shell")?;
    let expected =
        ["process.command_line", "weir.process.parent.executable.path"].map(|name| (name, truth[name].clone()));
    names(&stage, &alert, "high", &expected);
    assert_eq!(*alert.get("process.vpid"), truth["child.vpid"]);
    assert_eq!(*alert.get("weir.process.parent.executable.path"), "/opt/vllm");
    assert!(alert.sentence().contains("was started under /opt/vllm"), "{}", alert.sentence());
    stage.strike()
}

#[test]
fn a_shell_under_a_server_in_python() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    // The program is python's; that it serves is in its command line only.
    let python = stage.actor_called("/opt/vllm-venv/bin/python3.12")?;
    let truth = stage.act_as(&python, &["run-shell"])?;
    let alert = stage.one("model_server_shell")?;
    names(&stage, &alert, "high", &[("weir.process.parent.executable.path", python.into())]);
    assert_eq!(*alert.get("process.vpid"), truth["child.vpid"]);
    stage.strike()
}

#[test]
fn a_service_accounts_token() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let link = format!("{ACCOUNT}/token");
    stage.run("/bin/cat", &[&link])?;
    let alert = stage.one("credentials_read_unexpectedly")?;
    // The file behind two symbolic links, and the path by which it was asked for in the arguments.
    let file = format!("{ACCOUNT}/{}/token", stage.version);
    names(
        &stage,
        &alert,
        "medium",
        &[
            ("file.path", file.clone().into()),
            ("process.command_args", json!(["/bin/cat", link])),
            ("weir.file.class", json!(["secret"])),
        ],
    );
    assert!(alert.sentence().contains(&format!("read the credentials {file}")), "{}", alert.sentence());
    stage.strike()
}

#[test]
fn a_program_from_an_anonymous_file() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let truth = stage.act(&["exec-memfd"])?;
    let alert = stage.one("exec_from_memory")?;
    names(
        &stage,
        &alert,
        "high",
        &[
            // Without the kernel's " (deleted)": that it has no links tells the same, and no file can be named so.
            ("file.path", "/memfd:weir-actor".into()),
            ("weir.file.links", 0.into()),
            ("weir.file.memory", true.into()),
            ("file.inode", truth["file.inode"].clone()),
            ("process.vpid", truth["child.vpid"].clone()),
            ("process.command_args", json!(["in-memory", "noop"])),
            ("weir.process.parent.executable.path", Container::ACTOR.into()),
        ],
    );
    stage.strike()
}

#[test]
fn a_program_from_shared_memory() -> Outcome {
    let Some(stage) = Stage::set()? else { return Ok(()) };
    let truth = stage.act(&["exec-shm", "/dev/shm/.x"])?;
    let alert = stage.one("exec_from_memory")?;
    names(
        &stage,
        &alert,
        "high",
        &[
            ("file.path", "/dev/shm/.x".into()),
            ("file.inode", truth["file.inode"].clone()),
            ("process.vpid", truth["child.vpid"].clone()),
            ("process.executable.path", "/dev/shm/.x".into()),
        ],
    );
    assert!(alert.sentence().starts_with("/dev/shm/.x was started from memory"), "{}", alert.sentence());
    stage.strike()
}
