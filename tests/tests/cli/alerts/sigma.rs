//! Public Sigma rules, unchanged, on real deeds; and filters that take alerts away.

use super::stage::{Alert, Outcome, Stage};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use tests::scene::Directory;
use tests::skip;

/// As a public rule would be written: Sigma's field names, no id of ours, no `weir:`.
const RULE: &str = "\
title: SSH key or scheduled job added
id: 11111111-2222-4333-8444-555555555501
status: test
logsource:
  product: linux
  category: file_event
detection:
  selection_keys:
    TargetFilename|endswith: '/.ssh/authorized_keys'
  selection_jobs:
    TargetFilename|startswith: '/etc/cron.d/'
  filter_main_packages:
    Image|endswith: '/dpkg'
  condition: 1 of selection_* and not 1 of filter_main_*
level: medium
";
const FILTER: &str = "\
title: Our own deployment
id: 11111111-2222-4333-8444-555555555502
logsource:
  product: linux
  category: file_event
filter:
  rules:
    - 11111111-2222-4333-8444-555555555501
  selection:
    TargetFilename|expand: '%our_files%'
  condition: not selection
";

/// The paths of the files that the alerts with this title are about.
fn files_of(alerts: &[Alert], title: &str) -> Vec<String> {
    let about = alerts.iter().filter(|alert| alert.sentence().starts_with(title));
    let mut files: Vec<String> = about.filter_map(|alert| Some(alert.get("file.path").as_str()?.to_owned())).collect();
    files.sort();
    files
}

/// Each file is written by a program of its own, so that each is an alert of its own.
fn write_files(stage: &Stage) -> Outcome {
    stage.run("/bin/mkdir", &["-p", "/etc/cron.d", "/srv/.ssh"])?;
    stage.run("/bin/cp", &["/etc/passwd", "/etc/cron.d/nightly"])?;
    stage.run("/usr/bin/install", &["-m", "600", "/etc/passwd", "/srv/.ssh/authorized_keys"])?;
    stage.run("/bin/dd", &["if=/etc/passwd", "of=/etc/cron.d/ours", "status=none"])?;
    // One that is written elsewhere and moved into place.
    stage.run("/bin/mkdir", &["-p", "/opt/user/.ssh"])?;
    stage.run("/bin/cp", &["/etc/passwd", "/opt/user/new"])?;
    stage.run("/bin/mv", &["/opt/user/new", "/opt/user/.ssh/authorized_keys"])?;
    // Neither is what the rule asks for: another place, and no write.
    stage.run("/bin/cp", &["/etc/passwd", "/srv/.ssh/known_hosts"])?;
    stage.run("/bin/cat", &["/etc/cron.d/ours"])
}

#[test]
fn a_rule_on_files_of_no_class_fires_and_a_filter_takes_what_it_says() -> Outcome {
    let rules = Directory::new()?;
    let path = rules.path();
    fs::write(path.join("rule.yml"), RULE)?;
    fs::write(path.join("filter.yml"), FILTER)?;
    fs::create_dir(path.join("lists"))?;
    fs::write(path.join("lists/our_files.txt"), "/etc/cron.d/ours\n")?;
    let Some(stage) = Stage::set_with(&["run", "--statistics", "--rules", &path.to_string_lossy()])? else {
        return Ok(());
    };
    write_files(&stage)?;
    let alerts = stage.alerts()?;
    assert_eq!(
        files_of(&alerts, "SSH key or scheduled job added"),
        ["/etc/cron.d/nightly", "/opt/user/new", "/srv/.ssh/authorized_keys"]
    );
    let moved = alerts.iter().find(|alert| *alert.get("file.path") == "/opt/user/new").ok_or("no alert")?;
    assert_eq!(*moved.get("weir.file.new_path"), "/opt/user/.ssh/authorized_keys");
    let watched = alerts.iter().find(|alert| *alert.get("file.path") == "/etc/cron.d/nightly").ok_or("no alert")?;
    assert_eq!(*watched.get("weir.file.class"), serde_json::json!(["persistence", "watched"]));
    assert!(watched.get("weir.held.bytes").is_null(), "nobody holds what is watched: {watched:#?}");

    let stopped = stage.sensor.stop()?;
    assert_eq!(stopped.log, Vec::<String>::new());
    let statistics = stopped.events.iter().find_map(|event| event.field("filters")).ok_or("no statistics")?;
    let taken = "11111111-2222-4333-8444-555555555501 by `Our own deployment`";
    assert_eq!(statistics[taken], 1, "{statistics}");
    Ok(stage.container.stop()?)
}

