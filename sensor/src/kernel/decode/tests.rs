use super::*;
use crate::event::{Access, Classes, DnsDirection, File, FileId, FlowReason, Stream, Transport};
use sensor_common::record::{Endpoints, Open, Path, exec_flags, path_flags};
use std::net::IpAddr;
use zerocopy::IntoBytes;

fn body(bytes: &[u8]) -> Body {
    decode(bytes).unwrap().body
}

fn opened(tail: &[u8], flags: u16) -> File {
    let mut fixed: Open = Open::read_from_prefix(&samples::open("/")).unwrap().0;
    fixed.path = Path { len: tail.len() as u16, flags };
    match body(&samples::record(&fixed, tail)) {
        Body::Open(open) => open.file,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_header_says_who_acted_and_when() {
    let event = decode(&samples::fork()).unwrap();
    assert_eq!(event.time, BootTime(6_000_000_000));
    assert_eq!(event.hook, Some(Hook::SchedProcessFork));
    let expected = Actor {
        process: Some(ProcessKey { pid: 100, start_ticks: 100 }),
        vpid: 7,
        tid: 101,
        comm: "python3".into(),
        uid: 1000,
        gid: 1001,
        cgroup: CgroupKey { hierarchy: 0, id: 4242 },
        mount_namespace: 4_026_531_841,
        pid_namespace: 4_026_531_836,
    };
    assert_eq!(event.actor, expected);
    assert_eq!(event.body, Body::Fork(Fork { child: ProcessKey { pid: 102, start_ticks: 600 }, child_vpid: 9 }));
    assert!(event.process.is_none() && event.workload.is_none() && event.held.is_none());
}

#[test]
fn a_process_that_the_kernel_did_not_know_is_none() {
    let mut header = samples::header(Kind::Exit, Hook::SchedProcessExit);
    header.process.start_time = 0;
    header.comm = *b"0123456789abcde\xff";
    let event = decode(&samples::record(&record::Exit { header, status: 0, reserved: 0 }, &[])).unwrap();
    assert_eq!(event.actor.process, None);
    assert_eq!(&*event.actor.comm, "0123456789abcde\\xff", "comm without a NUL, with a byte that is not UTF-8");
}

#[test]
fn an_open_is_the_file_its_path_and_what_for() {
    let Body::Open(open) = body(&samples::open("/srv/models/a.safetensors")) else { panic!() };
    assert_eq!(open.file.id, Some(FileId { device: 0x30, inode: 77 }));
    assert_eq!(&*open.file.path, "/srv/models/a.safetensors");
    assert_eq!((open.file.size, open.file.links, open.file.mode), (4 << 30, 1, 0o100644));
    assert_eq!(open.file.changed_unix_nanos, 1_700_000_000_000_000_005);
    assert_eq!(open.file.filesystem, 0x794c_7630);
    assert_eq!(open.file.classes, Classes(1));
    assert!(!open.file.path_cut);
    assert_eq!((open.access, open.flags), (Access::Read, 0o100000));
    assert!(!open.io_uring);
}

#[test]
fn an_open_by_io_uring_says_so() {
    let mut fixed: Open = Open::read_from_prefix(&samples::open("/")).unwrap().0;
    (fixed.origin, fixed.path.len) = (record::file_flags::IO_URING, 0);
    let Body::Open(open) = body(&samples::record(&fixed, &[])) else { panic!() };
    assert!(open.io_uring && !open.candidate);
    fixed.origin = record::file_flags::CANDIDATE;
    let Body::Open(open) = body(&samples::record(&fixed, &[])) else { panic!() };
    assert!(open.candidate && !open.io_uring);
}

#[test]
fn a_change_is_the_file_and_both_its_names() {
    let Body::FileChange(change) = body(&samples::change(Kind::Rename, "/a/b.gguf", "/c/d.gguf")) else { panic!() };
    assert_eq!((change.change, &*change.file.path, &*change.new_path), (Change::Rename, "/a/b.gguf", "/c/d.gguf"));
    assert_eq!((change.new_size, change.io_uring), (None, false));
    assert_eq!(change.replaced.and_then(|replaced| replaced.id), Some(FileId { device: 0x30, inode: 78 }));
    let Body::FileChange(change) = body(&samples::change(Kind::Truncate, "/a/b.gguf", "")) else { panic!() };
    assert_eq!((change.change, &*change.new_path, change.new_size), (Change::Truncate, "", Some(0)));
    assert_eq!(change.replaced, None);
}

#[test]
fn an_exec_tells_what_is_behind_its_first_descriptors_and_whether_it_is_setuid() {
    let mut fixed: record::Exec = record::Exec::read_from_prefix(&samples::exec()).unwrap().0;
    (fixed.path.len, fixed.directory.len, fixed.args) = (0, 0, 0);
    for (code, stream) in Stream::ALL.into_iter().enumerate() {
        assert_eq!(stream as usize, code);
        fixed.streams = [stream as u8, 0, Stream::Pipe as u8];
        let Body::Exec(exec) = body(&samples::record(&fixed, &[])) else { panic!() };
        assert_eq!(exec.streams, [stream, Stream::None, Stream::Pipe]);
        assert!(!exec.setuid && !exec.args_cut);
    }
    fixed.flags = record::exec_flags::SETUID;
    let Body::Exec(exec) = body(&samples::record(&fixed, &[])) else { panic!() };
    assert!(exec.setuid && !exec.args_cut);
    fixed.streams[2] = Stream::ALL.len() as u8;
    assert_eq!(decode(&samples::record(&fixed, &[])), Err(Malformed::Code { what: "exec", code: 10 }));
}

#[test]
fn a_socket_listens_at_an_address_that_may_be_every_one() {
    let Body::Listen(listen) = body(&samples::listen()) else { panic!() };
    assert_eq!((listen.address, listen.port, listen.socket_cookie), ("127.0.0.1".parse().unwrap(), Some(8000), 33));
    let mut fixed: record::Listen = record::Listen::read_from_prefix(&samples::listen()).unwrap().0;
    (fixed.endpoints.family, fixed.endpoints.local_port, fixed.endpoints.local_address) = (10, 0, [0; 16]);
    let Body::Listen(listen) = body(&samples::record(&fixed, &[])) else { panic!() };
    assert_eq!((listen.address, listen.port), ("::".parse().unwrap(), None));
    fixed.endpoints.family = 1;
    assert_eq!(decode(&samples::record(&fixed, &[])), Err(Malformed::Family(1)));
}

#[test]
fn what_is_done_to_the_system_is_told_in_words() {
    use crate::event::{Field, Value};
    for (bytes, expected) in [
        (
            samples::socket(),
            vec![(Field::SocketFamily, "inet"), (Field::SocketType, "raw"), (Field::SocketProtocol, "1")],
        ),
        (
            samples::access(),
            vec![
                (Field::AccessHow, "process_vm_readv"),
                (Field::AccessTargetPid, "102"),
                (Field::AccessTargetId, "102-600"),
            ],
        ),
        (
            samples::bpf(),
            vec![
                (Field::BpfCommand, "map_get_fd_by_id"),
                (Field::BpfObject, "map"),
                (Field::BpfObjectId, "17"),
                (Field::BpfOwn, "true"),
            ],
        ),
        (samples::module(), vec![(Field::ModuleName, "nothing"), (Field::ModuleTaints, "8192")]),
        (
            samples::mount(),
            vec![
                (Field::MountHow, "mount"),
                (Field::MountSource, "/dev/sda1"),
                (Field::MountTarget, "/mnt"),
                (Field::MountFilesystem, "ext4"),
                (Field::MountFlags, "1"),
            ],
        ),
        (
            samples::transfer("/tmp/copy"),
            vec![
                (Field::TransferCarrier, "file"),
                (Field::TransferDirection, "out"),
                (Field::TransferBytes, "3000000"),
                (Field::FilePath, "/tmp/copy"),
            ],
        ),
        (samples::namespace(), vec![(Field::NamespaceHow, "setns"), (Field::NamespaceType, "mnt")]),
    ] {
        let event = decode(&bytes).unwrap();
        for (field, value) in expected {
            let got = match field.get(&event).unwrap() {
                Value::Text(text) => text.into_owned(),
                Value::Number(number) => number.to_string(),
                Value::Flag(flag) => flag.to_string(),
                Value::List(list) => list.join(" "),
                Value::Ratio(_) => panic!("no ratio is here"),
            };
            assert_eq!(got, value, "{}", field.name());
        }
    }
}

#[test]
fn a_code_that_means_nothing_is_malformed() {
    let mut fixed: record::Namespace = record::Namespace::read_from_prefix(&samples::namespace()).unwrap().0;
    fixed.how = 9;
    let expected = Malformed::Code { what: "namespace", code: 9 };
    assert_eq!(decode(&samples::record(&fixed, &[])), Err(expected));
}

#[test]
fn paths_are_joined_root_first() {
    for (tail, flags, path, cut) in [
        (b"c\0b\0a\0".as_slice(), 0, "/a/b/c", false),
        (b"", 0, "/", false),
        (b"/\0", 0, "/", false),
        (b"c\0/\0", 0, "/c", false),
        (b"c\0b", 0, "/b/c", false),
        (b"c\0\0a\0", 0, "/a/c", false),
        (b"c\xff\0b\0", 0, "/b/c\\xff", false),
        ("gr\u{fc}n\0b\0".as_bytes(), 0, "/b/gr\u{fc}n", false),
        (b"python\0bin\0usr\0", path_flags::CUT, "usr/bin/python", true),
        (b"a\xff\0b\0", path_flags::FAULT, "b/a\\xff", true),
        (b"", path_flags::CUT, "", true),
        (b"", path_flags::FAULT, "", true),
        (b"memfd:x\0", path_flags::PSEUDO, "/memfd:x", false),
        (b"memfd:\xff\0", path_flags::PSEUDO, "/memfd:\\xff", false),
        (b"pipe:[17]\0", path_flags::PSEUDO, "pipe:[17]", false),
        (b"a\\xffb\0c\0", 0, "/c/a\\x5cxffb", false),
        (b"a\\ b\0", 0, "/a\\ b", false),
        (b"../m.gguf\0", path_flags::UNRESOLVED, "../m.gguf", false),
        (b"x\0y\0", path_flags::UNRESOLVED, "x", false),
    ] {
        let file = opened(tail, flags);
        assert_eq!(&*file.path, path, "{tail:?} {flags}");
        assert_eq!(file.path_cut, cut, "{tail:?} {flags}");
        assert_eq!(file.id.is_none(), flags & path_flags::UNRESOLVED != 0);
    }
}

#[test]
fn an_exec_is_program_parent_arguments_and_directory() {
    let Body::Exec(exec) = body(&samples::exec()) else { panic!() };
    assert_eq!(&*exec.file.path, "/usr/bin/python3.11");
    assert_eq!(exec.parent, Some(ProcessKey { pid: 99, start_ticks: 90 }));
    assert_eq!(exec.args.iter().map(|arg| &**arg).collect::<Vec<_>>(), ["python3", "serve.py", "--port", "80"]);
    assert!(!exec.args_cut);
    assert_eq!(&*exec.working_directory, "/srv");
}

#[test]
fn arguments_may_be_empty_cut_or_unreadable() {
    for (args, flags, expected, cut) in [
        (b"".as_slice(), exec_flags::ARGS_FAULT, &[][..], true),
        (b"\0", 0, &[""], false),
        (b"sh\0\0-c\0", 0, &["sh", "", "-c"], false),
        (b"sh\0-c\0unfinis", exec_flags::ARGS_CUT, &["sh", "-c", "unfinis"], true),
        (b"a\xfe\0", 0, &["a\\xfe"], false),
    ] {
        let mut fixed: record::Exec = record::Exec::read_from_prefix(&samples::exec()).unwrap().0;
        (fixed.path.len, fixed.directory.len, fixed.directory.flags) = (0, 0, path_flags::FAULT);
        (fixed.args, fixed.flags, fixed.parent.start_time) = (args.len() as u16, flags, 0);
        let Body::Exec(exec) = body(&samples::record(&fixed, args)) else { panic!() };
        assert_eq!(exec.args.iter().map(|arg| &**arg).collect::<Vec<_>>(), expected);
        assert_eq!((exec.args_cut, exec.parent, &*exec.working_directory), (cut, None, ""));
    }
}

#[test]
fn an_exit_is_a_code_or_a_signal_as_wait_says() {
    for (status, code, signal) in [
        (0, Some(0), None),
        (1 << 8, Some(1), None),
        (0xff00, Some(255), None),
        (0x1_0100, Some(1), None),
        (9, None, Some(9)),
        (0x8b, None, Some(11)),
    ] {
        assert_eq!(body(&samples::exit(status)), Body::Exit(Exit { code, signal }), "{status:#x}");
    }
}

#[test]
fn a_connect_is_from_where_to_where() {
    let Body::Connect(connect) = body(&samples::connect(samples::endpoints())) else { panic!() };
    assert_eq!(connect.socket_cookie, 31);
    assert_eq!((connect.endpoints.local_address, connect.endpoints.local_port), (None, None));
    assert_eq!(connect.endpoints.peer_address, "192.0.2.7".parse::<IpAddr>().unwrap());
    assert_eq!((connect.endpoints.peer_port, connect.endpoints.transport), (443, Transport::Tcp));
}

#[test]
fn ipv6_is_itself_unless_it_carries_ipv4() {
    for (local, peer, expected_local, expected_peer) in [
        ("2001:db8::1", "2001:db8::2", Some("2001:db8::1"), "2001:db8::2"),
        ("::", "::1", None, "::1"),
        ("::ffff:0.0.0.0", "::ffff:192.0.2.7", None, "192.0.2.7"),
        ("::ffff:10.0.0.1", "::ffff:192.0.2.7", Some("10.0.0.1"), "192.0.2.7"),
    ] {
        let octets = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
        let (local_address, peer_address) = (octets(local), octets(peer));
        let endpoints =
            Endpoints { local_address, peer_address, local_port: 5, peer_port: 53, family: 10, protocol: 17 };
        let Body::Connect(connect) = body(&samples::connect(endpoints)) else { panic!() };
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(connect.endpoints.local_address, expected_local.map(address));
        assert_eq!(connect.endpoints.peer_address, address(expected_peer));
        assert_eq!((connect.endpoints.local_port, connect.endpoints.transport), (Some(5), Transport::Udp));
    }
}

#[test]
fn a_flow_is_what_left_so_far() {
    for (reason, expected) in [(1, FlowReason::First), (2, FlowReason::Grown), (3, FlowReason::Closed)] {
        let Body::Flow(flow) = body(&samples::flow(samples::endpoints(), reason, 0b101)) else { panic!() };
        assert_eq!((flow.bytes, flow.packets, flow.first_time), (3_000_000, 50, BootTime(5_500_000_000)));
        assert_eq!((flow.reason, flow.initiated, flow.owner_guessed, flow.peers_merged), (expected, true, false, true));
    }
}

#[test]
fn what_a_raw_socket_sends_nobody_asked_for() {
    for (protocol, expected) in [(6, false), (17, false), (1, true), (253, true)] {
        let endpoints = record::Endpoints { protocol, ..samples::endpoints() };
        let Body::Flow(flow) = body(&samples::flow(endpoints, 1, 0)) else { panic!() };
        assert_eq!(flow.initiated, expected, "{protocol}");
    }
}

#[test]
fn a_cgroup_is_its_id_and_path() {
    let expected = Cgroup { key: CgroupKey { hierarchy: 0, id: 5151 }, path: "/a/b".into() };
    assert_eq!(body(&samples::cgroup("/a/b")), Body::Cgroup(expected));
}

#[test]
fn what_cannot_be_right_is_refused_with_its_reason() {
    let with = |change: fn(&mut Header)| {
        let mut header = samples::header(Kind::Exit, Hook::SchedProcessExit);
        header.size = size_of::<record::Exit>() as u32;
        change(&mut header);
        decode(record::Exit { header, status: 0, reserved: 0 }.as_bytes()).map(drop)
    };
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|h| h.version = 99), Err(Malformed::Version(99)));
    assert_eq!(with(|h| h.kind = 0), Err(Malformed::Kind(0)));
    assert_eq!(with(|h| h.kind = 250), Err(Malformed::Kind(250)));
    assert_eq!(with(|h| h.hook = 0), Err(Malformed::Hook(0)));
    assert_eq!(with(|h| h.hook = 255), Err(Malformed::Hook(255)));
    let have = size_of::<record::Exit>();
    assert_eq!(with(|h| h.size += 1), Err(Malformed::Size { said: have as u32 + 1, have }));
    assert_eq!(with(|h| h.size -= 1), Err(Malformed::Short { what: "exit", have: have - 1, need: have }));
    assert_eq!(with(|h| h.size = 0), Err(Malformed::Short { what: "exit", have: 0, need: have }));
    assert_eq!(decode(&[]).map(drop), Err(Malformed::Short { what: "a header", have: 0, need: size_of::<Header>() }));

    let flow = |reason| decode(&samples::flow(samples::endpoints(), reason, 0)).map(drop);
    assert_eq!(flow(4), Err(Malformed::Reason(4)));
    let family = Endpoints { family: 1, ..samples::endpoints() };
    assert_eq!(decode(&samples::connect(family)).map(drop), Err(Malformed::Family(1)));
    let mut fixed: Open = Open::read_from_prefix(&samples::open("/")).unwrap().0;
    fixed.path.len = 5;
    assert_eq!(decode(&samples::record(&fixed, b"a\0")).map(drop), Err(Malformed::Tail { said: 5, have: 2 }));
}

