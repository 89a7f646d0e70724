//! Log sources: which events a rule is held against.

use crate::event::{Access, Body, Event};

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
}

impl Category {
    /// Every category; `Category::ALL[c as usize] == c`.
    pub const ALL: [Category; 5] = [
        Category::ProcessCreation,
        Category::FileAccess,
        Category::FileEvent,
        Category::NetworkConnection,
        Category::NetworkFlow,
    ];

    /// The value of `logsource.category`.
    pub const fn name(self) -> &'static str {
        match self {
            Category::ProcessCreation => "process_creation",
            Category::FileAccess => "file_access",
            Category::FileEvent => "file_event",
            Category::NetworkConnection => "network_connection",
            Category::NetworkFlow => "network_flow",
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
            Body::Open(open) => match open.access {
                Access::Write | Access::ReadWrite => &[Category::FileAccess, Category::FileEvent],
                Access::Read | Access::None => &[Category::FileAccess],
            },
            Body::Connect(_) => &[Category::NetworkConnection],
            Body::Flow(_) => &[Category::NetworkFlow],
            Body::Fork(_) | Body::Exit(_) | Body::Cgroup(_) | Body::ProcessFound(_) | Body::Lost(_) => &[],
        }
    }
}
