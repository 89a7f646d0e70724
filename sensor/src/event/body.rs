//! The kinds of event, each with what is particular to it.

use super::correlations::CorrelationsRestored;
use super::egress::EgressGrown;
use super::file::{Change, File, FileChange, Open};
use super::ledger::LedgerRestored;
use super::names::{Dns, Hello};
use super::recognized::Recognized;
use super::remembered::Remembered;
use super::system::{Bpf, Module, Mount, Namespace, ProcessAccess, SocketMade, Tamper};
use super::transfer::{Label, Transfer};
use super::workload::WorkloadIdentified;
use super::{BootTime, CgroupKey, FlowReason, Kind, ProcessKey, Stream, serial};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A program was started in a process.
    Exec(Exec),
    /// A process was created.
    Fork(Fork),
    /// A process ended.
    Exit(Exit),
    /// A file was opened.
    Open(Open),
    /// A connection or an unconnected send was asked for.
    Connect(Connect),
    /// Bytes left over a flow.
    Flow(Flow),
    /// The kernel's own count of what a workload sent has grown.
    Egress(EgressGrown),
    /// What the egress ledger had come to before the agent started.
    LedgerRestored(Box<LedgerRestored>),
    /// What the correlations had seen before the agent started.
    CorrelationsRestored(Box<CorrelationsRestored>),
    /// What is remembered of an event from before the agent started: only ever evidence, never on the line.
    Remembered(Box<Remembered>),
    /// A cgroup was made, or found when the sensor started.
    Cgroup(Cgroup),
    /// A runtime has said what a container is.
    WorkloadIdentified(WorkloadIdentified),
    /// A file or a name of it was changed.
    FileChange(FileChange),
    /// A socket was made whose bytes the flows do not count.
    Socket(SocketMade),
    /// A process got at another one's memory or descriptors.
    ProcessAccess(ProcessAccess),
    /// A bpf command that could blind a sensor.
    Bpf(Bpf),
    /// A kernel module was loaded.
    Module(Module),
    /// The tree of directories was changed.
    Mount(Mount),
    /// A process went into other namespaces.
    Namespace(Namespace),
    /// Classified content went from a process to what carries it, or from there to a process.
    Transfer(Transfer),
    /// A DNS message left or arrived.
    Dns(Dns),
    /// A flow began with what may be a ClientHello.
    Hello(Hello),
    /// A socket waits for connections.
    Listen(Listen),
    /// Something of the sensor's own was changed by somebody else.
    Tamper(Tamper),
    /// A process that was there before the sensor, or that it missed, found in `/proc`.
    ProcessFound(ProcessFound),
    /// The agent looked into a file.
    Recognized(Recognized),
    /// Other rules and classes are in effect.
    Reloaded(Box<Reloaded>),
    /// Time has passed, and something was due.
    Tick(Tick),
    /// Events were lost.
    Lost(Lost),
}

impl Body {
    /// The name of the kind (`weir.event.kind`): on the command line, in output, in metrics.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Body::Exec(_) => Kind::Exec.name(),
            Body::Fork(_) => Kind::Fork.name(),
            Body::Exit(_) => Kind::Exit.name(),
            Body::Open(_) => Kind::Open.name(),
            Body::Connect(_) => Kind::Connect.name(),
            Body::Flow(_) => Kind::Flow.name(),
            Body::Egress(_) => "egress",
            Body::LedgerRestored(_) => "ledger_restored",
            Body::CorrelationsRestored(_) => "correlations_restored",
            Body::Remembered(_) => "remembered",
            Body::Cgroup(_) => Kind::Cgroup.name(),
            Body::WorkloadIdentified(_) => "workload_identified",
            Body::FileChange(change) => match change.change {
                Change::Rename => Kind::Rename.name(),
                Change::Link => Kind::Link.name(),
                Change::Unlink => Kind::Unlink.name(),
                Change::Truncate => Kind::Truncate.name(),
            },
            Body::Socket(_) => Kind::Socket.name(),
            Body::ProcessAccess(_) => Kind::ProcessAccess.name(),
            Body::Bpf(_) => Kind::Bpf.name(),
            Body::Module(_) => Kind::Module.name(),
            Body::Mount(_) => Kind::Mount.name(),
            Body::Namespace(_) => Kind::Namespace.name(),
            Body::Transfer(_) => Kind::Transfer.name(),
            Body::Dns(_) => Kind::Dns.name(),
            Body::Hello(_) => Kind::Hello.name(),
            Body::Listen(_) => Kind::Listen.name(),
            Body::Tamper(_) => "tamper",
            Body::ProcessFound(_) => "process_found",
            Body::Recognized(_) => "recognized",
            Body::Reloaded(_) => "reloaded",
            Body::Tick(_) => "tick",
            Body::Lost(_) => "lost",
        }
    }
}

/// A program was started in a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// The program's file; for a script its interpreter.
    pub file: File,
    /// The parent at that moment.
    pub parent: Option<ProcessKey>,
    /// The arguments, the program's name first. Bytes that are not UTF-8 are written `\xNN`.
    pub args: Box<[Box<str>]>,
    /// Arguments are missing at the end.
    pub args_cut: bool,
    /// The working directory.
    pub working_directory: Box<str>,
    /// What stands behind descriptors 0, 1 and 2 when the program begins.
    #[serde(with = "serial::three", default)]
    pub streams: [Stream; 3],
    /// The program runs with another effective user than its real one.
    #[serde(default)]
    pub setuid: bool,
}

