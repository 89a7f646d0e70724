//! Records about what processes do to the system and to one another.

use super::file::path_text;
use super::{Malformed, fixed, process_key, split, text, until_nul};
use crate::event::{
    AccessHow, Bpf, BpfObject, Module, Mount, MountHow, Namespace, NamespaceHow, ProcessAccess, SocketMade,
};
use sensor_common::record;

pub(super) fn socket(bytes: &[u8]) -> Result<SocketMade, Malformed> {
    let (socket, _) = fixed::<record::Socket>(bytes, "socket")?;
    Ok(SocketMade { family: socket.family, kind: socket.kind, protocol: socket.protocol })
}

pub(super) fn access(bytes: &[u8]) -> Result<ProcessAccess, Malformed> {
    let (access, _) = fixed::<record::ProcessAccess>(bytes, "process access")?;
    Ok(ProcessAccess {
        how: coded(AccessHow::ALL, |how| how as u32, access.how, "process access")?,
        target: process_key(&access.target),
        target_vpid: access.target.vtgid,
        target_process: None,
    })
}

pub(super) fn bpf(bytes: &[u8]) -> Result<Bpf, Malformed> {
    let (bpf, _) = fixed::<record::Bpf>(bytes, "bpf")?;
    Ok(Bpf {
        command: bpf.command,
        object: coded(BpfObject::ALL, |object| object as u32, bpf.object, "bpf")?,
        id: Some(bpf.id).filter(|id| *id != 0),
        own: bpf.own != 0,
        program_type: bpf.program_type,
        program_name: text(until_nul(&bpf.name)),
    })
}

pub(super) fn module(bytes: &[u8]) -> Result<Module, Malformed> {
    let (module, _) = fixed::<record::Module>(bytes, "module")?;
    Ok(Module { name: text(until_nul(&module.name)), taints: module.taints })
}

pub(super) fn mount(bytes: &[u8]) -> Result<Mount, Malformed> {
    let (mount, tail) = fixed::<record::Mount>(bytes, "mount")?;
    let (target, tail) = split(tail, mount.target.len.into())?;
    let (source, tail) = split(tail, mount.source.len.into())?;
    let (filesystem, _) = split(tail, mount.filesystem.len.into())?;
    Ok(Mount {
        how: coded(MountHow::ALL, |how| how as u32, mount.how, "mount")?,
        source: path_text(source, mount.source.flags),
        target: path_text(target, mount.target.flags),
        filesystem: text(until_nul(filesystem)),
        flags: mount.flags,
    })
}

pub(super) fn namespace(bytes: &[u8]) -> Result<Namespace, Malformed> {
    let (namespace, _) = fixed::<record::Namespace>(bytes, "namespace")?;
    Ok(Namespace {
        how: coded(NamespaceHow::ALL, |how| how as u32, namespace.how, "namespace")?,
        flags: namespace.flags,
    })
}

/// The one of `all` whose code is `code`.
fn coded<T: Copy, const N: usize>(
    all: [T; N],
    to_code: impl Fn(T) -> u32,
    code: u32,
    what: &'static str,
) -> Result<T, Malformed> {
    all.into_iter().find(|one| to_code(*one) == code).ok_or(Malformed::Code { what, code })
}
