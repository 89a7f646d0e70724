//! bpf(2) commands that could blind a sensor: programs loaded, links cut, and whatever reaches for one of our own objects.
//!
//! At `security_bpf`, with the kernel's own copy of the attributes, before it is done; or, where there are no trampolines, as
//! the system call returns.

use crate::call::Call;
use crate::globals::{offset, read, read_user};
use crate::header::{self, admit};
use crate::{agent, files, ring};
use aya_ebpf::{
    btf_maps::HashMap,
    macros::{btf_map, fentry},
    programs::FEntryContext,
};
use sensor_common::config::{self, OwnObject};
use sensor_common::count::Outcome;
use sensor_common::record::{BPF_NAME_LEN, Bpf, BpfObject, Hook, Kind};

// enum bpf_cmd (include/uapi/linux/bpf.h)
const MAP_UPDATE_ELEM: u32 = 2;
const MAP_DELETE_ELEM: u32 = 3;
const PROG_LOAD: u32 = 5;
const PROG_DETACH: u32 = 9;
const PROG_GET_FD_BY_ID: u32 = 13;
const MAP_GET_FD_BY_ID: u32 = 14;
const MAP_LOOKUP_AND_DELETE_ELEM: u32 = 21;
const MAP_FREEZE: u32 = 22;
const MAP_LOOKUP_AND_DELETE_BATCH: u32 = 25;
const MAP_UPDATE_BATCH: u32 = 26;
const MAP_DELETE_BATCH: u32 = 27;
const LINK_UPDATE: u32 = 29;
const LINK_GET_FD_BY_ID: u32 = 30;
const LINK_DETACH: u32 = 34;

/// Places in `union bpf_attr`: of the map's descriptor in batch commands, of a new program's name.
const BATCH_MAP: u64 = 36;
const PROGRAM_NAME: u64 = 48;

/// The sensor's own programs, maps and links. The value says nothing.
#[btf_map]
static OWN_OBJECTS: HashMap<OwnObject, u32, { config::OWN_OBJECTS as usize }> = HashMap::new();

/// The attributes of a command, in the kernel's or in the process's memory.
struct Attributes {
    address: u64,
    user: bool,
}

impl Attributes {
    #[inline(always)]
    fn get<T>(&self, offset: u64) -> T {
        if self.user { read_user(self.address + offset) } else { read(self.address + offset) }
    }

    /// The object behind a descriptor, as the kernel keeps it.
    #[inline(always)]
    fn object(&self, offset: u64) -> u64 {
        read(files::of_descriptor(self.get::<u32>(offset).into()) + offset!(file_private))
    }
}

#[inline(always)]
fn is_own(object: BpfObject, id: u32) -> bool {
    OWN_OBJECTS.get_ptr(OwnObject { object: object as u32, id }).is_some()
}

/// What a command is about, and the object's id; 0 for one that cannot be told.
#[inline(always)]
fn object_of(command: u32, attributes: &Attributes) -> Option<(BpfObject, u32)> {
    let map = |offset| (BpfObject::Map, read(attributes.object(offset) + offset!(bpf_map_id)));
    Some(match command {
        PROG_LOAD | PROG_DETACH => (BpfObject::None, 0),
        PROG_GET_FD_BY_ID => (BpfObject::Program, attributes.get(0)),
        MAP_GET_FD_BY_ID => (BpfObject::Map, attributes.get(0)),
        LINK_GET_FD_BY_ID => (BpfObject::Link, attributes.get(0)),
        LINK_UPDATE | LINK_DETACH => (BpfObject::Link, read(attributes.object(0) + offset!(bpf_link_id))),
        MAP_UPDATE_ELEM | MAP_DELETE_ELEM | MAP_LOOKUP_AND_DELETE_ELEM | MAP_FREEZE => map(0),
        MAP_LOOKUP_AND_DELETE_BATCH | MAP_UPDATE_BATCH | MAP_DELETE_BATCH => map(BATCH_MAP),
        _ => return None,
    })
}

#[inline(always)]
fn record(command: u32, attributes: &Attributes, hook: Hook) {
    let Some((object, id)) = object_of(command, attributes) else { return };
    if !admit(Kind::Bpf) {
        return;
    }
    let own = is_own(object, id);
    // What others do with their own maps and programs is their business.
    if !own && !matches!(command, PROG_LOAD | PROG_DETACH | LINK_UPDATE | LINK_DETACH) {
        return ring::count(Kind::Bpf, Outcome::Unmatched);
    }
    ring::send_with::<Bpf>(Kind::Bpf, |record| {
        header::fill(&mut record.header, Kind::Bpf, hook, size_of::<Bpf>() as u32);
        record.command = command;
        record.object = object as u32;
        record.id = id;
        record.own = own.into();
        record.reserved = 0;
        if command == PROG_LOAD {
            record.program_type = attributes.get(0);
            record.name = attributes.get::<[u8; BPF_NAME_LEN]>(PROGRAM_NAME);
        } else {
            record.program_type = 0;
            record.name = [0; BPF_NAME_LEN];
        }
    });
}

/// `int security_bpf(int cmd, union bpf_attr *attr, unsigned int size)` (6.15 added an argument).
#[fentry(function = "security_bpf")]
pub fn on_security_bpf(context: FEntryContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let attributes = Attributes { address: context.arg(1), user: false };
    record(context.arg::<u64>(0) as u32, &attributes, Hook::SecurityBpf);
    0
}

/// `bpf(cmd, attr, size)` returned.
#[inline(always)]
pub fn called(call: &Call) {
    let attributes = Attributes { address: call.argument(1), user: true };
    record(call.argument(0) as u32, &attributes, Hook::SysExit);
}
