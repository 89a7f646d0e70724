//! `weir replay`, and recording, where they cannot be done.

use super::weir::run;
use std::error::Error;
use std::fs;
use tests::scene::Directory;
use tests::skip;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn what_is_no_recording_is_refused() -> Outcome {
    let files = Directory::new()?;
    let path = |name: &str| files.path().join(name).display().to_string();
    run(&["replay", &path("none.weir")])?.refuses(1, &["none.weir", "cannot be opened", "weir run --record"]);
    run(&["replay", &path("")])?
        .refuses(1, &["cannot be opened", "no evidence in it", "directory of `weir run --evidence`"]);
    for (name, content) in [("empty", &b""[..]), ("rule.yml", b"title: A rule\n"), ("zeros", &[0; 100_000])] {
        fs::write(path(name), content)?;
        run(&["replay", &path(name)])?.refuses(1, &[name, "does not begin like a recording", "weir run --record"]);
    }
    // The rules are looked at first: they are what somebody is working at.
    fs::write(path("own.yml"), "title: [")?;
    for option in ["--rules", "--diff"] {
        run(&["replay", &path("empty"), option, &path("own.yml")])?.complains(1, &["own.yml:2:1", "not YAML"]);
    }
    run(&["replay", &path("empty"), "--from", "yesterday"])?
        .complains(2, &["--from", "a time like 2026-07-01T02:00:00Z"]);
    Ok(())
}

#[test]
fn nothing_is_recorded_over() -> Outcome {
    if skip::unless_root("recording") {
        return Ok(());
    }
    let files = Directory::new()?;
    let path = files.path().join("there.weir");
    fs::write(&path, "evidence")?;
    let text = path.display().to_string();
    for command in ["run", "events"] {
        run(&[command, "--record", &text])?.refuses(1, &["cannot record in", "there.weir", "give a new file"]);
    }
    assert_eq!(fs::read(&path)?, b"evidence");
    Ok(())
}
