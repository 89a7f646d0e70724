//! Events of changes to files and to the system, out of fields.

use super::Category;
use super::build::{list, number, text};
use crate::event::{
    AccessHow, Body, Bpf, BpfObject, Carrier, Change, Classes, Direction, Field, File, FileChange, FileId, Listen,
    Module, Mount, MountHow, Namespace, NamespaceHow, Process, ProcessAccess, ProcessKey, Replaced, SocketMade, Tamper,
    Transfer,
};
use std::net::Ipv4Addr;
use std::sync::Arc;
use yaml_serde::Value;

/// An event's body of `category` with nothing in it; an empty one of tampering for those that are not of here.
pub(super) fn blank(category: Category) -> Body {
    let change = |change| {
        Body::FileChange(FileChange {
            change,
            file: File::default(),
            new_path: "".into(),
            replaced: None,
            new_size: None,
            io_uring: false,
        })
    };
    match category {
        Category::FileRename => change(Change::Rename),
        Category::FileDelete => change(Change::Unlink),
        Category::FileChange => change(Change::Truncate),
        Category::Transfer => Body::Transfer(Transfer {
            file: File::default(),
            carrier: Carrier::File,
            direction: Direction::Out,
            bytes: 0,
            until: 0,
            socket_cookie: None,
            mapped: false,
            bound: false,
            io_uring: false,
            classes: Classes::default(),
        }),
        Category::ProcessAccess => Body::ProcessAccess(ProcessAccess {
            how: AccessHow::Unknown,
            target: None,
            target_vpid: 0,
            target_process: None,
        }),
        Category::DriverLoad => Body::Module(Module { name: "".into(), taints: 0 }),
        Category::SocketCreation => Body::Socket(SocketMade { family: 0, kind: 0, protocol: 0 }),
        Category::Bpf => Body::Bpf(Bpf {
            command: 0,
            object: BpfObject::None,
            id: None,
            own: false,
            program_type: 0,
            program_name: "".into(),
        }),
        Category::Mount => Body::Mount(Mount {
            how: MountHow::Mount,
            source: "".into(),
            target: "".into(),
            filesystem: "".into(),
            flags: 0,
        }),
        Category::Namespace => Body::Namespace(Namespace { how: NamespaceHow::Setns, flags: 0 }),
        Category::NetworkListen => {
            Body::Listen(Listen { address: Ipv4Addr::UNSPECIFIED.into(), port: None, socket_cookie: 0 })
        }
        _ => Body::Tamper(Tamper { object: "".into(), what: "".into() }),
    }
}

/// Gives `body` every field that such an event can have.
pub(super) fn fill(body: &mut Body) {
    match body {
        Body::Open(open) => open.io_uring = true,
        Body::FileChange(change) => {
            (change.new_path, change.new_size, change.io_uring) = ("/x.x".into(), Some(1), true);
            if change.change == Change::Rename {
                change.replaced = Some(Replaced { id: Some(FileId { device: 1, inode: 1 }) });
            }
        }
        Body::Transfer(transfer) => (transfer.socket_cookie, transfer.io_uring) = (Some(1), true),
        Body::ProcessAccess(access) => {
            access.target = Some(ProcessKey { pid: 1, start_ticks: 1 });
            access.target_process = Some(Arc::new(Process { executable: "/x".into(), ..Process::default() }));
        }
        Body::Module(module) => module.name = "x".into(),
        Body::Bpf(bpf) => {
            (bpf.command, bpf.object, bpf.id, bpf.program_name) = (5, BpfObject::Program, Some(1), "x".into());
        }
        Body::Mount(mount) => {
            (mount.source, mount.target, mount.filesystem) = ("/x".into(), "/x".into(), "x".into());
        }
        Body::Namespace(namespace) => namespace.flags = u32::MAX,
        Body::Listen(listen) => (listen.port, listen.socket_cookie) = (Some(1), 1),
        Body::Dns(dns) => super::build::fill_dns(dns),
        Body::Tamper(tamper) => (tamper.object, tamper.what) = ("x".into(), "x".into()),
        _ => {}
    }
}

