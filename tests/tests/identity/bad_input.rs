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
    goes_on_as(&[], path, words)
}

/// The same of a sensor that this starts, if it is anything.
fn goes_on_as(starter: &[&str], path: &Path, words: &[&str]) -> Outcome {
    let (weir, socket) = (locate::weir()?.display().to_string(), path.display().to_string());
    let words_of = [starter, &[&weir, "events", "--kind", "exec", "--runtime-socket", &socket]].concat();
    let (program, arguments) = words_of.split_first().ok_or("nothing to start")?;
    let sensor = Sensor::start_program(Path::new(program), arguments)?;
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

/// Root without the capabilities that let it pass by permissions, as in a container with none of them added.
#[test]
fn the_sensor_goes_on_where_it_may_not_connect() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let socket = directory.path().join("others.sock");
    let _listener = UnixListener::bind(&socket)?;
    let nobody = 65_534;
    std::os::unix::fs::chown(&socket, Some(nobody), Some(nobody))?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
    let starter = ["/usr/bin/setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    goes_on_as(&starter, &socket, &["may not connect to it", "run weir as root, or in the group"])?;
    // Nor look for it.
    let closed = directory.path().join("closed");
    fs::create_dir(&closed)?;
    std::os::unix::fs::chown(&closed, Some(nobody), Some(nobody))?;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700))?;
    goes_on_as(&starter, &closed.join("runtime.sock"), &["may not look there"])
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
