//! The list of what the watched do while it is measured, and how often.

/// One thing to measure.
pub struct Load {
    pub name: &'static str,
    pub about: &'static str,
    /// Which loop of the actor.
    pub(super) what: &'static str,
    pub(super) file: File,
    /// How often a batch does it: half a millisecond's worth, so that most batches end before somebody else gets the CPU.
    pub(super) operations: u32,
    pub(super) batches: u32,
    /// Open descriptors; 0: the three that every process has.
    pub(super) descriptors: u32,
    /// Between batches, microseconds: so that the agent keeps up and no event is cheap because it is lost.
    pub(super) pause: u32,
    /// Whether who does it holds weights.
    pub(super) held: bool,
    /// Whether it may run on every CPU, beside the agent.
    pub(super) everywhere: bool,
    /// What it is a load of, if how many a second is asked for.
    pub unit: Option<&'static str>,
    /// Whether nothing of it interests Weir, for which there is an aim.
    pub matches_nothing: bool,
}

impl Load {
    /// Whether who does it holds weights, now or from then on.
    pub fn holds(&self) -> bool {
        self.held || matches!(self.file, File::Weights)
    }
}

/// What of the stage the loop is given.
#[derive(Clone, Copy)]
pub(super) enum File {
    None,
    Plain,
    Weights,
    /// Large, and matches nothing.
    Large,
    /// Large, and matches: for who holds it.
    Model,
    Program,
}

const LOAD: Load = Load {
    name: "",
    about: "",
    what: "",
    file: File::None,
    operations: 1000,
    batches: 100,
    descriptors: 0,
    pause: 0,
    held: false,
    everywhere: false,
    unit: None,
    matches_nothing: false,
};

/// A process with more than 64 descriptors, as servers are.
const MANY: u32 = 1000;

pub const LOADS: &[Load] = &[
    Load { name: "getppid", about: "a system call that opens nothing", what: "getppid", operations: 10_000, ..LOAD },
    Load {
        name: "open-miss",
        about: "an open that matches nothing",
        what: "open",
        file: File::Plain,
        matches_nothing: true,
        ..LOAD
    },
    Load {
        name: "open-many",
        about: "the same with over 64 descriptors",
        what: "open",
        file: File::Plain,
        descriptors: MANY,
        matches_nothing: true,
        ..LOAD
    },
    Load {
        name: "open-close",
        about: "an open that matches nothing, and close",
        what: "open-close",
        file: File::Plain,
        ..LOAD
    },
    Load { name: "open-match", about: "an open that matches", what: "open", file: File::Weights, pause: 2000, ..LOAD },
    Load {
        name: "exec",
        about: "a program, from spawn to reaped",
        what: "exec",
        file: File::Program,
        operations: 5,
        batches: 200,
        ..LOAD
    },
    Load {
        name: "connect-tcp",
        about: "a TCP connection, opened and closed",
        what: "connect-tcp",
        operations: 20,
        batches: 200,
        pause: 200,
        ..LOAD
    },
    Load {
        name: "connect-udp",
        about: "a UDP socket, connected and closed",
        what: "connect-udp",
        operations: 50,
        batches: 200,
        pause: 200,
        ..LOAD
    },
    Load { name: "send", about: "64 KiB sent over TCP", what: "send", operations: 50, ..LOAD },
    Load {
        name: "open-large",
        about: "an open of a large file that matches nothing",
        what: "open",
        file: File::Large,
        pause: 2000,
        ..LOAD
    },
    Load {
        name: "read-file",
        about: "1 KiB read from a file",
        what: "read-file",
        file: File::Plain,
        operations: 640,
        ..LOAD
    },
    Load {
        name: "read-file-held",
        about: "the same by who holds weights",
        what: "read-file",
        file: File::Plain,
        operations: 640,
        held: true,
        ..LOAD
    },
    Load {
        name: "write-file",
        about: "1 KiB written to a file",
        what: "write-file",
        file: File::Plain,
        operations: 640,
        ..LOAD
    },
    Load {
        name: "write-file-held",
        about: "the same by who holds weights",
        what: "write-file",
        file: File::Plain,
        operations: 640,
        held: true,
        ..LOAD
    },
    Load {
        name: "read-pipe",
        about: "1 KiB read from a pipe",
        what: "read-pipe",
        file: File::None,
        operations: 640,
        ..LOAD
    },
    Load {
        name: "read-pipe-held",
        about: "the same by who holds weights",
        what: "read-pipe",
        file: File::None,
        operations: 640,
        held: true,
        ..LOAD
    },
    Load {
        name: "write-pipe",
        about: "1 KiB written to a pipe",
        what: "write-pipe",
        file: File::None,
        operations: 640,
        ..LOAD
    },
    Load {
        name: "write-pipe-held",
        about: "the same by who holds weights",
        what: "write-pipe",
        file: File::None,
        operations: 640,
        held: true,
        ..LOAD
    },
    Load {
        name: "read-unix",
        about: "1 KiB read from a unix socket",
        what: "read-unix",
        file: File::None,
        operations: 640,
        ..LOAD
    },
    Load {
        name: "read-unix-held",
        about: "the same by who holds weights",
        what: "read-unix",
        file: File::None,
        operations: 640,
        held: true,
        ..LOAD
    },
    Load {
        name: "write-unix",
        about: "1 KiB written to a unix socket",
        what: "write-unix",
        file: File::None,
        operations: 640,
        ..LOAD
    },
    Load {
        name: "write-unix-held",
        about: "the same by who holds weights",
        what: "write-unix",
        file: File::None,
        operations: 640,
        held: true,
        ..LOAD
    },
    Load {
        name: "packet-udp",
        about: "a UDP packet of 1000 bytes, out and in",
        what: "packet-udp",
        operations: 160,
        ..LOAD
    },
    Load {
        name: "packet-udp-held",
        about: "the same by who holds weights",
        what: "packet-udp",
        operations: 160,
        held: true,
        ..LOAD
    },
    Load {
        name: "packet-tcp",
        about: "a TCP packet of 1000 bytes, out and in",
        what: "packet-tcp",
        operations: 160,
        ..LOAD
    },
    Load {
        name: "packet-tcp-held",
        about: "the same by who holds weights",
        what: "packet-tcp",
        operations: 160,
        held: true,
        ..LOAD
    },
    Load {
        name: "web",
        about: "a request over a connection that stays, answered",
        what: "web",
        operations: 400,
        unit: Some("requests"),
        ..LOAD
    },
    Load {
        name: "web-held",
        about: "the same of a server that holds weights",
        what: "web",
        operations: 400,
        held: true,
        unit: Some("requests"),
        ..LOAD
    },
    Load {
        name: "load",
        about: "a sample of 100 kB opened, read and closed, on all CPUs",
        what: "load",
        file: File::Plain,
        operations: 2000,
        batches: 50,
        everywhere: true,
        unit: Some("samples"),
        ..LOAD
    },
];
