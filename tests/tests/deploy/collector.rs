//! deploy/collector: each configuration loses nothing by its shape, and runs.
//!
//! The collector at hand (`WEIR_TEST_OTELCOL`) has few exporters. What it lacks is replaced by `otlphttp` to a stand-in for the store; the
//! rest of the file is run as it is. The settings of the replaced exporters are not proved here.

use super::http::{Store, post};
use super::{Outcome, files, place};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::scene::Directory;
use tests::skip;
use tests::wait::{PATIENCE, scaled};
use yaml_serde::{Mapping, Value};

/// Exporters that every distribution has.
const EVERYWHERE: [&str; 2] = ["otlp", "otlphttp"];
/// An OTLP request a signal, as small as they can be.
const LOGS: &str = r#"{"resourceLogs":[{"scopeLogs":[{"scope":{"name":"weir"},"logRecords":[{"severityNumber":17,
    "body":{"stringValue":"weights left"},"attributes":[{"key":"log.record.uid","value":{"stringValue":"u/0"}}]}]}]}]}"#;
const TRACES: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
    "spanId":"eee19b7ec3c1b174","name":"incident","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
const METRICS: &str = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"weir.heartbeat",
    "gauge":{"dataPoints":[{"asDouble":1,"timeUnixNano":"1"}]}}]}]}]}"#;

pub fn read(path: &Path) -> Result<Value, Box<dyn Error>> {
    Ok(yaml_serde::from_str(&fs::read_to_string(path)?)?)
}

fn section<'a>(configuration: &'a Value, name: &str) -> Result<&'a Mapping, String> {
    configuration.get(name).and_then(Value::as_mapping).ok_or_else(|| format!("no {name}"))
}

fn names(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_sequence).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `otlphttp` of `otlphttp/loki`.
fn kind(component: &str) -> &str {
    component.split_once('/').map_or(component, |(kind, _)| kind)
}

/// Whether an exporter's queue is on a disk: written and synced before the answer, kept until the store has it, and refusing when full.
fn is_on_disk(configuration: &Value, exporter: &Value) -> bool {
    let queue = exporter.get("sending_queue");
    let Some(storage) = queue.and_then(|queue| queue.get("storage")).and_then(Value::as_str) else { return false };
    let extension = configuration.get("extensions").and_then(|extensions| extensions.get(storage));
    let synced = extension.and_then(|extension| extension.get("fsync")).and_then(Value::as_bool) == Some(true);
    let service = configuration.get("service");
    let used = names(service.and_then(|service| service.get("extensions"))).contains(&storage);
    let retries = exporter.get("retry_on_failure").and_then(|retry| retry.get("max_elapsed_time"));
    let refuses = queue.and_then(|queue| queue.get("block_on_overflow")).and_then(Value::as_bool) == Some(false);
    kind(storage) == "file_storage" && synced && used && retries.and_then(Value::as_u64) == Some(0) && refuses
}

