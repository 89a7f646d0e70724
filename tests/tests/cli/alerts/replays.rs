//! What was recorded gives the same alerts again, and shows what other rules would have said.

use super::super::weir::run;
use super::stage::{MODEL, Outcome, Stage};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tests::scene::Directory;

/// It finds what nothing else does, in a process of which nothing else is told.
const OWN_RULE: &str = r"
title: Somebody made a directory
name: directory_made
id: 5f0c2f7e-3d39-4f0e-9a2b-0c9a4d1b7e11
status: experimental
description: For the test.
logsource: {product: linux, category: process_creation}
detection:
  selection:
    process.executable.path|endswith: /mkdir
  condition: selection
level: low
weir:
  sentence: '{process.executable.path} was run'
";

#[test]
fn a_recorded_theft_gives_the_same_alerts_byte_for_byte() -> Outcome {
    let files = Directory::new()?;
    let recording = files.path().join("theft.weir");
    let file = recording.to_str().ok_or("no UTF-8")?;
    let Some(stage) = Stage::set_with(&["run", "--record", file])? else { return Ok(()) };
    let (sink, to) = stage.sink()?;
    stage.act(&["steal", "--via-pipe", "--read", MODEL, "--to", &to])?;
    // What only a look at its content tells, so that alerts come late.
    stage.run("/bin/cp", &[MODEL, "/tmp/blob"])?;
    stage.run("/bin/cat", &["/tmp/blob"])?;
    stage.act(&["upload", "--to", &to, "--bytes", "70000"])?;
    sink.finish()?;
    assert!(!stage.alerts_of("model_theft")?.is_empty() && !stage.incidents().is_empty());

    let stopped = stage.sensor.stop()?;
    assert_eq!(stopped.log, Vec::<String>::new(), "nothing was lost, nothing went wrong");
    stage.container.stop()?;
    let live: String = stopped.events.iter().map(|event| format!("{}\n", event.line())).collect();
    assert_eq!(fs::metadata(&recording)?.permissions().mode() & 0o7777, 0o600);

    let replayed = run(&["replay", file, "--format", "json"])?;
    assert_eq!(replayed.status, Some(0), "{replayed:?}");
    assert!(replayed.err.lines().count() == 1 && replayed.err.contains(" times as fast as "), "{}", replayed.err);
    for (told, again) in live.lines().zip(replayed.out.lines()) {
        assert_eq!(told, again);
    }
    assert_eq!(live, replayed.out);

    // The same rules say the same; a rule of one's own says more, and nothing else changes.
    let rules = files.path().join("rules");
    fs::create_dir(&rules)?;
    let own = rules.to_str().ok_or("no UTF-8")?;
    let same = run(&["replay", file, "--diff", own, "--format", "json"])?;
    assert_eq!((same.status, same.out.lines().count()), (Some(0), 1), "{same:?}");
    fs::write(rules.join("own.yml"), OWN_RULE)?;
    let more = run(&["replay", file, "--diff", own, "--format", "json"])?;
    assert_eq!(more.status, Some(1), "{more:?}");
    let objects: Vec<Value> = more.out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let (sums, changes) = objects.split_last().ok_or("nothing")?;
    assert!(!changes.is_empty());
    for change in changes {
        assert_eq!(
            (&change["change"], &change["after"]["weir.rule.name"]),
            (&"added".into(), &"directory_made".into())
        );
    }
    assert_eq!(sums["rules"]["directory_made"][0], 0, "{sums}");
    assert!(sums["rules"]["model_theft"][0].as_u64() > Some(0), "{sums}");
    assert_eq!(sums["rules"]["model_theft"][0], sums["rules"]["model_theft"][1], "{sums}");
    Ok(())
}
