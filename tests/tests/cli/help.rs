//! Help that a person can learn the program from, and completions that shells can read.

use super::weir::run;
use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};
use tests::skip;

type Outcome = Result<(), Box<dyn Error>>;

const WIDEST: usize = 110;

/// What `weir run` and `weir events` share.
const SENSOR: [&str; 13] = [
    "--cgroup",
    "--classes",
    "--policy",
    "--ring-size",
    "--flow-floor",
    "--format",
    "--record",
    "--runtime-socket",
    "--kube",
    "--statistics",
    "--hooks",
    "--keep-privileges",
    "--kernel-log",
];

/// What `weir run` alone has of delivery and evidence.
const RUN: [&str; 6] = ["--config", "--body", "--export", "--evidence", "--no-evidence", "--pin"];

/// The options of each subcommand, but for those that each has.
fn subcommands() -> Vec<(&'static [&'static str], Vec<&'static str>)> {
    vec![
        (&[], vec!["--version"]),
        (
            &["run"],
            [
                &SENSOR[..],
                &["--rules", "--allow-unsupported", "--state-dir", "--coverage-interval", "--control"],
                &RUN[..],
            ]
            .concat(),
        ),
        (&["events"], [&SENSOR[..], &["--kind", "--pid", "--container", "--count"]].concat()),
        (&["status"], vec!["--check", "--control", "--state-dir", "--format"]),
        (&["doctor"], vec!["--format", "--runtime-socket", "--kube"]),
        (&["rules"], vec![]),
        (&["policy"], vec![]),
        (&["policy", "check"], vec![]),
        (
            &["policy", "explain"],
            vec!["--policy", "--rules", "--namespace", "--pod", "--label", "--image", "--name", "--cgroup", "--format"],
        ),
        (&["policy", "schema"], vec![]),
        (&["rules", "check"], vec!["--allow-unsupported", "--policy"]),
        (&["rules", "list"], vec!["--rules", "--allow-unsupported", "--format"]),
        (&["replay"], vec!["--rules", "--diff", "--classes", "--policy", "--from", "--to", "--format"]),
        (
            &["timeline"],
            vec![
                "--from",
                "--incident",
                "--alert",
                "--container",
                "--pod",
                "--process",
                "--file",
                "--since",
                "--until",
                "--format",
                "--limit",
                "--host",
                "--no-pager",
            ],
        ),
        (&["evidence"], vec![]),
        (&["evidence", "verify"], vec!["--key"]),
        (
            &["evidence", "export"],
            vec!["--format", "--incident", "--from", "--output", "--open", "--key", "--rules", "--policy", "--host"],
        ),
        (&["evidence", "key"], vec!["--make", "--pem"]),
        (&["unload"], vec!["--pin"]),
        (&["completions"], vec![]),
    ]
}

#[test]
fn each_option_is_explained() -> Outcome {
    for (subcommand, own) in subcommands() {
        let help = run(&[subcommand, &["--help"]].concat())?;
        help.is_quiet();
        // `      --ring-size <MIB>  What it is`, or the text below it.
        let lines: Vec<&str> = help.out.lines().collect();
        let mut explained = BTreeSet::new();
        for (index, line) in lines.iter().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(option) = words.iter().take(2).find(|word| word.starts_with("--")) else { continue };
            if !line.starts_with("  ") || !words[0].starts_with('-') {
                continue;
            }
            let below = lines.get(index + 1).is_some_and(|next| next.starts_with("          "));
            assert!(words.len() > 3 || below, "{subcommand:?}: nothing is said of {line}");
            explained.insert(option.trim_end_matches(','));
        }
        let expected: BTreeSet<&str> = own.into_iter().chain(["--help", "--color", "--log"]).collect();
        assert_eq!(explained, expected, "{subcommand:?}");
    }
    Ok(())
}

#[test]
fn help_is_narrow_and_plain() -> Outcome {
    for (subcommand, _) in subcommands() {
        for option in ["--help", "-h"] {
            let help = run(&[subcommand, &[option]].concat())?;
            let widest = help.out.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!((20..=WIDEST).contains(&widest), "{subcommand:?} {option}: {widest} columns");
            assert!(!help.out.contains('\u{1b}'), "{subcommand:?} {option}: colour in a pipe");
        }
    }
    let help = run(&["--help"])?.out;
    for word in ["weir doctor", "weir run", "weir events", "weir rules list", "Exit status:", "root"] {
        assert!(help.contains(word), "{word:?} is not in:\n{help}");
    }
    let version = run(&["--version"])?;
    version.is_quiet();
    assert!(version.out.starts_with("weir ") && version.out.lines().count() == 1, "{version:?}");
    Ok(())
}

#[test]
fn without_a_subcommand_it_says_what_there_is() -> Outcome {
    let said = run(&[])?;
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("Usage: weir") && said.err.contains("doctor"), "{}", said.err);
    Ok(())
}

#[test]
fn shells_can_read_the_completions() -> Outcome {
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let script = run(&["completions", shell])?;
        script.is_quiet();
        for word in ["doctor", "ring-size", "flow-floor"] {
            assert!(script.out.contains(word), "{shell}: nothing completes to {word}");
        }
        let mut parser = match Command::new(shell).args(check).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn() {
            Ok(parser) => parser,
            Err(error) => {
                skip::say(&format!("{shell} cannot be run ({error}): its completions are not parsed"));
                continue;
            }
        };
        parser.stdin.take().ok_or("no pipe")?.write_all(script.out.as_bytes())?;
        let parsed = parser.wait_with_output()?;
        assert!(parsed.status.success(), "{shell}: {}", String::from_utf8_lossy(&parsed.stderr));
        assert_eq!(String::from_utf8_lossy(&parsed.stderr), "", "{shell}");
    }
    Ok(())
}