/// The public rules that need nothing that is left out, in a directory of their own.
fn public_rules() -> Result<Option<Directory>, Box<dyn Error>> {
    let Some(corpus) = std::env::var_os("WEIR_SIGMA_CORPUS").map(PathBuf::from).filter(|path| path.is_dir()) else {
        skip::say("WEIR_SIGMA_CORPUS does not name a directory of public Sigma rules");
        return Ok(None);
    };
    let rules = Directory::new()?;
    for file in files(&corpus)? {
        let text = fs::read_to_string(&file)?;
        if !text.contains("LogonId") {
            fs::write(rules.path().join(file.file_name().ok_or("no name")?), text)?;
        }
    }
    Ok(Some(rules))
}

fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Programs with their arguments, and the public rule that is about that.
const DEEDS: [(&str, &[&str], &str); 12] = [
    ("/usr/bin/base64", &["-d", "/dev/null"], "Decode Base64 Encoded Text"),
    ("/usr/bin/uname", &["-a"], "System Information Discovery"),
    ("/usr/bin/chmod", &["700", "/tmp/deeds"], "Chmod Targeting Sensitive Directories"),
    ("/usr/bin/mkfifo", &["/tmp/deeds/pipe"], "Named Pipe Created Via Mkfifo"),
    ("/usr/bin/rm", &["/tmp/deeds/pipe"], "File Deletion"),
    ("/usr/bin/find", &["/tmp/deeds"], "File and Directory Discovery - Linux"),
    ("/usr/bin/cp", &["/etc/passwd", "/tmp/deeds/p"], "Copy Passwd Or Shadow From TMP Path"),
    ("/usr/bin/nohup", &["/bin/true"], "Nohup Execution"),
    ("/usr/bin/dd", &["if=/dev/null", "of=/tmp/deeds/null", "status=none"], "DD File Overwrite"),
    ("/usr/bin/env", &["/bin/sh", "-c", "true"], "Shell Invocation via Env Command - Linux"),
    ("/usr/bin/cat", &["/etc/group"], "Local Groups Discovery - Linux"),
    ("/usr/bin/ls", &["-di", "/"], "Potential Container Discovery Via Inodes Listing"),
];

#[test]
fn public_rules_fire_on_real_deeds() -> Outcome {
    let Some(rules) = public_rules()? else { return Ok(()) };
    let Some(stage) = Stage::set_with(&["run", "--rules", &rules.path().to_string_lossy()])? else { return Ok(()) };
    stage.run("/bin/mkdir", &["-p", "/tmp/deeds", "/etc/cron.d"])?;
    stage.run("/bin/cp", &["/etc/passwd", "/etc/group"])?;
    for (program, arguments, _) in DEEDS {
        stage.run(program, arguments)?;
    }
    stage.run("/usr/bin/install", &["-m", "600", "/etc/passwd", "/etc/cron.d/nightly"])?;
    let alerts = stage.alerts()?;
    let has = |title: &str| alerts.iter().any(|alert| alert.sentence().starts_with(title));
    let silent: Vec<_> = DEEDS.iter().filter(|(_, _, title)| !has(title)).collect();
    assert!(silent.is_empty(), "{silent:?}, of {:#?}", alerts.iter().map(Alert::sentence).collect::<Vec<_>>());
    assert_eq!(files_of(&alerts, "New Cron File Created"), ["/etc/cron.d/nightly"], "a file of no class of ours");
    stage.strike()
}
