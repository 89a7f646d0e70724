//! What is wrong is said in one sentence that names the thing and the mend.

use super::weir::{Change, NOBODY, Nobody, end_of, run, run_where, weir};
use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tests::scene::Directory;
use tests::skip;

type Outcome = Result<(), Box<dyn Error>>;

/// A rule that is right; the tests spoil it.
const RULE: &str = "\
title: Weights opened by tar
id: 0b0f0a0e-35b5-4b6b-8a54-9d4f0e7c1a11
name: weights_by_tar
status: experimental
logsource:
  product: linux
  category: file_access
detection:
  tar:
    process.executable.name: tar
    weir.file.class: weights
  condition: tar
level: low
weir:
  sentence: '{process.executable.path} opened {file.path} in {workload}'
  tests:
    match:
      - process.executable.path: /usr/bin/tar
        weir.file.class: weights
    no_match:
      - process.executable.path: /usr/bin/cat
        weir.file.class: weights
";

/// A file with this content, and the directory in which it lives.
fn file(name: &str, content: impl AsRef<[u8]>) -> std::io::Result<(Directory, String)> {
    let directory = Directory::new()?;
    let path = directory.path().join(name);
    fs::write(&path, content)?;
    Ok((directory, path.to_string_lossy().into_owned()))
}

/// Both ways in which a person gives rules: neither goes on with a part of them.
fn both_refuse(path: &str, words: &[&str]) -> Outcome {
    run(&["rules", "check", path])?.refuses(1, words);
    run(&["rules", "list", "--rules", path])?.refuses(1, words);
    run(&["run", "--rules", path])?.refuses(1, words);
    Ok(())
}

#[test]
fn not_root() -> Outcome {
    if skip::unless_root("becoming nobody") {
        return Ok(());
    }
    let nobody = Nobody::new()?;
    for subcommand in ["events", "run"] {
        let ended = end_of(nobody.weir(&[subcommand]).stdout(Stdio::piped()))?;
        ended.refuses(1, &["does not let", "run it as root", "CAP_BPF", "CAP_PERFMON", "weir doctor"]);
    }
    // What needs no privilege works without.
    end_of(nobody.weir(&["rules", "list"]).stdout(Stdio::piped()))?.is_quiet();
    Ok(())
}

