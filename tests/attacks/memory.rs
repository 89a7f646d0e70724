//! Memory of a process that has loaded the weights.

use super::theft;
use tests::board::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("process_vm_readv", "process_vm_readv", |stage| theft(stage, &["process-vm-readv"])),
    Scenario::new("process_vm_writev", "written into a clean process", |stage| theft(stage, &["process-vm-writev"])),
    Scenario::new("proc_mem", "/proc/PID/mem", |stage| theft(stage, &["proc-mem"])),
    Scenario::new("ptrace", "PTRACE_PEEKDATA, a fifth of it", |stage| theft(stage, &["ptrace", "--limit", "1048576"])),
    Scenario::new("clone_vm", "a child with the same memory reads", |stage| theft(stage, &["clone-vm"])),
];