/// A process was created; the actor is its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// The new process.
    pub child: ProcessKey,
    /// Its id in its own pid namespace; 0 if not read.
    pub child_vpid: u32,
}

/// A process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code (`process.exit.code`), if it ended by itself.
    pub code: Option<u32>,
    /// The signal that ended it.
    pub signal: Option<u32>,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// IPPROTO_TCP
    Tcp,
    /// IPPROTO_UDP
    Udp,
    /// Any other of `IPPROTO_*`.
    Other(u16),
}

impl Transport {
    /// Whether nobody asks for a connection of it, as far as the kernel side sees: what raw sockets send (ICMP, any IP protocol) passes
    /// by the hooks of connect and sendmsg. Whoever sends there does so on their own account.
    pub fn is_unasked(self) -> bool {
        matches!(self, Transport::Other(_))
    }

    /// From `IPPROTO_*`.
    pub fn from_protocol(protocol: u16) -> Transport {
        match protocol {
            6 => Transport::Tcp,
            17 => Transport::Udp,
            other => Transport::Other(other),
        }
    }
}

/// The value of the field `network.transport`; numbers for what the convention does not name.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Transport::Tcp => f.write_str("tcp"),
            Transport::Udp => f.write_str("udp"),
            Transport::Other(number) => write!(f, "{number}"),
        }
    }
}

/// From where to where. IPv4-mapped IPv6 addresses are IPv4 here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoints {
    /// Own address; `None` where it was not chosen yet.
    pub local_address: Option<IpAddr>,
    /// Own port; `None` where it was not chosen yet.
    pub local_port: Option<u16>,
    /// Peer's address.
    pub peer_address: IpAddr,
    /// Peer's port; 0 for protocols without.
    pub peer_port: u16,
    /// The protocol.
    pub transport: Transport,
}

/// A connection or an unconnected send was asked for; whether it succeeded is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connect {
    /// From where to where.
    pub endpoints: Endpoints,
    /// The kernel's number of the socket.
    pub socket_cookie: u64,
    /// What the process held then, as the kernel side knew: what it had open included.
    pub label: Label,
}

/// A TCP socket waits for connections; the actor called listen(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// Where; all zero: at every address of its family (one of IPv6 takes IPv4 as well, unless it was told not to).
    pub address: IpAddr,
    /// At which port; `None` where the kernel is still to choose one.
    pub port: Option<u16>,
    /// The kernel's number of the socket; 0 if it has none yet.
    pub socket_cookie: u64,
}

/// Bytes left over a flow; the actor made its socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// From where to where.
    pub endpoints: Endpoints,
    /// The kernel's number of the socket.
    pub socket_cookie: u64,
    /// Payload bytes sent so far.
    pub bytes: u64,
    /// Packets that carried them, before segmentation.
    pub packets: u64,
    /// When its first payload byte left.
    pub first_time: BootTime,
    /// Why it is reported now.
    #[serde(with = "serial")]
    pub reason: FlowReason,
    /// This side asked for the connection, or sent first.
    pub initiated: bool,
    /// The socket is older than the sensor: its owner is unknown or a guess.
    pub owner_guessed: bool,
    /// The bytes are those of several peers of one socket: the flow table was full.
    pub peers_merged: bool,
    /// What the socket's maker, and who gave something to it, held then, as the kernel side knew.
    pub label: Label,
}

/// A cgroup was made, or found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Which one.
    pub key: CgroupKey,
    /// Its path below its hierarchy's root, as in `/proc/PID/cgroup`.
    pub path: Box<str>,
}

/// A process found in `/proc`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessFound {
    /// Which one.
    pub key: ProcessKey,
    /// Its id in its own pid namespace.
    pub vpid: u32,
    /// Inode number of that namespace; 0 if it could not be read.
    pub pid_namespace: u32,
    /// Inode number of its mount namespace; 0 if it could not be read.
    pub mount_namespace: u32,
    /// Its parent's pid; `None` for the first process and kernel threads' parent.
    pub parent_pid: Option<u32>,
    /// `/proc/PID/exe`; empty for kernel threads and where it could not be read.
    pub executable: Box<str>,
    /// `/proc/PID/cmdline`
    pub args: Box<[Box<str>]>,
    /// `/proc/PID/cwd`
    pub working_directory: Box<str>,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Its cgroup v2, or the v1 one that identifies workloads here, with its path.
    pub cgroup: Option<Cgroup>,
}

/// Other rules, lists or classes are in effect, for this event and all after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloaded {
    /// The rule set's version: SHA-256, hexadecimal.
    pub ruleset: Box<str>,
    /// Detections and correlations in it.
    pub rules: u32,
    /// Filters in it.
    pub filters: u32,
    /// The version of the policy, if there is one: SHA-256 of its file, hexadecimal.
    pub policy: Option<Box<str>>,
    /// The version of the classes: SHA-256 of their file and of what rules ask for, hexadecimal.
    pub classes: Box<str>,
}

/// Time has passed, and something was due that nothing else came to call up: the clock of the line, from the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tick {
    /// The agent ends: nothing comes after this, and whatever waits is due.
    pub last: bool,
}

/// Events were lost: a gap in what is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Since when they were lost at the earliest; the event's time is the latest.
    pub since: BootTime,
    /// The kind that was lost ([`Kind::name`]), or `any` where that is not known.
    pub kind: Cow<'static, str>,
    /// Why: a cause of [`sensor_common::count::Outcome`], or of the agent's own.
    pub cause: Cow<'static, str>,
    /// How many.
    pub count: u64,
}
