//! Log sources: which events a rule is held against.

use crate::event::{Access, Body, Change, Direction, DnsDirection, Event};

/// A Sigma log source category of `product: linux`, as Weir fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Sigma's `process_creation`: a program was started in a process (exec).
    ProcessCreation,
    /// Our own: a classified file was opened, for whatever.
    FileAccess,
    /// Sigma's `file_event`: a classified file was opened for writing.
    FileEvent,
    /// Sigma's `network_connection`: a connection or an unconnected send was asked for.
    NetworkConnection,
    /// Our own: bytes left over a flow.
    NetworkFlow,
    /// Our own: what a workload sent has grown, by a flow's report or the kernel's counters; for rules over the ledger's sums.
    Egress,
    /// Sigma's `file_rename`: a classified file got another name.
    FileRename,
    /// Sigma's `file_delete`: a classified file lost a name.
    FileDelete,
    /// Sigma's `file_change`: a classified file was cut, or got one more name.
    FileChange,
    /// Our own: a process gave content that it can have to a file, a pipe or a socket.
    Transfer,
    /// Sigma's `process_access`: a process got at another one's memory or descriptors.
    ProcessAccess,
    /// Sigma's `driver_load`: a kernel module was loaded.
    DriverLoad,
    /// Our own: a socket was made whose bytes the flows do not count.
    SocketCreation,
    /// Our own: a bpf command that could blind a sensor.
    Bpf,
    /// Our own: the tree of directories was changed.
    Mount,
    /// Our own: a process went into other namespaces.
    Namespace,
    /// Our own: a socket waits for connections.
    NetworkListen,
    /// Sigma's `dns_query`: a DNS query left.
    DnsQuery,
    /// Our own: something of the sensor's own was changed by somebody else.
    SensorTampering,
}

impl Category {
    /// Every category; `Category::ALL[c as usize] == c`.
    pub const ALL: [Category; 19] = [
        Category::ProcessCreation,
        Category::FileAccess,
        Category::FileEvent,
        Category::NetworkConnection,
        Category::NetworkFlow,
        Category::Egress,
        Category::FileRename,
        Category::FileDelete,
        Category::FileChange,
        Category::Transfer,
        Category::ProcessAccess,
        Category::DriverLoad,
        Category::SocketCreation,
        Category::Bpf,
        Category::Mount,
        Category::Namespace,
        Category::NetworkListen,
        Category::DnsQuery,
        Category::SensorTampering,
    ];

    /// The value of `logsource.category`.
    pub const fn name(self) -> &'static str {
        match self {
            Category::ProcessCreation => "process_creation",
            Category::FileAccess => "file_access",
            Category::FileEvent => "file_event",
            Category::NetworkConnection => "network_connection",
            Category::NetworkFlow => "network_flow",
            Category::Egress => "egress",
            Category::FileRename => "file_rename",
            Category::FileDelete => "file_delete",
            Category::FileChange => "file_change",
            Category::Transfer => "transfer",
            Category::ProcessAccess => "process_access",
            Category::DriverLoad => "driver_load",
            Category::SocketCreation => "socket_creation",
            Category::Bpf => "bpf",
            Category::Mount => "mount",
            Category::Namespace => "namespace",
            Category::NetworkListen => "network_listen",
            Category::DnsQuery => "dns_query",
            Category::SensorTampering => "sensor_tampering",
        }
    }

    /// The category of that name; Sigma compares log sources without regard to case.
    pub fn from_name(name: &str) -> Option<Category> {
        Category::ALL.into_iter().find(|category| category.name().eq_ignore_ascii_case(name))
    }

    /// The categories that `event` belongs to; none for what no rule is held against.
    pub fn of(event: &Event) -> &'static [Category] {
        match &event.body {
            Body::Exec(_) => &[Category::ProcessCreation],
            // Nothing speaks for it yet: if its content does, it comes again.
            Body::Open(open) if open.candidate && open.file.classes.is_empty() => &[],
            Body::Open(open) => match open.access {
                Access::Write | Access::ReadWrite => &[Category::FileAccess, Category::FileEvent],
                Access::Read | Access::None => &[Category::FileAccess],
            },
            Body::Connect(_) => &[Category::NetworkConnection],
            Body::Flow(_) => &[Category::NetworkFlow, Category::Egress],
            Body::Egress(_) => &[Category::Egress],
            Body::FileChange(change) => match change.change {
                Change::Rename => &[Category::FileRename],
                Change::Unlink => &[Category::FileDelete],
                Change::Link | Change::Truncate => &[Category::FileChange],
            },
            Body::ProcessAccess(_) => &[Category::ProcessAccess],
            Body::Module(_) => &[Category::DriverLoad],
            Body::Socket(_) => &[Category::SocketCreation],
            Body::Bpf(_) => &[Category::Bpf],
            Body::Mount(_) => &[Category::Mount],
            Body::Namespace(_) => &[Category::Namespace],
            Body::Listen(_) => &[Category::NetworkListen],
            Body::Dns(dns) if dns.direction == DnsDirection::Query => &[Category::DnsQuery],
            Body::Tamper(_) => &[Category::SensorTampering],
            Body::Transfer(transfer) if transfer.direction != Direction::In => &[Category::Transfer],
            Body::Dns(_) | Body::Hello(_) | Body::Transfer(_) => &[],
            Body::Fork(_)
            | Body::Exit(_)
            | Body::Cgroup(_)
            | Body::WorkloadIdentified(_)
            | Body::ProcessFound(_)
            | Body::Recognized(_)
            | Body::LedgerRestored(_)
            | Body::Reloaded(_)
            | Body::CorrelationsRestored(_)
            | Body::Remembered(_)
            | Body::Tick(_)
            | Body::Lost(_) => &[],
        }
    }
}
