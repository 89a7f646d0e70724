//! What `weir run` and `weir events` have in common: how the sensor is to watch.

use crate::agent::Settings;
use crate::agent::runtime::Sockets;
use crate::agent::runtime::kube::{self, KubeError};
use crate::agent::sweep::IDLE;
use crate::delivery::{ConsoleFormat, otlp, spool};
use crate::detection::Options;
use crate::kernel::Hooks;
use clap::Args;
use clap::builder::FalseyValueParser;
use std::io::IsTerminal;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
pub struct Sensor {
    /// Watch only what runs in this cgroup and below it (its path below the cgroup v2 root, or a directory)
    #[arg(long, value_name = "PATH")]
    cgroup: Option<PathBuf>,

    /// What files are worth something: replaces the built-in classes.yml
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,

    /// What is declared for which workload (`weir policy check`); /etc/weir/policy.yml is used if it is there
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Size of the ring buffer between kernel and agent, MiB (a power of two)
    #[arg(long, value_name = "MIB", default_value_t = 4, value_parser = ring_size)]
    ring_size: u32,

    /// Report a flow again when it has sent this many bytes, and then at each doubling
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024)]
    flow_floor: u32,

    /// Most files, pipes and sockets of which the kernel side knows that they carry something; about 80 bytes each
    #[arg(long, value_name = "N", hide = true, default_value_t = sensor_common::label::CARRIERS,
        value_parser = clap::value_parser!(u32).range(16..=1 << 24))]
    carriers: u32,

    /// Of these, one that is gone may be forgotten when nobody has used it for so many seconds
    #[arg(long, value_name = "SECONDS", hide = true, default_value_t = IDLE.as_secs())]
    carrier_idle: u64,

    /// How to write: text for people, JSON lines for programs; alerts as findings of OCSF for a SIEM (text on a terminal, else json)
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<ConsoleFormat>,

    /// Record everything that the sensor sees in this new file, for `weir replay`; only its owner can read it
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// The socket of a container runtime (CRI, Docker, Podman), to be asked who the containers are; more than once for several, or
    /// `none` [default: the known ones that are there]
    #[arg(long, value_name = "PATH", env = "WEIR_RUNTIME_SOCKET", value_delimiter = ',')]
    runtime_socket: Vec<PathBuf>,

    /// Ask the API server of Kubernetes for the pods of this node, which NODE_NAME names: owners, labels as they are now, service accounts.
    /// It is found by KUBECONFIG, else by the pod's service account, which needs get, list and watch of pods
    #[arg(long, env = "WEIR_KUBE", value_parser = FalseyValueParser::new())]
    kube: bool,

    /// At the end, say what became of every event in the kernel: sent, filtered and why, dropped and why
    #[arg(long)]
    statistics: bool,

    /// Which kernel hooks to use: auto (the best that works), trampoline or portable; for one concern open=portable and the like
    #[arg(long, value_name = "[CONCERN=]FAMILY", env = "WEIR_HOOKS", value_delimiter = ',', default_value = "auto")]
    hooks: Vec<Hooks>,

    /// Log what the kernel programs have to say about themselves, from this level on
    #[arg(long, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    kernel_log: Option<String>,

    /// For debugging: keep the capabilities and system calls that the sensor otherwise gives up once the programs are attached
    #[arg(long)]
    keep_privileges: bool,

    /// Write a line to this descriptor once everything is attached
    #[arg(long, value_name = "N", hide = true)]
    notify_fd: Option<RawFd>,
}

fn ring_size(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(size) if size.is_power_of_two() && size <= 1024 => Ok(size),
        _ => Err("a power of two from 1 to 1024 is needed".into()),
    }
}

impl Sensor {
    pub fn format(&self) -> ConsoleFormat {
        let default = if std::io::stdout().is_terminal() { ConsoleFormat::Text } else { ConsoleFormat::Json };
        self.format.unwrap_or(default)
    }

    /// As the command line says.
    pub fn settings(self, rules: Vec<PathBuf>) -> Result<Settings, KubeError> {
        let kube = self.kube.then(|| kube::Settings::new(|name| std::env::var(name).ok())).transpose()?;
        Ok(Settings {
            cgroup: self.cgroup,
            classes: self.classes,
            policy: self.policy,
            rules,
            rule_options: Options::default(),
            ring_bytes: self.ring_size << 20,
            carriers: self.carriers,
            carrier_idle: Duration::from_secs(self.carrier_idle),
            flow_floor: self.flow_floor,
            statistics: self.statistics,
            hooks: self.hooks.iter().fold(Hooks::default(), Hooks::with),
            kernel_log: self.kernel_log,
            pin: None,
            state: None,
            coverage: None,
            otlp: otlp::Settings::default(),
            export_events: false,
            spool: spool::Limits::default(),
            control: None,
            record: self.record,
            runtimes: Sockets::named(&self.runtime_socket),
            kube,
            evidence: None,
            keep_privileges: self.keep_privileges,
            notify: self.notify_fd,
        })
    }
}
