//! Weir's kernel side: small programs, one file a concern.
//!
//! They record and count; the only decision they take is whether an open is of interest (`classify`). What they send and
//! keep is declared in `sensor-common`. A program reads kernel objects (struct file, socket, packet), never the system
//! call's arguments in user memory, which their writer can change after the check.
//!
//! Minimum kernel: 5.10 (ring buffer 5.8, `bpf_ktime_get_boot_ns` 5.8, socket storage in cgroup programs 5.9). What is newer
//! is named where it is used, and left out by the verifier where `CONFIG` says that it is not there.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "by value a key or a value would be on the stack, which has 512 bytes"
)]

mod agent;
mod bpf;
mod budget;
mod call;
mod cgroup;
mod change;
mod classify;
mod connect;
mod egress;
mod exec;
mod files;
mod globals;
mod header;
mod label;
mod memory;
mod module;
mod mount;
mod names;
mod namespace;
mod open;
mod packet;
mod path;
mod process;
mod ring;
mod scratch;
mod socket;
mod socket_made;
mod stream;
mod uring;

/// The verifier rejects whatever could get here; the language asks for it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// Helpers such as `bpf_probe_read_kernel` are for GPL-compatible programs only (`gpl_only` in their `bpf_func_proto`).
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
