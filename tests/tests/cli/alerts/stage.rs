//! A sensor, and a container in which deeds are done.

use serde_json::Value;
use std::cell::Cell;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};
use tests::scene::{Bind, Container, Directory, Network, Spec};
use tests::sensor::{Event, Sensor};
use tests::sink::{Sink, Transport};
use tests::wait::PATIENCE;
use tests::{Place, Running, actor_in, skip, weights};

pub type Outcome = Result<(), Box<dyn Error>>;

/// The weights file as the container sees it.
pub const MODEL: &str = "/models/llama/model.safetensors";
/// MiB. More than the theft rule's floor for one flow, and not a power of two.
const MODEL_SIZE: u64 = 5;
/// How long matches wait to be in order; rules/README.md says it.
const ORDERED: Duration = Duration::from_millis(50);
/// The directory of the service account's token, as kubelet mounts it.
pub const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Where deeds are done and seen.
pub struct Stage {
    pub sensor: Sensor,
    pub network: Network,
    pub container: Container,
    /// What kubelet calls the directory behind `..data`.
    pub version: &'static str,
    sentinels: Cell<u32>,
    _files: Directory,
}

/// One alert.
#[derive(Clone, Debug)]
pub struct Alert(Event);

impl Alert {
    /// An attribute: of the alert, or of the event that decided it.
    pub fn get(&self, name: &str) -> &Value {
        self.0.field("attributes").and_then(|all| all.get(name)).unwrap_or(&Value::Null)
    }

    /// An attribute of the first event that proves it.
    pub fn first(&self, name: &str) -> &Value {
        let first = self.0.field("evidence").and_then(|evidence| evidence.get(0)?.get("attributes")?.get(name));
        first.unwrap_or(&Value::Null)
    }

    /// A list of all that is known of an incident.
    pub fn whole(&self, name: &str) -> Vec<Value> {
        self.0.field("incident").and_then(|all| all.get(name)?.as_array().cloned()).unwrap_or_default()
    }

    pub fn rule(&self) -> &str {
        self.get("weir.rule.name").as_str().unwrap_or_default()
    }

    pub fn sentence(&self) -> &str {
        self.0.text("body").unwrap_or_default()
    }

    pub fn revision(&self) -> Option<u64> {
        self.get("weir.alert.revision").as_u64()
    }

    fn is_medium_or_above(&self) -> bool {
        ["medium", "high", "critical"].map(Value::from).contains(self.get("weir.rule.level"))
    }
}

impl Stage {
    /// Sets it; nothing if that takes root and this is not.
    pub fn set() -> Result<Option<Stage>, Box<dyn Error>> {
        Stage::set_with(&["run"])
    }

    /// The same, with a sensor that is started so.
    pub fn set_with(sensor: &[&str]) -> Result<Option<Stage>, Box<dyn Error>> {
        Stage::set_by(|| Sensor::start(sensor))
    }

    /// The same, with a sensor that somebody else starts when it is time.
    pub fn set_by(sensor: impl FnOnce() -> io::Result<Sensor>) -> Result<Option<Stage>, Box<dyn Error>> {
        if skip::unless_root("deeds in a container") {
            return Ok(None);
        }
        let files = Directory::new()?;
        let model = files.path().join("models/llama/model.safetensors");
        fs::create_dir_all(model.parent().ok_or("no directory")?)?;
        weights::safetensors(&model, MODEL_SIZE, 7)?;
        // As kubelet's atomic writer lays a projected volume out.
        let version = "..2026_08_01_12_00_00.1234567890";
        let account = files.path().join("account");
        fs::create_dir_all(account.join(version))?;
        for name in ["token", "namespace", "ca.crt"] {
            fs::write(account.join(version).join(name), "no secret\n")?;
            symlink(format!("..data/{name}"), account.join(name))?;
        }
        symlink(version, account.join("..data"))?;

        let network = Network::new()?;
        let bind = |source: &str, target: &str| Bind {
            source: files.path().join(source),
            target: target.into(),
            read_only: true,
        };
        let binds = vec![bind("models", "/models"), bind("account", ACCOUNT)];
        let sensor = sensor()?;
        // An overlay, as containers have: programs in a root that is in memory would be programs from memory.
        let container =
            Container::start(&Spec { binds, network: Some(&network.inside), overlay: true, ..Spec::default() })?;
        Ok(Some(Stage { sensor, network, container, version, sentinels: Cell::new(0), _files: files }))
    }

    /// A sink in the world outside, and where it listens.
    pub fn sink(&self) -> Result<(Sink, String), Box<dyn Error>> {
        let sink = Sink::start(&self.network.outside_addresses(), Some(&self.network.outside))?;
        let to = sink.address(Transport::Tcp, Network::OUTSIDE_V4.into())?.to_string();
        Ok((sink, to))
    }

