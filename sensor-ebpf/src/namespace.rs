//! Processes that go into other namespaces: as `unshare` and `setns` return, by trampolines on just these, or, where there are
//! none, by the exit of every system call.

use crate::call::Call;
use crate::globals::{config, load};
use crate::header::{self, admit};
use crate::{agent, ring};
use aya_ebpf::{macros::fexit, programs::FExitContext};
use sensor_common::config::Action;
use sensor_common::record::{Hook, Kind, Namespace, NamespaceHow};

#[inline(always)]
fn record(how: NamespaceHow, flags: u32, hook: Hook) {
    if !admit(Kind::Namespace) {
        return;
    }
    ring::send_with::<Namespace>(Kind::Namespace, |record| {
        header::fill(&mut record.header, Kind::Namespace, hook, size_of::<Namespace>() as u32);
        record.how = how as u32;
        record.flags = flags;
    });
}

/// `int ksys_unshare(unsigned long unshare_flags)`, of both conventions (4.18).
#[fexit(function = "ksys_unshare")]
pub fn on_unshare(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(1) as i32 == 0 {
        record(NamespaceHow::Unshare, context.arg::<u64>(0) as u32, Hook::Unshare);
    }
    0
}

/// `long __x64_sys_setns(const struct pt_regs *regs)`, `__arm64_sys_setns`: what goes into a namespace has no security hook.
#[fexit(function = "__x64_sys_setns")]
pub fn on_setns(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<i64>(1) == 0 {
        // SAFETY: the argument is a `struct pt_regs *` to the verifier.
        let flags: u64 = unsafe { load(context.arg(0), config!(native.arguments[1]).into()) };
        record(NamespaceHow::Setns, flags as u32, Hook::Setns);
    }
    0
}

/// The same in the 32-bit convention: `__ia32_sys_setns`.
#[fexit(function = "__ia32_sys_setns")]
pub fn on_setns_compat(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<i64>(1) == 0 {
        // SAFETY: the argument is a `struct pt_regs *` to the verifier.
        let flags: u64 = unsafe { load(context.arg(0), config!(compat.arguments[1]).into()) };
        record(NamespaceHow::Setns, flags as u32, Hook::Setns);
    }
    0
}

/// unshare or setns returned.
#[inline(always)]
pub fn called(call: &Call) {
    if call.action == Action::Setns as u8 {
        record(NamespaceHow::Setns, call.argument(1) as u32, Hook::SysExit);
    } else {
        record(NamespaceHow::Unshare, call.argument(0) as u32, Hook::SysExit);
    }
}
