//! What cannot be is one clear sentence, and no secret is ever said.

use super::{Outcome, Scene, free_port, is_skipped};
use crate::support::receiver;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Output};
use tests::locate;
use tests::receiver::Authority;
use tests::sensor::Sensor;
use tests::wait::PATIENCE;

const SECRET: &str = "hush-9f31";

/// A sensor that is to end by itself.
fn ended(scene: &Scene, otlp: &str, more: &[&str]) -> Result<Output, Box<dyn std::error::Error>> {
    let state = scene.path().join("state").to_string_lossy().into_owned();
    let own: &[&str] = if more.contains(&"--state-dir") { &[] } else { &["--state-dir", &state] };
    let arguments = scene.arguments(otlp, &[own, more].concat())?;
    Ok(Command::new("timeout").arg("20").arg(locate::weir()?).args(arguments).output()?)
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let scene = Scene::new()?;
    let header = format!("  headers: {{authorization: {SECRET}}}\n");
    let path = scene.path().to_string_lossy().into_owned();
    let foreign = scene.path().join("foreign");
    std::fs::create_dir_all(foreign.join("spool"))?;
    chown(foreign.join("spool"), Some(65_534), None)?;
    let open = scene.path().join("open");
    std::fs::create_dir_all(open.join("spool"))?;
    std::fs::set_permissions(open.join("spool"), std::fs::Permissions::from_mode(0o777))?;
    let [foreign, open] = [foreign, open].map(|path| path.to_string_lossy().into_owned());
    type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);
    let cases: [Case; 9] = [
        ("  endpoint: ftp://127.0.0.1\n", &[], &["weir.yml", "scheme `ftp` is not known", "https://"]),
        ("  endpoint: 127.0.0.1:4318\n", &[], &["weir.yml", "no http:// or https://"]),
        ("  endpoint: http://user:hush-9f31@127.0.0.1\n", &[], &["weir.yml", "headers"]),
        ("  endpoint: http://127.0.0.1:1\n  body: xml\n", &[], &["otlp.body", "sentence or ocsf"]),
        (
            "  endpoint: https://127.0.0.1:1\n  certificate: /nowhere/ca.pem\n",
            &[],
            &["otlp.certificate", "/nowhere/ca.pem"],
        ),
        (
            "  endpoint: http://127.0.0.1:1\n",
            &["--state-dir", "/proc/nowhere"],
            &["/proc/nowhere/spool", "--state-dir"],
        ),
        (
            "  endpoint: http://127.0.0.1:1\n",
            &["--state-dir", &foreign],
            &["foreign/spool", "belongs to user 65534", "chown"],
        ),
        ("  endpoint: http://127.0.0.1:1\n", &["--state-dir", &open], &["open/spool", "mode 777", "chmod 700"]),
        ("", &["--export", "events"], &["--export", "OTEL_EXPORTER_OTLP_ENDPOINT"]),
    ];
    for (otlp, more, words) in cases {
        let output = ended(&scene, &format!("{otlp}{header}"), more)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{otlp} {more:?}: {said}");
        let sentences: Vec<_> = said.lines().filter(|line| line.starts_with("error:")).collect();
        assert_eq!(sentences.len(), 1, "{said}");
        for word in words {
            assert!(said.contains(word), "`{word}` in: {said}");
        }
        assert!(!said.contains(SECRET), "{said}");
        assert!(said.contains(&path) || !words[0].starts_with("weir.yml"), "{said}");
    }
    Ok(())
}

#[test]
fn an_endpoint_or_certificate_that_is_wrong_is_said_once_and_the_secret_never() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let scene = Scene::new()?;
    let (authority, stranger) = (Authority::new(scene.path(), "authority")?, Authority::new(scene.path(), "stranger")?);
    let server = authority.issue("localhost")?;
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let secured = receiver(&["--certificate", &text(&server.certificate), "--key", &text(&server.key)]);
    let unwelcome = receiver(&["--faults", &["unauthenticated"; 50].join(",")]);
    let cases = [
        (format!("  endpoint: http://127.0.0.1:{}\n", free_port()), "cannot be reached"),
        (
            format!("  endpoint: https://localhost:{}\n  certificate: {}\n", secured.port, text(&stranger.certificate)),
            "an authority that is not trusted",
        ),
        (format!("  endpoint: http://127.0.0.1:{}\n", unwelcome.port), "who are you?"),
    ];
    for (otlp, words) in cases {
        let header = format!("  headers: {{authorization: Bearer {SECRET}}}\n");
        let sensor = Sensor::start(&scene.arguments(&format!("{otlp}{header}"), &["--log", "debug"])?)?;
        let marks = scene.deeds(3)?;
        scene.shown(&sensor, &marks)?;
        sensor.wait_for_log(words, PATIENCE, |log| log.iter().any(|line| line.contains(words)))?;
        let status = |format| {
            let state = sensor.state().to_string_lossy().into_owned();
            Command::new(locate::weir()?).args(["status", "--state-dir", &state, "--format", format]).output()
        };
        for format in ["text", "json"] {
            let status = String::from_utf8(status(format)?.stdout)?;
            assert!(status.contains(words), "{format}: {status}");
            assert!(!status.contains(SECRET), "{format}: {status}");
        }
        let said = sensor.stop()?.log;
        assert!(!said.iter().any(|line| line.contains(SECRET)), "{said:?}");
        let times = said.iter().filter(|line| line.contains("records wait") && line.contains(words)).count();
        assert_eq!(times, 1, "{said:?}");
    }
    Ok(())
}
