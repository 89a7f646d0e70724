//! Which events to show.

use crate::event::{Body, Event};

/// The kinds by which events can be chosen ([`crate::event::Body::kind_name`]).
pub const KINDS: [&str; 31] = [
    "exec",
    "fork",
    "exit",
    "open",
    "rename",
    "link",
    "unlink",
    "truncate",
    "connect",
    "flow",
    "egress",
    "socket",
    "process_access",
    "bpf",
    "module",
    "mount",
    "namespace",
    "transfer",
    "dns",
    "hello",
    "listen",
    "cgroup",
    "workload_identified",
    "process_found",
    "ledger_restored",
    "correlations_restored",
    "tamper",
    "recognized",
    "reloaded",
    "tick",
    "lost",
];

/// Which events to show. An empty list takes everything.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Kinds, of [`KINDS`].
    pub kinds: Vec<String>,
    /// Process ids, in the initial pid namespace.
    pub pids: Vec<u32>,
    /// How container ids begin.
    pub containers: Vec<String>,
    /// How many to show.
    pub count: Option<u64>,
}

impl Selection {
    /// Whether `event` is to be shown. What was lost always is: it could have been any.
    pub fn takes(&self, event: &Event) -> bool {
        let kind = event.body.kind_name();
        if kind == "lost" {
            return true;
        }
        let is_wanted = |kind: &str| self.kinds.iter().any(|wanted| wanted == kind);
        if !says_something(event) && !is_wanted("recognized") {
            return false;
        }
        let context = ["process_found", "egress", "ledger_restored", "correlations_restored", "tick"];
        if self.kinds.is_empty() && context.contains(&kind) {
            // What was there before is context, not something that happens; what counters say, flows have said; and time passes.
            return false;
        }
        let pid = event.actor.process.map(|process| process.pid);
        let container = event.workload.as_deref().and_then(|workload| workload.container_id.as_deref());
        (self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind))
            && (self.pids.is_empty() || pid.is_some_and(|pid| self.pids.contains(&pid)))
            && (self.containers.is_empty()
                || container.is_some_and(|id| self.containers.iter().any(|start| id.starts_with(&**start))))
    }
}

/// Opens that are only for a look, and looks that found nothing, are no news: the one comes again if the other finds something.
/// Whoever asks for the kind `recognized` sees both.
fn says_something(event: &Event) -> bool {
    match &event.body {
        Body::Open(open) => !(open.candidate && open.file.classes.is_empty()),
        Body::Recognized(recognized) => !recognized.file.classes.is_empty(),
        _ => true,
    }
}