    /// An actor's deed in the container, and its truth.
    pub fn act(&self, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
        Ok(self.begin(arguments)?.truth()?)
    }

    /// The same, without waiting for its end.
    pub fn begin(&self, arguments: &[&str]) -> std::io::Result<Running> {
        actor_in(Place::Container(&self.container), arguments)
    }

    /// Runs a program in the container to its end, which has to be a good one.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Outcome {
        let output = Place::Container(&self.container).spawn(OsStr::new(program), arguments)?.output()?;
        if output.status.success() { Ok(()) } else { Err(format!("{program} {arguments:?}: {}", output.status).into()) }
    }

    /// The actor under another name, in the container; its path there.
    pub fn actor_called(&self, path: &str) -> Result<String, Box<dyn Error>> {
        let directory = path.rsplit_once('/').ok_or("no directory")?.0;
        self.run("/bin/mkdir", &["-p", directory])?;
        self.run("/bin/cp", &[Container::ACTOR, path])?;
        Ok(path.to_owned())
    }

    /// Runs the program at `path`, a copy of the actor.
    pub fn act_as(&self, path: &str, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
        Ok(Place::Container(&self.container).spawn(OsStr::new(path), arguments)?.truth()?)
    }

    /// Alerts about the container, after everything that was done there before has been looked at.
    pub fn alerts(&self) -> Result<Vec<Alert>, Box<dyn Error>> {
        // What correlations find is told when what happened before it can no longer come: by an event so much later.
        let begun = Instant::now();
        loop {
            let is_later = begun.elapsed() > ORDERED;
            let alerts = self.alerts_until_now()?;
            if is_later {
                return Ok(alerts);
            }
        }
    }

    fn alerts_until_now(&self) -> Result<Vec<Alert>, Box<dyn Error>> {
        let number = self.sentinels.get();
        self.sentinels.set(number + 1);
        let place = format!("/tmp/sentinel-{number}");
        let secret = format!("{place}/id_ed25519");
        self.run("/bin/mkdir", &[&place])?;
        self.run("/bin/cp", &["/etc/passwd", &secret])?;
        self.run("/bin/cat", &[&secret])?;
        let is_sentinel =
            |alert: &Alert| alert.get("file.path").as_str().is_some_and(|path| path.starts_with("/tmp/sentinel-"));
        let all = self.sensor.wait_until("the alert of the sentinel", PATIENCE, |events| {
            let alerts: Vec<Alert> = events.iter().cloned().map(Alert).filter(|alert| self.is_here(alert)).collect();
            alerts.iter().any(|alert| *alert.get("file.path") == secret).then_some(alerts)
        })?;
        Ok(all.into_iter().filter(|alert| !is_sentinel(alert)).collect())
    }

    fn is_here(&self, alert: &Alert) -> bool {
        *alert.get("container.id") == self.container.id
    }

    /// Records of incidents in the container that have been told so far: all, if the alerts were asked for before.
    pub fn incidents(&self) -> Vec<Alert> {
        let here = format!("container:{}", self.container.id);
        let is_here = |record: &Alert| {
            let workloads = record.get("weir.incident.workloads").as_array();
            workloads.is_some_and(|workloads| workloads.iter().any(|workload| *workload == here))
        };
        self.sensor.events().into_iter().map(Alert).filter(is_here).collect()
    }

    /// The alerts of `rule` about the container, when everything that was done has been looked at.
    pub fn alerts_of(&self, rule: &str) -> Result<Vec<Alert>, Box<dyn Error>> {
        Ok(self.alerts()?.into_iter().filter(|alert| alert.rule() == rule).collect())
    }

    /// The one alert of `rule`.
    pub fn one(&self, rule: &str) -> Result<Alert, Box<dyn Error>> {
        let alerts = self.alerts_of(rule)?;
        match alerts.as_slice() {
            [alert] => Ok(alert.clone()),
            other => Err(format!("one alert of {rule}, not {}: {other:#?}", other.len()).into()),
        }
    }

    /// Asserts that nothing was worth waking anybody.
    pub fn stays_silent(self) -> Outcome {
        let loud: Vec<_> = self.alerts()?.into_iter().filter(Alert::is_medium_or_above).collect();
        assert!(loud.is_empty(), "{:#?}", loud.iter().map(Alert::sentence).collect::<Vec<_>>());
        let incidents = self.incidents();
        assert!(incidents.is_empty(), "{:#?}", incidents.iter().map(Alert::sentence).collect::<Vec<_>>());
        self.strike()
    }

    /// Takes it down, with a look at how the sensor ends.
    pub fn strike(self) -> Outcome {
        let stopped = self.sensor.stop()?;
        assert_eq!(stopped.log, Vec::<String>::new(), "nothing was lost, nothing went wrong");
        Ok(self.container.stop()?)
    }
}
