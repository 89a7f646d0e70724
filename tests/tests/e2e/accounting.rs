//! Performed = sent + filtered + dropped, exactly, also in a storm that is too much.

use rustix::process::{Pid, Signal, kill_process};
use std::error::Error;
use tests::scene::{Bind, Container, Directory, Spec};
use tests::sensor::{Event, Sensor, Stopped};
use tests::{Place, actor_in, skip, weights};

/// A container with a file that is in a class and one that is not; nothing else happens in it.
struct Stage {
    container: Container,
    _models: Directory,
}

const HIT: &str = "/models/model.safetensors";
const MISS: &str = "/models/notes.txt";

impl Stage {
    fn new() -> Result<Stage, Box<dyn Error>> {
        let models = Directory::new()?;
        weights::safetensors(&models.path().join("model.safetensors"), 1, 1)?;
        std::fs::write(models.path().join("notes.txt"), "nothing")?;
        let bind = Bind { source: models.path().into(), target: "/models".into(), read_only: true };
        let container = Container::start(&Spec { binds: vec![bind], ..Spec::default() })?;
        Ok(Stage { container, _models: models })
    }

    /// A sensor that watches the container's cgroup and says at the end what became of every event.
    fn watch(&self, kind: &str, options: &[&str]) -> Result<Sensor, Box<dyn Error>> {
        let cgroup = self.container.cgroup_directories[0].to_string_lossy().into_owned();
        let arguments = ["events", "--kind", kind, "--statistics", "--cgroup", &cgroup];
        Ok(Sensor::start(&[&arguments, options].concat())?)
    }

    fn storm(&self, arguments: &[&str]) -> Result<serde_json::Value, Box<dyn Error>> {
        Ok(actor_in(Place::Container(&self.container), &[&["storm"], arguments].concat())?.truth()?)
    }
}

/// What became of the events of one kind.
#[derive(Clone, Copy, Debug)]
struct Account {
    seen: u64,
    sent: u64,
    unmatched: u64,
    dropped: u64,
    /// Events of the kind that the sensor printed.
    printed: u64,
    /// Drops of the kind that the sensor told of in events.
    told_lost: u64,
}

impl Account {
    /// From what a sensor left; checks that the sums are right.
    fn of(kind: &str, stopped: &Stopped) -> Result<Account, Box<dyn Error>> {
        let statistics = stopped.events.iter().find(|event| event.kind() == "statistics").ok_or("no statistics")?;
        let count = |name: &str| statistics.field(kind).and_then(|kind| kind[name].as_u64()).unwrap_or(u64::MAX);
        let lost = |event: &&Event| event.kind() == "lost" && event.text("weir.lost.kind") == Some(kind);
        let account = Account {
            seen: count("seen"),
            sent: count("sent"),
            unmatched: count("unmatched"),
            dropped: count("ring_full") + count("fault") + count("table_full"),
            printed: stopped.events.iter().filter(|event| event.kind() == kind).count() as u64,
            told_lost: stopped.events.iter().filter(lost).filter_map(|event| event.number("weir.lost.count")).sum(),
        };
        println!("{kind}: {account:?}");
        assert_eq!(count("missed_by_kernel"), 0);
        assert_eq!(account.seen, account.sent + account.unmatched + count("own") + account.dropped, "{account:?}");
        assert_eq!(account.sent, account.printed, "what was sent came out: {account:?}");
        assert_eq!(account.dropped, account.told_lost, "what was dropped was told: {account:?}");
        Ok(account)
    }
}

#[test]
fn an_open_storm_is_accounted_for() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("a container") {
        return Ok(());
    }
    let stage = Stage::new()?;
    let run = |opens: u64| -> Result<Account, Box<dyn Error>> {
        let sensor = stage.watch("open", &[])?;
        let opens = opens.to_string();
        let truth = stage.storm(&["--opens", &opens, "--path", HIT, "--miss", MISS, "--threads", "2"])?;
        assert_eq!(truth["hits"].as_u64(), truth["misses"].as_u64());
        Account::of("open", &sensor.stop()?)
    };
    // The actor's own start opens files too: as many in a short storm as in a long one.
    let (short, long) = (run(2)?, run(200_002)?);
    assert_eq!((short.sent, short.dropped), (1, 0));
    assert_eq!(long.seen - short.seen, 200_000);
    assert_eq!(long.unmatched - short.unmatched, 100_000);
    assert_eq!(long.sent + long.dropped, 100_001);
    Ok(())
}

#[test]
fn what_is_dropped_in_a_storm_is_told_exactly() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("a container") {
        return Ok(());
    }
    const HITS: u64 = 30_000;
    let stage = Stage::new()?;
    let sensor = stage.watch("open", &["--ring-size", "1"])?;
    // A ring of 1 MiB, and an agent that does not read it.
    let agent = Pid::from_raw(i32::try_from(sensor.pid())?).ok_or("no pid")?;
    kill_process(agent, Signal::STOP)?;
    let storm = stage.storm(&["--opens", &HITS.to_string(), "--path", HIT]);
    kill_process(agent, Signal::CONT)?;
    storm?;
    let account = Account::of("open", &sensor.stop()?)?;
    assert!(account.dropped > 0, "the ring was large enough: the test shows nothing");
    assert_eq!(account.sent + account.dropped, HITS);
    Ok(())
}

#[test]
fn an_exec_storm_is_accounted_for() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("a container") {
        return Ok(());
    }
    let stage = Stage::new()?;
    let run = |kind: &str, execs: &str| -> Result<Account, Box<dyn Error>> {
        let sensor = stage.watch(kind, &[])?;
        stage.storm(&["--execs", execs, "--threads", "2"])?;
        Account::of(kind, &sensor.stop()?)
    };
    for kind in ["exec", "fork", "exit"] {
        let (short, long) = (run(kind, "2")?, run(kind, "1002")?);
        assert_eq!(long.seen - short.seen, 1_000, "{kind}");
        assert_eq!(long.sent + long.dropped - short.sent, 1_000, "{kind}");
    }
    Ok(())
}
