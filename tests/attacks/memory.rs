//! Memory of a process that has loaded the weights.

use super::theft;
use tests::board::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "process_vm_readv", about: "process_vm_readv", play: |stage| theft(stage, &["process-vm-readv"]) },
    Scenario { name: "proc_mem", about: "/proc/PID/mem", play: |stage| theft(stage, &["proc-mem"]) },
    Scenario {
        name: "ptrace",
        about: "PTRACE_PEEKDATA, a fifth of it",
        play: |stage| theft(stage, &["ptrace", "--limit", "1048576"]),
    },
    Scenario {
        name: "clone_vm",
        about: "a child with the same memory reads",
        play: |stage| theft(stage, &["clone-vm"]),
    },
];
