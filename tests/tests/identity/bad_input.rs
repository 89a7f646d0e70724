//! Sockets that are of no use: one clear sentence, and the sensor goes on.

use super::Outcome;
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use tests::scene::Directory;
use tests::sensor::Sensor;
use tests::wait::PATIENCE;
use tests::{locate, skip};

/// Asserts that the sensor says in one line why `path` is of no use, and goes on.
fn goes_on(path: &Path, words: &[&str]) -> Outcome {
    let sensor = Sensor::start(&["events", "--kind", "exec", "--runtime-socket", &path.to_string_lossy()])?;
    let shown = path.display().to_string();
    let told = |line: &String| line.contains(&shown) && words.iter().all(|word| line.contains(word));
    sensor.wait_for_log(&format!("{words:?}"), PATIENCE, |log| log.iter().any(told))?;
    let program = Command::new("/bin/true").arg(&shown).spawn()?.wait_with_output()?;
    assert!(program.status.success());
    sensor.wait_for("the program", PATIENCE, |event| event.list("process.command_args") == ["/bin/true", &shown])?;
    let log = sensor.stop()?.log;
    assert_eq!(log.iter().filter(|line| line.contains(&shown)).count(), 1, "said once: {log:?}");
    Ok(())
}

#[test]
fn the_sensor_goes_on_without_a_runtime_and_says_why() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let at = |name: &str| directory.path().join(name);
    goes_on(&at("absent.sock"), &["there is no socket"])?;
    fs::write(at("file.sock"), "no socket")?;
    goes_on(&at("file.sock"), &["it is no socket"])?;
    drop(UnixListener::bind(at("left.sock"))?);
    goes_on(&at("left.sock"), &["nobody listens there"])?;
    // Somebody who speaks something else, and says so.
    let other = UnixListener::bind(at("other.sock"))?;
    let server = std::thread::spawn(move || {
        for mut stream in other.incoming().flatten() {
            let mut head = [0; 8];
            if stream.read(&mut head).is_ok_and(|read| head.get(..read) == Some(b"end")) {
                return;
            }
            let _ = stream.write_all(b"220 mail.example.org ESMTP\r\n");
        }
    });
    let spoken = goes_on(&at("other.sock"), &["neither CRI v1", "Docker's API"]);
    std::os::unix::net::UnixStream::connect(at("other.sock"))?.write_all(b"end")?;
    server.join().map_err(|_| "the server failed")?;
    spoken
}

#[test]
fn the_doctor_says_which_runtimes_answer() -> Outcome {
    let directory = Directory::new()?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    let doctor = |path: &Path, nobody: bool| -> Result<Value, Box<dyn std::error::Error>> {
        let program = directory.path().join("weir");
        if !program.exists() {
            assert!(Command::new("cp").arg(locate::weir()?).arg(&program).status()?.success());
        }
        let mut command = Command::new(program);
        command.args(["doctor", "--format", "json", "--runtime-socket"]).arg(path);
        if nobody {
            command.uid(65_534).gid(65_534);
        }
        let report: Value = serde_json::from_slice(&command.output()?.stdout)?;
        let findings = report["findings"].as_array().ok_or("no findings")?;
        Ok(findings
            .iter()
            .find(|finding| finding["name"] == "container runtimes")
            .ok_or("nothing of runtimes")?
            .clone())
    };
    let none = doctor(Path::new("none"), false)?;
    assert_eq!(none["state"], "unused");
    let absent = doctor(&directory.path().join("absent.sock"), false)?;
    assert_eq!(absent["state"], "degraded");
    assert!(absent["mend"].as_str().is_some_and(|mend| mend.contains("absent.sock: there is no socket")), "{absent}");
    if skip::unless_root("a socket of root's") {
        return Ok(());
    }
    let socket = directory.path().join("roots.sock");
    let _listener = UnixListener::bind(&socket)?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
    let denied = doctor(&socket, true)?;
    assert!(denied["mend"].as_str().is_some_and(|mend| mend.contains("may not connect to it")), "{denied}");
    if let Some(node) = super::node()? {
        let found = doctor(&node.containerd.socket(), false)?;
        assert_eq!(found["state"], "ok", "{found}");
        assert!(found["meaning"].as_str().is_some_and(|meaning| meaning.starts_with("containerd 1.")), "{found}");
    }
    Ok(())
}