/// Sets a field of such an event. What no event can have is left; the caller compares.
pub(super) fn set(field: Field, value: &Value, body: &mut Body) {
    match body {
        Body::Open(open) if field == Field::IoUring => open.io_uring = value.as_bool() == Some(true),
        Body::FileChange(change) => match field {
            Field::FileNewPath => change.new_path = text(value).into(),
            Field::FileReplaced => {
                change.replaced = change.replaced.or_else(|| value.as_bool()?.then(Replaced::default));
            }
            Field::FileReplacedInode => {
                let inode = text(value).parse().unwrap_or_default();
                change.replaced = Some(Replaced { id: Some(FileId { device: 1, inode }) });
            }
            Field::FileNewSize => change.new_size = Some(number(value)),
            Field::IoUring => change.io_uring = value.as_bool() == Some(true),
            // Links and truncations are one category.
            Field::EventKind if text(value) == "link" => change.change = Change::Link,
            _ => {}
        },
        Body::Transfer(transfer) => match field {
            Field::TransferCarrier => {
                let found = Carrier::ALL.into_iter().find(|carrier| carrier.name() == text(value));
                transfer.carrier = found.unwrap_or(transfer.carrier);
            }
            Field::TransferDirection if text(value) == Direction::Both.name() => transfer.direction = Direction::Both,
            Field::TransferBytes => transfer.bytes = number(value),
            _ => {}
        },
        Body::ProcessAccess(access) => match field {
            Field::AccessHow => {
                let found = AccessHow::ALL.into_iter().find(|how| how.name() == text(value));
                access.how = found.unwrap_or(access.how);
            }
            Field::AccessTargetPid => {
                let pid = u32::try_from(number(value)).unwrap_or(u32::MAX);
                access.target = Some(ProcessKey { pid, start_ticks: 1 });
            }
            Field::AccessTargetExecutablePath => {
                let process = Process { executable: text(value).into(), ..Process::default() };
                access.target_process = Some(Arc::new(process));
            }
            _ => {}
        },
        Body::Dns(dns) => super::build::dns_field(field, value, dns),
        Body::Module(module) => match field {
            Field::ModuleName => module.name = text(value).into(),
            Field::ModuleTaints => module.taints = number(value),
            _ => {}
        },
        Body::Socket(socket) => {
            let named = |set: &dyn Fn(u32) -> SocketMade, name: &dyn Fn(&SocketMade) -> Option<&'static str>| {
                (0..64).map(set).find(|socket| name(socket) == Some(&*text(value)))
            };
            let found = match field {
                Field::SocketFamily => named(&|family| SocketMade { family, ..*socket }, &SocketMade::family_name),
                Field::SocketType => named(&|kind| SocketMade { kind, ..*socket }, &SocketMade::kind_name),
                Field::SocketProtocol => {
                    let protocol = u32::try_from(number(value)).unwrap_or(u32::MAX);
                    Some(SocketMade { protocol, ..*socket })
                }
                _ => None,
            };
            *socket = found.unwrap_or(*socket);
        }
        Body::Bpf(bpf) => match field {
            Field::BpfCommand => {
                let named = |command| Bpf { command, ..bpf.clone() }.command_name() == Some(&*text(value));
                bpf.command = (0..64).find(|command| named(*command)).unwrap_or(bpf.command);
            }
            Field::BpfObject => {
                let named = |object| Bpf { object, ..bpf.clone() }.object_name() == Some(&*text(value));
                bpf.object = BpfObject::ALL.into_iter().find(|object| named(*object)).unwrap_or(bpf.object);
            }
            Field::BpfObjectId => bpf.id = u32::try_from(number(value)).ok(),
            Field::BpfOwn => bpf.own = value.as_bool() == Some(true),
            Field::BpfProgramType => bpf.program_type = u32::try_from(number(value)).unwrap_or(u32::MAX),
            Field::BpfProgramName => bpf.program_name = text(value).into(),
            _ => {}
        },
        Body::Mount(mount) => match field {
            Field::MountHow => {
                mount.how = MountHow::ALL.into_iter().find(|how| how.name() == text(value)).unwrap_or(mount.how);
            }
            Field::MountSource => mount.source = text(value).into(),
            Field::MountTarget => mount.target = text(value).into(),
            Field::MountFilesystem => mount.filesystem = text(value).into(),
            Field::MountFlags => mount.flags = u32::try_from(number(value)).unwrap_or(u32::MAX),
            _ => {}
        },
        Body::Namespace(namespace) => match field {
            Field::NamespaceHow => {
                let found = NamespaceHow::ALL.into_iter().find(|how| how.name() == text(value));
                namespace.how = found.unwrap_or(namespace.how);
            }
            Field::NamespaceType => {
                let bit = |name: &String| {
                    (0..32)
                        .map(|bit| 1u32 << bit)
                        .find(|flags| Namespace { flags: *flags, ..*namespace }.kinds().next() == Some(name.as_str()))
                };
                namespace.flags = list(value).iter().filter_map(bit).fold(0, |flags, bit| flags | bit);
            }
            _ => {}
        },
        Body::Listen(listen) => match field {
            Field::NetworkLocalAddress => listen.address = text(value).parse().unwrap_or(listen.address),
            Field::NetworkLocalPort => listen.port = u16::try_from(number(value)).ok(),
            Field::SocketCookie => listen.socket_cookie = number(value),
            _ => {}
        },
        Body::Tamper(tamper) => match field {
            Field::TamperObject => tamper.object = text(value).into(),
            Field::TamperWhat => tamper.what = text(value).into(),
            _ => {}
        },
        _ => {}
    }
}
