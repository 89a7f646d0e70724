//! The other acts do what they say.

use std::error::Error;
use std::fs;
use std::path::Path;
use tests::scene::{Bind, Container, Directory, Network, Spec};
use tests::sink::{Sink, Transport};
use tests::{Place, actor_in, skip, weights};

#[test]
fn storms_are_as_many_as_asked() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let (hit, miss) = (directory.path().join("hit.safetensors"), directory.path().join("miss.txt"));
    fs::write(&hit, "")?;
    fs::write(&miss, "")?;
    let (hit, miss) = (hit.to_string_lossy(), miss.to_string_lossy());
    let opens = |options: &[&str]| {
        actor_in(Place::Host, &[&["storm", "--opens", "10001", "--path", &hit], options].concat())?.truth()
    };
    let truth = opens(&[])?;
    assert_eq!((&truth["hits"], &truth["misses"]), (&10_001.into(), &0.into()));
    let truth = opens(&["--miss", &miss, "--threads", "3"])?;
    assert_eq!((&truth["hits"], &truth["misses"]), (&5_001.into(), &5_000.into()));
    for (kind, threads) in [("execs", "2"), ("forks", "1"), ("forks", "2")] {
        let truth = actor_in(Place::Host, &["storm", &format!("--{kind}"), "101", "--threads", threads])?.truth()?;
        assert_eq!(truth[kind], 101, "{truth}");
    }
    Ok(())
}

#[test]
fn a_storm_of_connects_reaches_the_sink() -> Result<(), Box<dyn Error>> {
    let sink = Sink::start(&["127.0.0.1".parse()?], None)?;
    let to = sink.address(Transport::Tcp, "127.0.0.1".parse()?)?.to_string();
    let truth = actor_in(Place::Host, &["storm", "--connects", "500", "--to", &to, "--threads", "2"])?.truth()?;
    assert_eq!(truth["connects"], 500);
    let peers = sink.wait_for(tests::wait::PATIENCE, |peers| peers.len() == 500)?;
    assert!(peers.iter().all(|peer| peer.bytes == 0));
    Ok(())
}

#[test]
fn programs_run_from_memory_and_under_other_names() -> Result<(), Box<dyn Error>> {
    let truth = actor_in(Place::Host, &["exec-memfd"])?.truth()?;
    assert_eq!(truth["file.path"], "/memfd:weir-actor (deleted)");
    assert_eq!(truth["weir.file.links"], 0);
    let path = format!("/dev/shm/weir-test-{}", std::process::id());
    let truth = actor_in(Place::Host, &["exec-shm", &path])?.truth()?;
    assert_eq!(truth["file.path"], path);
    assert!(!Path::new(&path).exists(), "removed");
    let directory = Directory::new()?;
    let truth =
        actor_in(Place::Host, &["shell-under", "vllm", "--directory", &directory.path().to_string_lossy()])?.truth()?;
    let parent = directory.path().join("vllm");
    assert_eq!(truth["weir.process.parent.executable.path"], *parent.to_string_lossy());
    assert!(!parent.exists(), "removed");
    Ok(())
}

#[test]
fn a_theft_by_one_and_by_two() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("a theft out of a container") {
        return Ok(());
    }
    let models = Directory::new()?;
    let size = weights::safetensors(&models.path().join("model.safetensors"), 5, 1)?;
    let network = Network::new()?;
    let sink = Sink::start(&network.outside_addresses(), Some(&network.outside))?;
    let bind = Bind { source: models.path().into(), target: "/models".into(), read_only: true };
    let container = Container::start(&Spec { binds: vec![bind], network: Some(&network.inside), ..Spec::default() })?;
    let to = sink.address(Transport::Tcp, Network::OUTSIDE_V4.into())?.to_string();
    let theft = ["steal", "--read", "/models/model.safetensors", "--to", &to];
    let alone = actor_in(Place::Container(&container), &theft)?.truth()?;
    let piped = actor_in(Place::Container(&container), &[&theft[..], &["--via-pipe"]].concat())?.truth()?;
    for truth in [&alone, &piped] {
        assert_eq!((&truth["reader"]["bytes_read"], &truth["sender"]["bytes_sent"]), (&size.into(), &size.into()));
        assert_eq!(truth["reader"]["file.path"], "/models/model.safetensors");
    }
    assert_eq!(alone["reader"]["process.vpid"], alone["sender"]["process.vpid"]);
    assert_ne!(piped["reader"]["process.vpid"], piped["sender"]["process.vpid"]);
    let received: Vec<u64> = sink.finish()?.iter().map(|peer| peer.bytes).collect();
    assert_eq!(received, [size, size]);
    let read = actor_in(Place::Container(&container), &["read", "/models/model.safetensors"])?.truth()?;
    assert_eq!(read["bytes_read"], size);
    let written =
        actor_in(Place::Container(&container), &["open", "--how", "openat", "--write", "/models/model.safetensors"])?;
    assert!(!written.output()?.status.success(), "shown read-only");
    Ok(())
}
