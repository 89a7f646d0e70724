//! Kernel modules: `tp_btf/module_load`, whichever system call loaded it.

use crate::globals::{offset, read};
use crate::header::{self, admit};
use crate::{agent, ring};
use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::record::{Hook, Kind, MODULE_NAME_LEN, Module};

/// `trace_module_load(struct module *mod)`: it is in place and has not run yet.
#[btf_tracepoint(function = "module_load")]
pub fn on_module_load(context: BtfTracePointContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let module: u64 = context.arg(0);
    if !admit(Kind::Module) {
        return 0;
    }
    ring::send_with::<Module>(Kind::Module, |record| {
        header::fill(&mut record.header, Kind::Module, Hook::ModuleLoad, size_of::<Module>() as u32);
        record.name = read::<[u8; MODULE_NAME_LEN]>(module + offset!(module_name));
        record.taints = read(module + offset!(module_taints));
    });
    0
}
