//! What the programs are told before they are loaded: where the kernel's fields lie, and the settings.

use super::btf::{Argument, Btf, MemberError};
use super::calls;
use crate::event::Class;
use sensor_common::config::{ABSENT, Config, FIELDS, Field, Offsets, uring_shape};
use thiserror::Error;
use zerocopy::{FromBytes, IntoBytes};

/// Bytes waiting in the ring at which a program wakes the agent; below, the agent's timer finds them.
pub const WAKE_BYTES: u32 = 64 << 10;
/// Default of a flow's bytes before its second report.
pub const FLOW_FLOOR: u32 = 64 << 10;
/// Records that a cgroup may send in 100 ms while the ring is more than half full: 20,000 a second, which take a tenth of the agent's
/// time.
const BUDGET: u32 = 2_000;

/// Why the programs cannot be told what they need.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LayoutError {
    /// The kernel lacks a field without which nothing works.
    #[error(
        "the kernel's BTF does not tell where {field} is ({reason}); Weir needs Linux 5.10 or later, or a newer Weir"
    )]
    Field {
        /// The field of [`Offsets`].
        field: &'static str,
        /// For the last place where it was looked for.
        reason: MemberError,
    },
    /// A cgroup v1 controller that this kernel does not have.
    #[error("the kernel's BTF has no cgroup controller named {0}; name one of /proc/cgroups")]
    Controller(Box<str>),
}

/// The cgroup v2 that the sensor is to watch, and everything below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Inode number of its directory.
    pub id: u64,
    /// Its depth: 1 for a child of the root.
    pub level: u32,
}

/// What only the agent knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The agent's process id in the initial pid namespace ([`super::own_tgid`]).
    pub own_tgid: u32,
    /// Watch only below this cgroup; `None`: everything.
    pub scope: Option<Scope>,
    /// Where cgroup v1 identifies containers: the name of a controller of that hierarchy, as in `/proc/cgroups`.
    pub cgroup_v1_controller: Option<Box<str>>,
    /// Bytes waiting in the ring at which a program wakes the agent.
    pub wake_bytes: u32,
    /// A flow's bytes before its second report.
    pub flow_floor: u32,
}

impl Settings {
    /// Everything is watched, cgroup v2 identifies.
    pub fn new(own_tgid: u32) -> Settings {
        Settings { own_tgid, scope: None, cgroup_v1_controller: None, wake_bytes: WAKE_BYTES, flow_floor: FLOW_FLOOR }
    }
}

// `Offsets` is `FIELDS.len()` words in the order of `FIELDS`; both come from one macro.
const _: () = assert!(size_of::<Offsets>() == size_of::<[u32; FIELDS.len()]>());

/// Where the kernel's fields lie; [`ABSENT`] for optional ones that it does not have.
///
/// # Errors
/// [`LayoutError::Field`] for a required one that it does not have.
pub fn offsets(btf: &Btf<'_>) -> Result<Offsets, LayoutError> {
    let mut words = [ABSENT; FIELDS.len()];
    for (word, field) in words.iter_mut().zip(FIELDS) {
        *word = offset(btf, field)?;
    }
    Ok(Offsets::read_from_bytes(words.as_bytes()).unwrap_or(Offsets::ZERO))
}

fn offset(btf: &Btf<'_>, field: &Field) -> Result<u32, LayoutError> {
    let mut missing = None;
    for (structure, path) in field.paths {
        match btf.offset(structure, path) {
            Ok(offset) => return Ok(offset),
            Err(reason) => missing = Some(reason),
        }
    }
    match missing {
        Some(reason) if field.required => Err(LayoutError::Field { field: field.name, reason }),
        _ => Ok(ABSENT),
    }
}

/// The settings as the programs read them.
///
/// # Errors
/// [`LayoutError::Controller`] for a cgroup v1 controller that the kernel does not have.
pub fn config(btf: &Btf<'_>, settings: &Settings) -> Result<Config, LayoutError> {
    let scope = settings.scope.unwrap_or(Scope { id: 0, level: 0 });
    Ok(Config {
        generation: 1,
        scope_cgroup_low: (scope.id & u64::from(u32::MAX)) as u32,
        scope_cgroup_high: (scope.id >> 32) as u32,
        scope_level: scope.level,
        wake_bytes: settings.wake_bytes,
        flow_floor: settings.flow_floor,
        cgroup_v1_subsystem: match &settings.cgroup_v1_controller {
            Some(controller) => subsystem(btf, controller)?,
            None => ABSENT,
        },
        typed_loads: btf.enumerator("BPF_FUNC_get_current_task_btf").is_some().into(),
        task_registers: task_registers(btf),
        native: calls::native(),
        compat: calls::compat(),
        compat_flag: calls::COMPAT_FLAG,
        uring_shape: uring_shape(btf),
        uring_skip_flag: uring_skip_flag(btf),
        uring_submitted: uring_submitted(btf),
        held_classes: Class::Weights as u32 | Class::Dataset as u32 | Class::Secret as u32,
        // Of datasets there can be millions of files: who opens one holds it, but a descriptor passed on is not followed.
        source_classes: Class::Weights as u32 | Class::Secret as u32,
        budget: BUDGET,
    })
}