#[test]
fn what_is_acknowledged_is_in_the_store() -> Outcome {
    for path in files("deploy/collector", "yaml")? {
        let at = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let configuration = read(&path)?;
        let exporters = section(&configuration, "exporters")?;
        let pipelines = configuration.get("service").ok_or("no service")?;
        let pipelines = section(pipelines, "pipelines")?;
        assert!(pipelines.contains_key("logs"), "{at}: alerts are logs");
        let mut used = BTreeSet::new();
        for (signal, pipeline) in pipelines.iter().filter_map(|(name, pipeline)| Some((name.as_str()?, pipeline))) {
            for part in ["receivers", "processors", "exporters"] {
                let defined = section(&configuration, part)?;
                for name in names(pipeline.get(part)) {
                    assert!(defined.contains_key(name), "{at}: {signal} names {name}, which is not in {part}");
                    used.insert(format!("{part}/{name}"));
                }
            }
            assert_eq!(
                names(pipeline.get("processors")),
                ["memory_limiter"],
                "{at}: {signal}: a batch acknowledges too early"
            );
            for name in names(pipeline.get("exporters")).into_iter().filter(|_| signal != "metrics") {
                let exporter = exporters.get(name).ok_or("it is there")?;
                let off =
                    |setting: &str| exporter.get(setting).and_then(|it| it.get("enabled")).and_then(Value::as_bool);
                // `file` has neither.
                let direct = kind(name) == "file" || off("sending_queue") == Some(false);
                assert!(direct || is_on_disk(&configuration, exporter), "{at}: {name} has a queue in memory");
            }
        }
        for part in ["receivers", "processors", "exporters"] {
            for name in section(&configuration, part)?.keys().filter_map(Value::as_str) {
                assert!(used.contains(&format!("{part}/{name}")), "{at}: nothing uses {name}");
            }
        }
        let text = fs::read_to_string(&path)?;
        let head: String = text.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n");
        for word in ["Needs: ", "Change: "] {
            assert!(head.contains(word), "{at}: {word:?} is not said at the top");
        }
        for name in text.split("${env:").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name) {
            assert!(head.contains(name), "{at}: {name} is not said at the top");
        }
    }
    Ok(())
}

