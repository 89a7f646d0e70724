//! What a file is worth: classes, as sets of bits that fit a kernel map's value.

use serde::{Deserialize, Serialize};

/// A kind of content that rules care about. Which names, directories and contents belong to it, `rules/classes.yml` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Class {
    /// Model weights, adapters and checkpoints included.
    Weights = 1 << 0,
    /// Training and evaluation data.
    Dataset = 1 << 1,
    /// Credentials, tokens and keys.
    Secret = 1 << 2,
    /// Code that an interpreter runs unasked when it starts (`.pth`, `sitecustomize.py`).
    StartupCode = 1 << 3,
    /// Devices by which bytes leave, or storage is read, past every socket: nobody counts them (RDMA verbs, GPUDirect Storage).
    UncountedPath = 1 << 4,
    /// What says afterwards what was done: logs of the system, histories of shells.
    Log = 1 << 5,
    /// Files by which the kernel is told what to run on the host, whoever writes them (`core_pattern`, `release_agent`).
    HostControl = 1 << 6,
    /// Files by which something is started again, or somebody let in again (cron, units, `.bashrc`, `authorized_keys`).
    Persistence = 1 << 7,
    /// What an installer of packages writes for each package that it installs (`RECORD`).
    PackageRecord = 1 << 8,
    /// Devices by which GPUs are used.
    Gpu = 1 << 9,
    /// Environments of processes in a proc file system, where secrets are passed.
    ProcessEnvironment = 1 << 10,
    /// Whatever else a loaded rule asks for by name or place. Not in `classes.yml`: it comes from the rules' conditions. Nobody holds it.
    Watched = 1 << 20,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 12] = [
        Class::Weights,
        Class::Dataset,
        Class::Secret,
        Class::StartupCode,
        Class::UncountedPath,
        Class::Log,
        Class::HostControl,
        Class::Persistence,
        Class::PackageRecord,
        Class::Gpu,
        Class::ProcessEnvironment,
        Class::Watched,
    ];

    /// The name in rules, `classes.yml` and output.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Weights => "weights",
            Class::Dataset => "dataset",
            Class::Secret => "secret",
            Class::StartupCode => "startup_code",
            Class::UncountedPath => "uncounted_path",
            Class::Log => "log",
            Class::HostControl => "host_control",
            Class::Persistence => "persistence",
            Class::PackageRecord => "package_record",
            Class::Gpu => "gpu",
            Class::ProcessEnvironment => "process_environment",
            Class::Watched => "watched",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// A set of [`Class`]es. Bits that mean none are kept but never shown: a newer agent's pinned map may have set them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Classes(pub u32);

impl Classes {
    /// Whether `class` is in it.
    pub const fn contains(self, class: Class) -> bool {
        self.0 & class as u32 != 0
    }

    /// This set and `class`.
    #[must_use]
    pub const fn with(self, class: Class) -> Classes {
        Classes(self.0 | class as u32)
    }

    /// This set without `class`.
    #[must_use]
    pub const fn without(self, class: Class) -> Classes {
        Classes(self.0 & !(class as u32))
    }

    /// Whether the file is of no worth: in no class, or seen only because a rule asks for it.
    pub const fn is_worthless(self) -> bool {
        self.without(Class::Watched).is_empty()
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The classes in it.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.contains(*class))
    }
}
