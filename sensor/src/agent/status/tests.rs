use super::control::Control;
use super::{Events, Filter, Refusal, Rules, Status, StatusError, ask, path_in};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};

/// One of about twenty thousand bytes.
fn status() -> Status {
    let events = |number: u64| Events { kind: format!("kind{number}"), seen: number, ..Events::default() };
    let refused = Some(Refusal { count: 1, problems: vec!["a.yml:3: \"x\"".into()], ..Refusal::default() });
    Status {
        version: "1".into(),
        events: (0..200).map(events).collect(),
        rules: Rules { refused, ..Rules::default() },
        filters: vec![Filter { title: "Fülter\n".into(), taken: u64::MAX }],
        ..Status::default()
    }
}

/// Answers as the agent does, on this task.
async fn serve(control: &mut Control) {
    loop {
        control.asked().await.answer(&status());
    }
}

#[tokio::test]
async fn whoever_may_ask_gets_the_whole_document_also_beside_one_who_does_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let mut control = Control::at(path.clone());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let asked = tokio::task::spawn_blocking({
        let path = path.clone();
        move || {
            let slow = UnixStream::connect(&path).unwrap();
            let answers: Vec<Status> = (0..20).map(|_| ask(&path).unwrap()).collect();
            drop(slow);
            answers
        }
    });
    let answers = tokio::select! {
        () = serve(&mut control) => unreachable!(),
        answers = asked => answers.unwrap(),
    };
    assert_eq!(answers, vec![status(); 20]);
    drop(control);
    assert!(!path.exists());
}

#[tokio::test]
async fn so_many_slow_readers_are_let_in_and_given_up_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let mut control = Control::at(path.clone());
    // More than the buffer of a socket holds, so that it waits for its reader.
    let large = Status { version: "x".repeat(1 << 20), ..Status::default() };
    let slow: Vec<UnixStream> = (0..4).map(|_| UnixStream::connect(&path).unwrap()).collect();
    for _ in &slow {
        control.asked().await.answer(&large);
    }
    // There is no room for a fifth: it is closed at once, before it gets a byte.
    let mut fifth = UnixStream::connect(&path).unwrap();
    tokio::select! {
        _ = control.asked() => panic!("there are four already"),
        read = tokio::task::spawn_blocking(move || fifth.read(&mut [0])) => assert_eq!(read.unwrap().unwrap(), 0),
    }
    // The others lose their patience with themselves; then there is room again.
    let asked = tokio::task::spawn_blocking(move || {
        loop {
            match ask(&path) {
                Ok(status) => break status,
                Err(StatusError::NoAnswer { .. }) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    });
    tokio::select! {
        () = serve(&mut control) => unreachable!(),
        answer = asked => assert_eq!(answer.unwrap(), status()),
    }
    drop(slow);
}

#[tokio::test]
async fn what_is_at_the_place_already_is_left_alone_unless_a_dead_sensor_left_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    assert!(matches!(ask(&path), Err(StatusError::NotRunning(_))));
    fs::write(&path, "mine").unwrap();
    drop(Control::at(path.clone()));
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::remove_file(&path).unwrap();

    // Nobody listens any more, and the name is there.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists() && matches!(ask(&path), Err(StatusError::NotRunning(_))));
    let mut first = Control::at(path.clone());
    drop(Control::at(path.clone()));
    let asked = tokio::task::spawn_blocking(move || ask(&path));
    tokio::select! {
        () = serve(&mut first) => unreachable!(),
        answer = asked => assert_eq!(answer.unwrap().unwrap(), status(), "the first one serves on"),
    }
}

#[test]
fn another_version_is_understood_as_far_as_it_goes() {
    let other = r#"{"version":"9","new":{"x":1},"rules":{"rules":3,"more":[]}}"#;
    let status: Status = serde_json::from_str(other).unwrap();
    assert_eq!((status.version.as_str(), status.rules.rules, status.events.len()), ("9", 3, 0));
}