#[test]
fn each_hands_on_and_refuses_while_the_store_is_away() -> Outcome {
    let Some(program) = program() else {
        skip::say("WEIR_TEST_OTELCOL names no OpenTelemetry Collector: the configurations are not run");
        return Ok(());
    };
    // What has a queue does not refuse: `gateway` runs it.
    for path in files("deploy/collector", "yaml")?.into_iter().filter(|path| !path.ends_with("gateway.yaml")) {
        run(&program, &path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The collector at hand.
pub fn program() -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os("WEIR_TEST_OTELCOL")?);
    // Of a repository's test run: relative to the repository.
    Some(if program.is_relative() { place("").join(program) } else { program })
}

fn run(program: &Path, path: &Path) -> Outcome {
    let store = Store::start()?;
    let directory = Directory::new()?;
    let mut configuration = read(path)?;
    let url = format!("http://{}", store.address);
    let away = replace(&mut configuration, &url)?;
    let file = directory.path().join("configuration.yaml");
    fs::write(&file, yaml_serde::to_string(&configuration)?)?;
    // Tempo is asked by gRPC; another collector stands in for it.
    let tempo = Collector::start(program, &tempo(&directory, &url)?, &[])?;
    let endpoint = tempo.grpc.to_string();
    let variables = [("LOKI_URL", &*url), ("PROMETHEUS_URL", &url), ("TEMPO_ENDPOINT", &endpoint)];
    let collector = Collector::start(program, &file, &variables)?;
    let pipelines = configuration.get("service").and_then(|service| service.get("pipelines")).ok_or("no pipelines")?;
    for (signal, body) in [("logs", LOGS), ("traces", TRACES)] {
        if pipelines.get(signal).is_none() {
            continue;
        }
        let path = format!("/v1/{signal}");
        let before = store.accepted().len();
        assert_eq!(post(collector.http, &path, body)?, 200, "{signal}");
        let accepted = store.accepted();
        assert_eq!(accepted.len(), before + 1, "{signal}: what was acknowledged is in the store: {accepted:?}");
        assert!(accepted.last().is_some_and(|last| last.ends_with(&path)), "{accepted:?}");
        store.answer_with(503);
        let status = post(collector.http, &path, body)?;
        assert!((500..600).contains(&status), "{signal}: {status} while the store is away");
        store.answer_with(200);
        assert_eq!(post(collector.http, &path, body)?, 200, "{signal}, again");
    }
    if pipelines.get("metrics").is_some() {
        assert_eq!(post(collector.http, "/v1/metrics", METRICS)?, 200);
        wait("the metrics in the store", || store.accepted().iter().any(|path| path.ends_with("/v1/metrics")))?;
    }
    if !away {
        // Run as it is: then these are the store's own paths.
        let accepted: BTreeSet<String> = store.accepted().into_iter().collect();
        assert_eq!(accepted, ["/api/v1/otlp/v1/metrics", "/otlp/v1/logs", "/v1/traces"].map(String::from).into());
    }
    Ok(())
}

/// Puts `otlphttp` to the store in the place of exporters that the collector at hand does not have; whether there was one.
pub fn replace(configuration: &mut Value, store: &str) -> Result<bool, Box<dyn Error>> {
    let mut replaced = false;
    let pipelines = configuration.get("service").and_then(|service| service.get("pipelines")).cloned();
    let exporters = configuration.get_mut("exporters").and_then(Value::as_mapping_mut).ok_or("no exporters")?;
    let foreign: Vec<String> = exporters.keys().filter_map(Value::as_str).map(str::to_owned).collect();
    let mut text = yaml_serde::to_string(&pipelines)?;
    for name in foreign.into_iter().filter(|name| !EVERYWHERE.contains(&kind(name))) {
        let old = exporters.remove(&*name).ok_or("it is there")?;
        let stand_in = format!("otlphttp/{}", name.replace('/', "-"));
        let mut new = Mapping::new();
        new.insert("endpoint".into(), store.into());
        for setting in ["sending_queue", "retry_on_failure"] {
            // What the exporter does not have, or what is left to it, passes straight through: `file`, and the bulk requests of Elasticsearch.
            let mut off = Mapping::new();
            off.insert("enabled".into(), false.into());
            new.insert(setting.into(), old.get(setting).cloned().unwrap_or(off.into()));
        }
        exporters.insert(stand_in.clone().into(), new.into());
        text = text
            .lines()
            .map(|line| if line.trim() == format!("- {name}") { line.replace(&name, &stand_in) } else { line.into() })
            .collect::<Vec<_>>()
            .join("\n");
        replaced = true;
    }
    let service = configuration.get_mut("service").and_then(Value::as_mapping_mut).ok_or("no service")?;
    service.insert("pipelines".into(), yaml_serde::from_str(&text)?);
    Ok(replaced)
}

fn tempo(directory: &Directory, store: &str) -> Result<PathBuf, Box<dyn Error>> {
    let mut configuration = read(&place("deploy/collector/file.yaml"))?;
    replace(&mut configuration, store)?;
    let file = directory.path().join("tempo.yaml");
    fs::write(&file, yaml_serde::to_string(&configuration)?)?;
    Ok(file)
}

/// A collector that runs; ended with this.
pub struct Collector {
    child: Child,
    pub grpc: SocketAddr,
    http: SocketAddr,
}

impl Collector {
    /// Of a configuration, with the variables that it names.
    pub fn start(program: &Path, file: &Path, variables: &[(&str, &str)]) -> Result<Collector, Box<dyn Error>> {
        let (grpc, http) = (free()?, free()?);
        let set = |protocol: &str, address| format!("--set=receivers.otlp.protocols.{protocol}.endpoint={address}");
        let log = file.with_extension("log");
        let child = Command::new(program)
            .arg(format!("--config={}", file.display()))
            .args([set("grpc", grpc), set("http", http)])
            .arg("--set=service.telemetry.metrics.level=none")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut collector = Collector { child, grpc, http };
        let mut ended = None;
        let listens = wait("the collector", || {
            ended = collector.child.try_wait().ok().flatten();
            ended.is_some() || [grpc, http].into_iter().all(|address| TcpStream::connect(address).is_ok())
        });
        match (listens, ended) {
            (Ok(()), None) => Ok(collector),
            _ => Err(format!("it does not run: {}", fs::read_to_string(log)?).into()),
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on which nobody listens now.
pub fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn wait(what: &str, mut enough: impl FnMut() -> bool) -> Outcome {
    let end = Instant::now() + scaled(PATIENCE);
    while !enough() {
        if Instant::now() > end {
            return Err(format!("{what}: not within {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