/// Where a thread's registers are, as [`Config::task_registers`] wants it: at the end of its stack. x86 leaves room behind them on
/// kernels with FRED only (6.9), which have the helper.
fn task_registers(btf: &Btf<'_>) -> u32 {
    if btf.enumerator("BPF_FUNC_task_pt_regs").is_some() {
        return 1;
    }
    btf.size("pt_regs").and_then(|registers| calls::STACK.checked_sub(registers)).unwrap_or(0)
}

/// Whether io_uring's workers are threads of the process whose requests they work on, and share its descriptors: since the
/// kernel can make such (5.12, kernel/fork.c).
const IO_THREADS: &str = "create_io_thread";

/// Which argument of io_uring's submission tracepoint is the request.
fn uring_submitted(btf: &Btf<'_>) -> u32 {
    let arguments =
        ["io_uring_submit_req", "io_uring_submit_sqe"].iter().find_map(|name| btf.tracepoint_arguments(name));
    match arguments.as_deref() {
        Some([Argument::Pointer(Some("io_kiocb")), ..]) | None => 0,
        Some(_) => 1,
    }
}

/// What `io_uring_complete` tells here; one of [`uring_shape`].
pub(super) fn uring_shape(btf: &Btf<'_>) -> u32 {
    let Some(arguments) = btf.tracepoint_arguments("io_uring_complete") else { return uring_shape::NONE };
    match arguments.as_slice() {
        [_, Argument::Pointer(_), Argument::Pointer(Some("io_uring_cqe")), ..] => uring_shape::CQE,
        [_, Argument::Pointer(_), Argument::Other, Argument::Other, ..] => uring_shape::RESULT,
        [_, Argument::Other, Argument::Other, ..] if btf.function(IO_THREADS).is_some() => uring_shape::USER_DATA,
        _ => uring_shape::NONE,
    }
}

/// A controller's place in `css_set.subsys`: `NAME_cgrp_id` in `enum cgroup_subsys_id`. Only `blkio` has another name there.
fn subsystem(btf: &Btf<'_>, controller: &str) -> Result<u32, LayoutError> {
    let name = if controller == "blkio" { "io" } else { controller };
    btf.enumerator(&format!("{name}_cgrp_id"))
        .and_then(|index| u32::try_from(index).ok())
        .ok_or_else(|| LayoutError::Controller(controller.into()))
}

/// `REQ_F_CQE_SKIP`, from its bit number; the mask itself is not an enumerator in every kernel.
fn uring_skip_flag(btf: &Btf<'_>) -> u32 {
    btf.enumerator("REQ_F_CQE_SKIP_BIT")
        .and_then(|bit| u32::try_from(bit).ok())
        .and_then(|bit| 1u32.checked_shl(bit))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::btf::VMLINUX;
    use super::*;

    #[test]
    fn a_missing_field_is_named() {
        let field = Field { name: "a_b", paths: &[("a", "b"), ("a", "c")], required: true };
        let btf = Btf::parse(&empty()).map(|btf| offset(&btf, &field)).unwrap();
        let reason = MemberError::NoStructure("a".into());
        assert_eq!(btf, Err(LayoutError::Field { field: "a_b", reason }));
        let optional = Field { required: false, ..field };
        assert_eq!(Btf::parse(&empty()).map(|btf| offset(&btf, &optional)).unwrap(), Ok(ABSENT));
    }

    #[test]
    fn the_running_kernel_has_every_required_field() {
        let Ok(bytes) = std::fs::read(VMLINUX) else {
            println!("skipped: this kernel has no {VMLINUX}");
            return;
        };
        let btf = Btf::parse(&bytes).unwrap();
        let found = offsets(&btf).unwrap();
        // Each word is its own field's, in order.
        assert_eq!(found.task_tgid, btf.offset("task_struct", "tgid").unwrap());
        assert_eq!(found.task_pid, btf.offset("task_struct", "pid").unwrap());
        assert_eq!(found.sock_protocol, btf.offset("sock", "sk_protocol").unwrap());
        assert_ne!(found, Offsets::ZERO);

        let mut settings = Settings::new(42);
        settings.scope = Some(Scope { id: 5 << 32 | 6, level: 2 });
        settings.cgroup_v1_controller = Some("cpu".into());
        let config = config(&btf, &settings).unwrap();
        assert_eq!((config.scope_cgroup_low, config.scope_cgroup_high, config.scope_level), (6, 5, 2));
        assert_eq!((config.generation, config.typed_loads), (1, 1), "5.11 or later");
        assert_eq!(u64::from(config.cgroup_v1_subsystem), btf.enumerator("cpu_cgrp_id").unwrap());
        settings.cgroup_v1_controller = Some("no such".into());
        assert_eq!(super::config(&btf, &settings), Err(LayoutError::Controller("no such".into())));
    }

    /// BTF without types.
    fn empty() -> Vec<u8> {
        let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&[1, 0, 24, 0, 0, 0]);
        bytes.resize(24, 0);
        bytes
    }
}
