//! Hand-made records, one of each kind, as the programs would write them: for tests, benches and fuzzing.

use sensor_common::label::{Carrier, Direction, Label};
use sensor_common::record::{
    AccessHow, Bpf, BpfObject, Cgroup, Connect, DNS_SHORT, Dns, DnsDirection, Endpoints, Exec, Exit, File, FileChange,
    Flow, Fork, HELLO_MAX, HELLO_SHORT, Header, Hello, Hook, Kind, Listen, Module, Mount, MountHow, Namespace,
    NamespaceHow, Open, Path, Process, ProcessAccess, SIZE_UNKNOWN, Socket, Stream, Transfer, VERSION, path_flags,
};
use zerocopy::IntoBytes;

/// A header of that kind: process 100 (7 in its namespace), started one second after boot, five seconds ago.
pub fn header(kind: Kind, hook: Hook) -> Header {
    Header {
        version: VERSION,
        kind: kind as u8,
        hook: hook as u8,
        size: 0,
        time: 6_000_000_000,
        process: Process { start_time: 1_000_000_000, tgid: 100, vtgid: 7 },
        tid: 101,
        cgroup_hierarchy: 0,
        cgroup: 4242,
        mount_namespace: 4_026_531_841,
        pid_namespace: 4_026_531_836,
        uid: 1000,
        gid: 1001,
        comm: *b"python3\0\0\0\0\0\0\0\0\0",
    }
}

/// A regular file of 4 GiB on an overlay file system.
pub fn file() -> File {
    File {
        device: 0x30,
        mode: 0o100644,
        inode: 77,
        size: 4 << 30,
        changed_seconds: 1_700_000_000,
        changed_nanoseconds: 5,
        links: 1,
        uid: 0,
        filesystem: 0x794c_7630,
    }
}

