//! Whether a kernel has what the programs need, by its type information alone: the running kernel, and such as do not run here.
//! `WEIR_TEST_BTF` names files of their BTF, of either architecture, separated by colons.

use super::btf::{Btf, VMLINUX};
use super::calls::{ARM64, Architecture, X86_64};
use super::concern::Concern;
use super::layout::{self, Settings};
use super::plan;
use sensor_common::config::{ABSENT, FIELDS};
use zerocopy::{FromBytes, IntoBytes};

const VARIABLE: &str = "WEIR_TEST_BTF";

#[test]
fn the_running_kernel_has_what_the_programs_need() {
    match std::fs::read(VMLINUX) {
        Ok(bytes) => check(&bytes),
        Err(error) => println!("skipped: {VMLINUX}: {error}"),
    }
}

#[test]
fn kernels_that_do_not_run_here_have_it_too() {
    let Some(paths) = std::env::var_os(VARIABLE) else {
        println!("skipped: {VARIABLE} names no file of another kernel's BTF");
        return;
    };
    for path in std::env::split_paths(&paths) {
        println!("{}", path.display());
        check(&std::fs::read(&path).unwrap_or_else(|error| panic!("{VARIABLE}: {}: {error}", path.display())));
    }
}

fn check(bytes: &[u8]) {
    let btf = Btf::parse(bytes).unwrap();
    let offsets = layout::offsets(&btf).unwrap();
    layout::config(&btf, &Settings::new(1)).unwrap();
    let words = <[u32; FIELDS.len()]>::read_from_bytes(offsets.as_bytes()).unwrap();
    let absent = FIELDS.iter().zip(words).filter(|(_, word)| *word == ABSENT).map(|(field, _)| field.name);
    println!("  fields that it does not have: {}", absent.collect::<Vec<_>>().join(", "));
    for part in plan::all() {
        if let Err(reason) = part.target(&btf) {
            println!("  {}: {reason}", part.program);
            // io_uring's tracepoints change, and some kernels are built without modules; what is not seen then is reported.
            let can_be_missing = part.optional || matches!(part.concern, Concern::IoUring | Concern::Module);
            assert!(can_be_missing, "{}: {reason}", part.program);
        }
    }

    let at = |field| btf.offset("pt_regs", field).unwrap();
    let arm64 = btf.offset("pt_regs", "orig_x0").is_ok();
    println!("  {}", if arm64 { "arm64" } else { "x86-64" });
    let (architecture, native, compat, number, mode): (Architecture, _, _, _, _) = if arm64 {
        let x = |number: u32| at("regs") + 8 * number;
        let arguments = [at("orig_x0"), x(1), x(2), x(3), x(4)];
        (ARM64, arguments, arguments, "syscallno", "thread_info.flags")
    } else {
        let (native, compat) = (["di", "si", "dx", "r10", "r8"].map(at), ["bx", "cx", "dx", "si", "di"].map(at));
        (X86_64, native, compat, "orig_ax", "thread_info.status")
    };
    assert_eq!((architecture.arguments, architecture.compat_arguments), (native, compat));
    assert_eq!(offsets.regs_syscall, at(number));
    assert_eq!(offsets.task_compat, btf.offset("task_struct", mode).unwrap());
}