#[test]
fn no_btf() -> Outcome {
    if skip::unless_root("a mount namespace") {
        return Ok(());
    }
    let without = || Ok::<_, std::io::Error>(vec![Change::empty("/sys/kernel/btf")?]);
    run_where(without()?, &["events"])?.refuses(1, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF=y"]);
    let doctor = run_where(without()?, &["doctor"])?;
    assert_eq!(doctor.status, Some(1), "{doctor:?}");
    assert!(finding(&doctor.out, "btf").contains("CONFIG_DEBUG_INFO_BTF=y"), "{}", doctor.out);
    Ok(())
}

#[test]
fn no_cgroup_v2() -> Outcome {
    if skip::unless_root("a mount namespace") {
        return Ok(());
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let unified: Vec<PathBuf> = mounts
        .lines()
        .filter(|line| line.contains(" - cgroup2 "))
        .filter_map(|line| line.split(' ').nth(4).map(PathBuf::from))
        .collect();
    assert!(!unified.is_empty(), "the test takes away what is there");
    let without = || unified.iter().rev().map(|path| Change::unmounted(path)).collect::<Result<Vec<_>, _>>();
    run_where(without()?, &["run"])?.refuses(1, &["no cgroup2 mount", "mount -t cgroup2"]);
    let doctor = run_where(without()?, &["doctor"])?;
    assert_eq!(doctor.status, Some(1), "{doctor:?}");
    assert!(finding(&doctor.out, "cgroup v2").contains("mount -t cgroup2"), "{}", doctor.out);
    Ok(())
}

/// A *fake*: a file that says so, since a kernel that is locked down cannot be let go again. What the sensor says when such a
/// kernel refuses is in the unit tests of `kernel::explain`.
#[test]
fn lockdown_that_forbids() -> Outcome {
    if skip::unless_root("a mount namespace") {
        return Ok(());
    }
    if !Path::new("/sys/kernel/security").is_dir() {
        skip::say("this kernel has no securityfs");
        return Ok(());
    }
    let doctor = |modes: &str| -> Result<_, Box<dyn Error>> {
        let (directory, _) = file("lockdown", modes)?;
        Ok(run_where(vec![Change::other(directory.path(), "/sys/kernel/security")?], &["doctor"])?)
    };
    let forbids = doctor("none integrity [confidentiality]\n")?;
    assert_eq!(forbids.status, Some(1), "{forbids:?}");
    assert!(finding(&forbids.out, "lockdown").starts_with("missing"), "{}", forbids.out);
    assert!(finding(&forbids.out, "lockdown").contains("lockdown=integrity"), "{}", forbids.out);
    let permits = doctor("none [integrity] confidentiality\n")?;
    assert!(finding(&permits.out, "lockdown").starts_with("ok"), "{}", permits.out);
    Ok(())
}

/// The lines of a finding in what `weir doctor` prints: its state, its meaning, and the mend under it.
fn finding(text: &str, name: &str) -> String {
    let mut lines = text.lines().skip_while(|line| line.get(10..).is_none_or(|rest| !rest.starts_with(name)));
    let first = lines.next().unwrap_or_default();
    let mend = lines.next().filter(|line| line.starts_with(' ')).unwrap_or_default();
    format!("{first}\n{mend}")
}

#[test]
fn a_rule_that_cannot_be_read() -> Outcome {
    let directory = Directory::new()?;
    let dangling = directory.path().join("dangling.yml");
    symlink("nowhere", &dangling)?;
    both_refuse(&dangling.to_string_lossy(), &["dangling.yml", "cannot be read", "check that it exists"])?;
    both_refuse(&directory.path().to_string_lossy(), &["dangling.yml", "cannot be read"])?;
    both_refuse("/no/such/rules", &["/no/such/rules", "No such file or directory"])?;
    // A directory that is called like a rule is looked into; there is nothing in it, and nothing wrong with it.
    let other = Directory::new()?;
    fs::create_dir(other.path().join("x.yml"))?;
    run(&["rules", "check", &other.path().to_string_lossy()])?.is_quiet();
    Ok(())
}

#[test]
fn a_rule_without_permission() -> Outcome {
    if skip::unless_root("becoming nobody") {
        return Ok(());
    }
    // Root's own, in a directory that is open to root only.
    let (_directory, path) = file("ours.yml", RULE)?;
    run(&["rules", "check", &path])?.is_quiet();
    let refused = end_of(Nobody::new()?.weir(&["rules", "check", &path]).stdout(Stdio::piped()))?;
    refused.refuses(1, &["ours.yml", "Permission denied", "this user may read it"]);
    assert_ne!(rustix::process::geteuid().as_raw(), NOBODY);
    Ok(())
}

#[test]
fn a_rule_that_is_not_text_or_not_yaml() -> Outcome {
    let (_directory, path) = file("latin.yml", b"title: caf\xe9\n")?;
    both_refuse(&path, &["latin.yml:1:11", "not UTF-8", "save the file as UTF-8"])?;
    let (_directory, path) = file("broken.yml", RULE.replace("logsource:", "logsource: ["))?;
    both_refuse(&path, &["broken.yml:7:11", "not YAML", "mend the indentation, quotes or brackets"])?;
    let (_directory, path) = file("list.yml", "- a\n- b\n")?;
    both_refuse(&path, &["list.yml:1", "must be a YAML mapping", "title:"])
}

#[test]
fn a_rule_with_a_name_that_nobody_knows() -> Outcome {
    let (_directory, path) = file("right.yml", RULE)?;
    run(&["rules", "check", &path])?.is_quiet();
    let spoilt = |from: &str, to: &str| file("spoilt.yml", RULE.replacen(from, to, 1));
    let (_directory, path) = spoilt("process.executable.name", "process.exectuable.name")?;
    both_refuse(&path, &["spoilt.yml:10:", "`process.exectuable.name`", "did you mean `process.executable.name`?"])?;
    let (_directory, path) = spoilt("weir.file.class: weights", "weir.file.class: wieghts")?;
    both_refuse(&path, &["spoilt.yml:11:", "`wieghts`", "did you mean `weights`?", "dataset"])?;
    let (_directory, path) = spoilt("level: low", "levle: low")?;
    let ended = run(&["rules", "check", &path])?;
    ended.complains(1, &["spoilt.yml:13:", "`levle`", "did you mean `level`?"]);
    let (_directory, path) = spoilt("category: file_access", "category: file_acces")?;
    both_refuse(&path, &["spoilt.yml:5:", "`category: file_acces`", "did you mean `file_access`?"])
}

#[test]
fn a_cgroup_that_is_none() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    run(&["events", "--cgroup", "no/such"])?.refuses(1, &["--cgroup no/such", "No such file", "give a directory"]);
    run(&["run", "--cgroup", "/"])?.refuses(1, &["--cgroup /", "that is everything", "leave the option away"]);
    run(&["run", "--cgroup", "a/../.."])?.refuses(1, &["--cgroup a/../..", "give a directory"]);
    Ok(())
}

#[test]
fn classes_that_are_wrong() -> Outcome {
    let refuses = |content: &str, words: &[&str]| -> Outcome {
        let (_directory, path) = file("classes.yml", content)?;
        run(&["events", "--classes", &path])?.refuses(1, words);
        Ok(())
    };
    refuses(
        "weights:\n  names: [a]\nwieghts:\n  names: [b]\n",
        &["classes.yml", "`wieghts`", "`weights`", "line 3", "correct it"],
    )?;
    refuses("weights:\n  namse: [a]\n", &["classes.yml", "`namse`", "`names`", "line 2"])?;
    refuses(
        "secret:\n  names:\n    - a*\n",
        &["classes.yml, line 3", "secret.names", "`a*`", "patterns go to `paths`"],
    )?;
    refuses("weights: [a]\n", &["classes.yml", "expected a mapping with suffixes", "line 1"])?;
    refuses("weights: {\n", &["classes.yml", "line 2"])?;
    run(&["events", "--classes", "/no/such"])?.refuses(1, &["/no/such", "cannot be read", "leave the option away"]);
    Ok(())
}

#[test]
fn a_command_line_that_is_wrong() -> Outcome {
    let wrong = |arguments: &[&str], words: &[&str]| -> Outcome {
        let ended = run(arguments)?;
        ended.complains(2, words);
        assert_eq!(ended.out, "");
        Ok(())
    };
    wrong(&["events", "--contianer", "3f"], &["--contianer", "--container"])?;
    wrong(&["evnets"], &["evnets", "events"])?;
    wrong(&["events", "--kind", "opne"], &["opne", "open"])?;
    wrong(&["events", "--pid", "self"], &["--pid", "self"])?;
    wrong(&["run", "--ring-size", "3"], &["'3'", "--ring-size", "a power of two from 1 to 1024"])?;
    wrong(&["run", "--ring-size", "2048"], &["'2048'", "a power of two from 1 to 1024"])?;
    wrong(&["run", "--format", "xml"], &["xml", "text", "json"])?;
    wrong(&["rules", "list", "--color", "mauve"], &["mauve", "auto", "always", "never"])?;
    // Not clap's, but about the command line as well.
    run(&["--log", "loud=quiet=x", "rules", "check"])?.complains(1, &["--log loud=quiet=x", "warn"]);
    Ok(())
}

#[test]
fn an_ebpf_object_that_is_none() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let with = |object: &str| -> std::io::Result<_> {
        end_of(weir(&["events"])?.env("WEIR_EBPF_OBJECT", object).stdout(Stdio::piped()))
    };
    let words = ["WEIR_EBPF_OBJECT", "unset the variable"];
    with("/no/such/object")?.refuses(1, &[&words[..], &["/no/such/object", "No such file"]].concat());
    let (_directory, path) = file("object", "no object")?;
    with(&path)?.refuses(1, &[&words[..], &[&path]].concat());
    // An object, but for another machine.
    with("/proc/self/exe")?.refuses(1, &[&words[..], &["/proc/self/exe"]].concat());
    let (_directory, path) = file("object", "")?;
    with(&path)?.refuses(1, &[&words[..], &[&path]].concat());
    Ok(())
}