/// A path's components as records have them: leaf first, a NUL behind each.
pub fn components(path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for component in path.split('/').rev().filter(|component| !component.is_empty()) {
        bytes.extend_from_slice(component.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// `fixed` and `tail`, with the header's size set.
pub fn record<T: IntoBytes + zerocopy::Immutable>(fixed: &T, tail: &[u8]) -> Vec<u8> {
    let mut bytes = [fixed.as_bytes(), tail].concat();
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let at = std::mem::offset_of!(Header, size);
    if let Some(field) = bytes.get_mut(at..at + 4) {
        field.copy_from_slice(&size.to_ne_bytes());
    }
    bytes
}

/// An open for reading of the file at `path`, resolved.
pub fn open(path: &str) -> Vec<u8> {
    let tail = components(path);
    let fixed = Open {
        header: header(Kind::Open, Hook::SysExit),
        file: file(),
        classes: 1,
        flags: 0o100000,
        path: Path { len: length(&tail), flags: 0 },
        origin: 0,
    };
    record(&fixed, &tail)
}

/// `python3 serve.py --port 80`, started in `/srv` by process 99.
pub fn exec() -> Vec<u8> {
    let (path, directory) = (components("/usr/bin/python3.11"), components("/srv"));
    let args = b"python3\0serve.py\0--port\080\0".as_slice();
    let fixed = Exec {
        header: header(Kind::Exec, Hook::SchedProcessExec),
        file: file(),
        parent: Process { start_time: 900_000_000, tgid: 99, vtgid: 1 },
        path: Path { len: length(&path), flags: 0 },
        directory: Path { len: length(&directory), flags: 0 },
        args: length(args),
        flags: 0,
        streams: [Stream::Null as u8, Stream::Pipe as u8, Stream::Pipe as u8],
        reserved: 0,
    };
    record(&fixed, &[&path, &directory, args].concat())
}

/// Process 102 is created.
pub fn fork() -> Vec<u8> {
    let child = Process { start_time: 6_000_000_000, tgid: 102, vtgid: 9 };
    record(&Fork { header: header(Kind::Fork, Hook::SchedProcessFork), child }, &[])
}

/// The process ends with that `wait(2)` status.
pub fn exit(status: u32) -> Vec<u8> {
    record(&Exit { header: header(Kind::Exit, Hook::SchedProcessExit), status, reserved: 0 }, &[])
}

/// IPv4, TCP, from anywhere to 192.0.2.7:443.
pub fn endpoints() -> Endpoints {
    let mut peer_address = [0; 16];
    peer_address[..4].copy_from_slice(&[192, 0, 2, 7]);
    Endpoints { local_address: [0; 16], peer_address, local_port: 0, peer_port: 443, family: 2, protocol: 6 }
}

/// A connect to those endpoints.
pub fn connect(endpoints: Endpoints) -> Vec<u8> {
    record(
        &Connect { header: header(Kind::Connect, Hook::CgroupConnect), endpoints, cookie: 31, held: Label::ZERO },
        &[],
    )
}

/// A socket waits for connections at 127.0.0.1:8000.
pub fn listen() -> Vec<u8> {
    let mut local_address = [0; 16];
    local_address[..4].copy_from_slice(&[127, 0, 0, 1]);
    let endpoints = Endpoints { local_address, local_port: 8000, family: 2, protocol: 6, ..Endpoints::ZERO };
    record(&Listen { header: header(Kind::Listen, Hook::InetSockSetState), endpoints, cookie: 33 }, &[])
}

/// A report of 3 MB over those endpoints, for that reason and with those flags.
pub fn flow(endpoints: Endpoints, reason: u32, flags: u32) -> Vec<u8> {
    let header = header(Kind::Flow, Hook::CgroupSkb);
    let (cookie, bytes, packets, first_time) = (31, 3_000_000, 50, 5_500_000_000);
    record(&Flow { header, endpoints, cookie, bytes, packets, first_time, reason, flags, held: Label::ZERO }, &[])
}

/// A cgroup of cgroup v2 with that path.
pub fn cgroup(path: &str) -> Vec<u8> {
    let tail = [path.as_bytes(), b"\0"].concat();
    let header = header(Kind::Cgroup, Hook::CgroupMkdir);
    record(&Cgroup { header, id: 5151, hierarchy: 0, path_len: u32::from(length(&tail)) }, &tail)
}

/// A change of that kind of the file at `path`; `new` is the name that it gets, if not empty.
pub fn change(kind: Kind, path: &str, new: &str) -> Vec<u8> {
    let (old, new) = (components(path), components(new));
    let fixed = FileChange {
        header: header(kind, Hook::PathRename),
        file: file(),
        classes: 1,
        path: Path { len: length(&old), flags: 0 },
        new_path: Path { len: length(&new), flags: 0 },
        origin: 0,
        new_size: if kind == Kind::Truncate { 0 } else { SIZE_UNKNOWN },
        replaced: if kind == Kind::Rename { 78 } else { 0 },
    };
    record(&fixed, &[old, new].concat())
}

/// A raw socket for ICMP.
pub fn socket() -> Vec<u8> {
    let header = header(Kind::Socket, Hook::SocketPostCreate);
    record(&Socket { header, family: 2, kind: 3, protocol: 1, reserved: 0 }, &[])
}

/// The memory of process 102 is read.
pub fn access() -> Vec<u8> {
    let header = header(Kind::ProcessAccess, Hook::PtraceAccessCheck);
    let target = Process { start_time: 6_000_000_000, tgid: 102, vtgid: 9 };
    record(&ProcessAccess { header, target, how: AccessHow::VmRead as u32, reserved: 0 }, &[])
}

/// Somebody gets a descriptor for map 17, which is the sensor's own.
pub fn bpf() -> Vec<u8> {
    let header = header(Kind::Bpf, Hook::SecurityBpf);
    let (object, id, name) = (BpfObject::Map as u32, 17, [0; 16]);
    record(&Bpf { header, command: 14, object, id, own: 1, program_type: 0, reserved: 0, name }, &[])
}

/// The module `nothing`, unsigned, is loaded.
pub fn module() -> Vec<u8> {
    let mut name = [0; 56];
    name[..7].copy_from_slice(b"nothing");
    record(&Module { header: header(Kind::Module, Hook::ModuleLoad), name, taints: 1 << 13 }, &[])
}

/// `/dev/sda1` is mounted on `/mnt`.
pub fn mount() -> Vec<u8> {
    let (target, source, filesystem) = (components("/mnt"), b"/dev/sda1\0", b"ext4\0");
    let fixed = Mount {
        header: header(Kind::Mount, Hook::SbMount),
        how: MountHow::Mount as u32,
        flags: 1,
        target: Path { len: length(&target), flags: 0 },
        source: Path { len: length(source), flags: path_flags::UNRESOLVED },
        filesystem: Path { len: length(filesystem), flags: path_flags::UNRESOLVED },
        reserved: 0,
    };
    record(&fixed, &[&target, source.as_slice(), filesystem].concat())
}

/// The process goes into a mount namespace.
pub fn namespace() -> Vec<u8> {
    let header = header(Kind::Namespace, Hook::Setns);
    record(&Namespace { header, how: NamespaceHow::Setns as u32, flags: 0x2_0000 }, &[])
}

/// 3 MB are written to the file at `path`.
pub fn transfer(path: &str) -> Vec<u8> {
    let tail = components(path);
    let fixed = Transfer {
        header: header(Kind::Transfer, Hook::SysExit),
        file: file(),
        classes: 1,
        carrier: Carrier::File as u32,
        direction: Direction::Out as u32,
        path: Path { len: length(&tail), flags: 0 },
        bytes: 3_000_000,
        until: 4_500_000,
        cookie: 0,
        flags: 0,
        reserved: 0,
    };
    record(&fixed, &tail)
}

/// A question for `models.example.org`, and its answer: an alias, and two addresses of that.
pub const MESSAGES: [&[u8]; 2] = [
    b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06models\x07example\x03org\0\0\x01\0\x01",
    b"\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0\x06models\x07example\x03org\0\0\x01\0\x01\
      \xc0\x0c\0\x05\0\x01\0\0\x01\x2c\0\x07\x04edge\xc0\x13\
      \xc0\x30\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07\xc0\x30\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x08",
];

/// The first of the messages leaves, or the second arrives.
pub fn dns(direction: DnsDirection) -> Vec<u8> {
    let (hook, payload) = match direction {
        DnsDirection::Query => (Hook::CgroupSkb, MESSAGES[0]),
        DnsDirection::Answer => (Hook::CgroupSkbIngress, MESSAGES[1]),
    };
    let length = u32::from(length(payload));
    let endpoints = Endpoints { peer_port: 53, protocol: 17, ..endpoints() };
    let header = header(Kind::Dns, hook);
    record(
        &Dns { header, endpoints, cookie: 32, direction: direction as u32, size: length, length, reserved: 0 },
        &room(payload, DNS_SHORT),
    )
}

/// A flow begins with these bytes.
pub fn hello(payload: &[u8]) -> Vec<u8> {
    let length = u32::from(length(payload));
    let header = header(Kind::Hello, Hook::CgroupSkb);
    let room = room(payload, if payload.len() > HELLO_SHORT { HELLO_MAX } else { HELLO_SHORT });
    record(&Hello { header, endpoints: endpoints(), cookie: 31, offset: 0, size: length, length, reserved: 0 }, &room)
}

/// `payload`, and behind it what was in the ring before.
fn room(payload: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    bytes.resize(size, 0xa5);
    bytes
}

/// One of each kind.
pub fn all() -> Vec<Vec<u8>> {
    vec![
        open("/srv/models/llama/model-00001-of-00002.safetensors"),
        exec(),
        fork(),
        exit(3 << 8),
        connect(endpoints()),
        flow(endpoints(), 1, 1),
        cgroup("/kubepods/besteffort/pod1/abc"),
        change(Kind::Rename, "/srv/models/a.gguf", "/srv/models/b.gguf"),
        change(Kind::Link, "/srv/models/a.gguf", "/tmp/b.gguf"),
        change(Kind::Unlink, "/srv/models/a.gguf", ""),
        change(Kind::Truncate, "/srv/models/a.gguf", ""),
        socket(),
        access(),
        bpf(),
        module(),
        mount(),
        namespace(),
        transfer("/tmp/copy"),
        dns(DnsDirection::Query),
        dns(DnsDirection::Answer),
        hello(b"\x16\x03\x01\0\x05\x01\0\0\x01\0"),
        listen(),
    ]
}

fn length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX)
}
