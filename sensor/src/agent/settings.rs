//! How the sensor is to watch, what it is to show, and why it cannot.

use super::select::Selection;
use super::{runtime, system};
use crate::delivery::health::export::ExportError;
use crate::delivery::outbox::OutboxError;
use crate::delivery::{OutputError, otlp, spool};
use crate::detection::{Options, RulesError};
use crate::evidence::store;
use crate::kernel::{self, Hooks};
use crate::policy::PolicyError;
use crate::provenance::ClassesError;
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

/// How the sensor is to watch.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Watch only this cgroup and below; `None`: everything.
    pub cgroup: Option<PathBuf>,
    /// Another `classes.yml`.
    pub classes: Option<PathBuf>,
    /// What is declared; `None`: what [`crate::policy::FILE`] says, if it is there.
    pub policy: Option<PathBuf>,
    /// Rules beside the built-in ones.
    pub rules: Vec<PathBuf>,
    /// How these are read.
    pub rule_options: Options,
    /// Size of the ring buffer, bytes.
    pub ring_bytes: u32,
    /// Most things that carry something of which the kernel side knows.
    pub carriers: u32,
    /// What nobody used for so long is taken out when it is gone and there is little room.
    pub carrier_idle: Duration,
    /// A flow's bytes before its second report.
    pub flow_floor: u32,
    /// Say at the end what became of every event.
    pub statistics: bool,
    /// Which families of hooks may be used.
    pub hooks: Hooks,
    /// From which level on the kernel programs' own diagnostics are logged; `None`: off.
    pub kernel_log: Option<String>,
    /// Where programs stay when the agent ends, for the next one; `None`: they are taken off.
    pub pin: Option<PathBuf>,
    /// Where what has left and what was seen is kept over restarts; `None`: nowhere.
    pub state: Option<PathBuf>,
    /// A coverage record at the start, every so long, and at the end; `None`: none.
    pub coverage: Option<Duration>,
    /// Where alerts and metrics are sent.
    pub otlp: otlp::Settings,
    /// All events are sent as well.
    pub export_events: bool,
    /// What the spool may take; it is in `state`.
    pub spool: spool::Limits,
    /// The socket that `weir status` asks; `None`: in `state`, if there is one.
    pub control: Option<PathBuf>,
    /// A file to record everything in that goes into the line.
    pub record: Option<PathBuf>,
    /// Which container runtimes are asked who the containers are.
    pub runtimes: runtime::Sockets,
    /// Whose pods the API server is asked for; `None`: it is not asked.
    pub kube: Option<runtime::kube::Settings>,
    /// Where everything that the line sees and tells is kept, and how much of it; `None`: nowhere.
    pub evidence: Option<store::Settings>,
    /// Give up no privileges after the start.
    pub keep_privileges: bool,
    /// A descriptor to say on that everything is attached.
    pub notify: Option<RawFd>,
}

/// What to show.
pub enum Show {
    /// What the rules find.
    Alerts,
    /// What happens.
    Events(Selection),
}

/// Why the agent could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum AgentError {
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Classes(#[from] ClassesError),
    #[error(transparent)]
    System(#[from] system::SystemError),
    #[error(transparent)]
    Load(#[from] kernel::LoadError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot record in {} ({source}): give a new file in a directory that weir can write", .path.display())]
    Record { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(
        "alerts are to be sent, and there is no directory to keep them in until they have arrived: name one with --state-dir"
    )]
    NoSpool,
    #[error("cannot wait for events: {0}; this is the system's refusal, restart the sensor when it has recovered")]
    Runtime(#[from] io::Error),
}