#[test]
fn records_decode_at_any_alignment_and_with_bytes_behind_them() {
    for record in samples::all() {
        let expected = decode(&record).unwrap();
        for shift in 0..8 {
            let shifted = [&[0xaa; 8][..shift], &record, &[0xaa; 3]].concat();
            assert_eq!(decode(&shifted[shift..]), Ok(expected.clone()));
        }
    }
}

#[test]
fn every_truncation_is_refused_and_none_panics() {
    for record in samples::all() {
        for length in 0..record.len() {
            assert!(decode(&record[..length]).is_err(), "{length} of {} bytes", record.len());
        }
    }
}

#[test]
fn no_flipped_bit_and_no_byte_value_panics() {
    for record in samples::all() {
        for at in 0..record.len() {
            for value in 0..=255 {
                let mut changed = record.clone();
                changed[at] = value;
                if let Ok(event) = decode(&changed) {
                    check_bounds(&event, changed.len());
                }
            }
        }
    }
}

/// Text may grow fourfold by escaping and by a slash, no more.
fn check_bounds(event: &Event, record: usize) {
    let file = match &event.body {
        Body::Open(open) => &open.file,
        Body::Exec(exec) => &exec.file,
        _ => return,
    };
    assert!(file.path.len() <= 4 * record + 1);
}

#[test]
fn a_dns_message_is_what_it_says_and_a_hello_its_bytes() {
    let Body::Dns(query) = body(&samples::dns(DnsDirection::Query)) else { panic!() };
    assert_eq!((query.direction, query.socket_cookie, query.size), (DnsDirection::Query, 32, 36));
    assert_eq!((query.endpoints.peer_port, query.endpoints.transport), (53, Transport::Udp));
    let said = query.message.unwrap();
    assert_eq!((&*said.name, said.name_bytes, said.kind, said.response), ("models.example.org", 19, 1, false));
    let Body::Dns(answer) = body(&samples::dns(DnsDirection::Answer)) else { panic!() };
    let addresses = ["192.0.2.7", "192.0.2.8"].map(|address| (address.parse().unwrap(), 60));
    assert_eq!(answer.message.unwrap().addresses, addresses);

    for size in [11, 1500] {
        let payload = vec![0x16; size];
        let Body::Hello(hello) = body(&samples::hello(&payload)) else { panic!() };
        assert_eq!((&*hello.bytes, hello.offset, hello.size as usize), (&*payload, 0, size), "not what is behind it");
    }
}

#[test]
fn a_payload_beyond_its_record_and_an_unknown_direction_are_refused() {
    let mut bytes = samples::dns(DnsDirection::Query);
    let at = std::mem::offset_of!(record::Dns, length);
    bytes[at..at + 4].copy_from_slice(&257u32.to_ne_bytes());
    assert_eq!(decode(&bytes), Err(Malformed::Tail { said: 257, have: 256 }));
    let mut bytes = samples::dns(DnsDirection::Query);
    bytes[std::mem::offset_of!(record::Dns, direction)] = 3;
    assert_eq!(decode(&bytes), Err(Malformed::Code { what: "dns", code: 3 }));
    let mut bytes = samples::hello(b"x");
    let at = std::mem::offset_of!(record::Hello, length);
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert!(matches!(decode(&bytes), Err(Malformed::Tail { .. })));
}
