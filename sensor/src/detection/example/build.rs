//! Events out of fields.

use super::Category;
use crate::event::{
    Access, Ancestor, Body, BootTime, Class, Classes, Connect, DeclaredAs, Declares, Dns, DnsChannel, DnsDirection,
    DnsMessage, Egress, Endpoints, Event, Exec, Field, File, FileId, Flow, FlowReason, Held, Identity, Label, NamedBy,
    Open, Owner, Process, ProcessKey, Role, Server, Stream, Transport, Workload, WorkloadKind,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use yaml_serde::Value;

/// Whether events of `category` can have `field`.
pub fn carries(category: Category, field: Field) -> bool {
    static FULL: LazyLock<Vec<Event>> = LazyLock::new(|| Category::ALL.into_iter().map(full).collect());
    FULL.get(category as usize).is_some_and(|event| field.get(event).is_some())
}

/// An event of `category` that has every field that such events can have.
pub fn full(category: Category) -> Event {
    let mut event = Event::new(BootTime(0), Some(crate::event::Hook::SysExit), Default::default(), blank(category));
    event.actor.process = Some(ProcessKey { pid: 1, start_ticks: 1 });
    (event.actor.vpid, event.actor.tid, event.actor.comm) = (1, 1, "x".into());
    (event.actor.cgroup.id, event.actor.mount_namespace, event.actor.pid_namespace) = (1, 1, 1);
    let ancestor = Ancestor { executable: "/x".into(), command_line: "x".into(), ..Ancestor::default() };
    event.process = Some(Arc::new(Process {
        root: ProcessKey { pid: 1, start_ticks: 1 },
        executable: "/x".into(),
        args: ["x".into()].into(),
        working_directory: "/".into(),
        lineage: [ancestor].into(),
        ..Process::default()
    }));
    event.workload = Some(Arc::new(Workload {
        id: "x".into(),
        container_id: Some("x".into()),
        runtime: Some("docker".into()),
        pod_uid: Some("x".into()),
        systemd_unit: Some("x".into()),
        slurm_job: Some("x".into()),
        cgroup_path: "/x".into(),
        kind: WorkloadKind::Container,
        identity: Some(Arc::new(Identity {
            namespace: Some("x".into()),
            // As if all kinds of owners had made the pod.
            pod_name: Some("x-x-x".into()),
            labels: [
                ("pod-template-hash".into(), "x".into()),
                ("statefulset.kubernetes.io/pod-name".into(), "x".into()),
                ("pod-template-generation".into(), "x".into()),
                ("job-name".into(), "x".into()),
            ]
            .into(),
            container_name: Some("x".into()),
            image: Some("x".into()),
            image_tags: ["x".into()].into(),
            image_id: Some("x".into()),
            image_digests: ["x".into()].into(),
            pod_uid: Some("x".into()),
            runtime: Some("x".into()),
            owners: Some(["ReplicaSet", "StatefulSet", "DaemonSet", "Job"].map(owner).into()),
            service_account: Some("x".into()),
            pod_ip: Some(Ipv4Addr::LOCALHOST.into()),
            node_name: Some("x".into()),
        })),
    }));
    (event.role, event.declared) = (Some(Role::Serving), DeclaredAs { loader: true, writer: true });
    event.declares = Declares { loaders: true, writers: true, destinations: true };
    if let Some(file) = file_mut(&mut event.body) {
        // One that is in every class: as that of a process in a proc file system it has a number above it.
        let classes = Class::ALL.into_iter().fold(Classes(0), Classes::with);
        *file = File { id: Some(FileId::default()), path: "/1/x.x".into(), classes, ..File::default() };
    }
    super::system::fill(&mut event.body);
    if matches!(event.body, Body::Open(_) | Body::FileChange(_)) {
        event.brought = Some(true);
    }
    event.entered = Some(true);
    if super::egress::holds(&event.body) {
        event.held = Some(Held { sources: 1, bytes: 1 });
        event.trail = Some(Box::default());
    }
    if matches!(event.body, Body::Transfer(_) | Body::ProcessAccess(_)) {
        event.trail = Some(super::trail::full());
    }
    if let Some(endpoints) = endpoints_mut(&mut event.body) {
        (endpoints.local_address, endpoints.local_port) = (Some(Ipv4Addr::LOCALHOST.into()), Some(1));
        event.egress = Some(super::egress::full());
        event.trail = Some(super::trail::full());
        if !matches!(event.body, Body::Dns(_)) {
            let name = Some(Arc::from("x"));
            event.server = Some(Server { name: name.clone(), by: NamedBy::Dns, tls: name, disagrees: true });
        }
    }
    event
}

/// One that manages the pod.
fn owner(kind: &str) -> Owner {
    Owner { kind: kind.into(), name: "x-x".into(), controller: true }
}

fn blank(category: Category) -> Body {
    let endpoints = Endpoints {
        local_address: None,
        local_port: None,
        peer_address: Ipv4Addr::UNSPECIFIED.into(),
        peer_port: 0,
        transport: Transport::Tcp,
    };
    match category {
        Category::ProcessCreation => Body::Exec(Exec {
            file: File::default(),
            parent: None,
            args: Box::default(),
            args_cut: false,
            working_directory: "".into(),
            streams: Default::default(),
            setuid: false,
        }),
        Category::FileAccess | Category::FileEvent => {
            let access = if category == Category::FileEvent { Access::Write } else { Access::Read };
            Body::Open(Open {
                file: File::default(),
                access,
                flags: 0,
                io_uring: false,
                candidate: false,
                carrier: false,
                created: false,
            })
        }
        Category::NetworkConnection => Body::Connect(Connect { endpoints, socket_cookie: 1, label: Label::default() }),
        Category::NetworkFlow | Category::Egress => Body::Flow(Flow {
            endpoints,
            socket_cookie: 1,
            bytes: 0,
            packets: 0,
            first_time: BootTime(0),
            reason: FlowReason::Grown,
            initiated: true,
            owner_guessed: false,
            peers_merged: false,
            label: Label::default(),
        }),
        Category::DnsQuery => Body::Dns(Dns {
            endpoints: Endpoints { transport: Transport::Udp, ..endpoints },
            socket_cookie: 1,
            direction: DnsDirection::Query,
            size: 0,
            message: None,
            channel: None,
        }),
        other => super::system::blank(other),
    }
}

fn file_mut(body: &mut Body) -> Option<&mut File> {
    match body {
        Body::Open(open) => Some(&mut open.file),
        Body::Exec(exec) => Some(&mut exec.file),
        Body::FileChange(change) => Some(&mut change.file),
        Body::Transfer(transfer) => Some(&mut transfer.file),
        _ => None,
    }
}

fn endpoints_mut(body: &mut Body) -> Option<&mut Endpoints> {
    match body {
        Body::Connect(connect) => Some(&mut connect.endpoints),
        Body::Flow(flow) => Some(&mut flow.endpoints),
        Body::Dns(dns) => Some(&mut dns.endpoints),
        _ => None,
    }
}

/// An event of `category` with these fields. The error names the first field that such an event cannot have so.
pub fn event(category: Category, time: BootTime, fields: &[(Field, Value)]) -> Result<Event, String> {
    let mut event = Event::new(time, None, Default::default(), blank(category));
    let mut process = Process { key: ProcessKey { pid: 100, start_ticks: 1 }, ..Process::default() };
    let mut workload = Workload::default();
    let mut server = Server { name: None, by: NamedBy::Address, tls: None, disagrees: false };
    let mut has_server = false;
    let mut held = Held { sources: 0, bytes: 0 };
    let mut egress = Egress::default();
    let (mut has_process, mut has_workload, mut has_held, mut has_egress) = (false, false, false, false);
    for (field, value) in fields {
        let name = field.name();
        if *field == Field::WorkloadRole {
            event.role = Role::from_name(&text(value));
        } else if *field == Field::WorkloadDeclares {
            event.declares = list(value).iter().fold(Declares::default(), |all, name| all.with(name));
        } else if *field == Field::ProcessDeclared {
            event.declared = list(value).iter().fold(DeclaredAs::default(), |all, name| all.with(name));
        } else if name.starts_with("process.") || name.starts_with("weir.process.") || *field == Field::LineageId {
            has_process = true;
            process_field(*field, value, &mut process, &mut event);
        } else if workload_field(*field, value, &mut workload) {
            has_workload = true;
        } else if held_field(*field, value, &mut held) {
            has_held = true;
        } else if server_field(*field, value, &mut server) {
            has_server = true;
        } else if *field == Field::FileBrought {
            event.brought = value.as_bool();
        } else if super::trail::set(*field, value, &mut event.trail) {
        } else if super::egress::set(*field, value, &mut egress) {
            has_egress = true;
        } else {
            body_field(*field, value, &mut event.body);
        }
    }
    if has_process {
        event.actor.process = Some(process.key);
        event.process = Some(Arc::new(process));
    }
    event.workload = has_workload.then(|| Arc::new(workload));
    event.server = has_server.then_some(server);
    if has_held && let Some(exfil) = &mut egress.exfil {
        // Examples have one source.
        exfil.largest = held.bytes;
    }
    event.held = has_held.then_some(held).filter(|_| super::egress::holds(&event.body));
    event.egress = has_egress.then(|| Box::new(egress));
    for (field, value) in fields {
        let got = field.get(&event).map(|got| shown(&got));
        if got.as_deref() != Some(&*text(value)) {
            let category = category.name();
            return Err(match got {
                None => format!("an event of {category} cannot have `{}: {}`", field.name(), text(value)),
                Some(got) => {
                    format!("`{}: {}` goes not with the other fields, which make it {got}", field.name(), text(value))
                }
            });
        }
    }
    Ok(event)
}

fn process_field(field: Field, value: &Value, process: &mut Process, event: &mut Event) {
    let parent = |process: &mut Process, change: &dyn Fn(&mut Ancestor)| {
        let mut lineage = process.lineage.to_vec();
        if lineage.is_empty() {
            lineage.push(Ancestor::default());
        }
        lineage.iter_mut().take(1).for_each(change);
        process.lineage = lineage.into();
    };
    match field {
        Field::LineageId => {
            let number = |text: &str| text.parse::<u64>().unwrap_or(0);
            let text = text(value);
            let (pid, start) = text.split_once('-').unwrap_or((&text, "1"));
            process.root = ProcessKey { pid: u32::try_from(number(pid)).unwrap_or(0), start_ticks: number(start) };
        }
        Field::ProcessPid => process.key.pid = u32::try_from(number(value)).unwrap_or(u32::MAX),
        Field::ProcessVpid => process.vpid = u32::try_from(number(value)).unwrap_or(u32::MAX),
        Field::ProcessExecutablePath => process.executable = text(value).into(),
        Field::ProcessExecutableName if process.executable.is_empty() => process.executable = text(value).into(),
        Field::ProcessCommandLine if process.args.is_empty() => process.args = [text(value).into()].into(),
        Field::ProcessCommandArgs => process.args = list(value).into_iter().map(Box::from).collect(),
        Field::ProcessWorkingDirectory => process.working_directory = text(value).into(),
        Field::ProcessUserId => event.actor.uid = u32::try_from(number(value)).unwrap_or(u32::MAX),
        Field::ProcessGroupId => event.actor.gid = u32::try_from(number(value)).unwrap_or(u32::MAX),
        Field::ProcessAncestors => {
            let first = process.lineage.first().cloned();
            let ancestor = |name: String| Ancestor {
                executable: name.into(),
                command_line: first.as_ref().map(|f| f.command_line.clone()).unwrap_or_default(),
                ..Ancestor::default()
            };
            process.lineage = list(value).into_iter().map(ancestor).collect();
        }
        Field::ProcessParentExecutablePath | Field::ProcessParentExecutableName => {
            parent(process, &|ancestor| ancestor.executable = text(value).into());
        }
        Field::ProcessEntered => event.entered = value.as_bool(),
        Field::ProcessStdin => stream(event, 0, value),
        Field::ProcessStdout => stream(event, 1, value),
        Field::ProcessStderr => stream(event, 2, value),
        Field::ProcessSetuid => {
            if let Body::Exec(exec) = &mut event.body {
                exec.setuid = value.as_bool() == Some(true);
            }
        }
        Field::ProcessParentCommandLine => parent(process, &|ancestor| ancestor.command_line = text(value).into()),
        _ => {}
    }
}

fn stream(event: &mut Event, descriptor: usize, value: &Value) {
    let Body::Exec(exec) = &mut event.body else { return };
    let found = Stream::ALL.into_iter().find(|stream| stream.name() == text(value));
    if let (Some(stream), Some(found)) = (exec.streams.get_mut(descriptor), found) {
        *stream = found;
    }
}

fn workload_field(field: Field, value: &Value, workload: &mut Workload) -> bool {
    let kinds = [WorkloadKind::Container, WorkloadKind::SlurmJob, WorkloadKind::SystemdUnit, WorkloadKind::Host];
    match field {
        Field::WorkloadId => workload.id = text(value).into(),
        Field::WorkloadKind => {
            workload.kind = kinds.into_iter().find(|kind| kind.name() == text(value)).unwrap_or_default();
        }
        Field::ContainerId => workload.container_id = Some(text(value).into()),
        Field::PodUid => workload.pod_uid = Some(text(value).into()),
        Field::SystemdUnit => workload.systemd_unit = Some(text(value).into()),
        Field::SlurmJob => workload.slurm_job = Some(text(value).into()),
        Field::CgroupPath => workload.cgroup_path = text(value).into(),
        _ => return identity_field(field, value, workload),
    }
    true
}

fn identity_field(field: Field, value: &Value, workload: &mut Workload) -> bool {
    let mut identity = workload.identity.as_deref().cloned().unwrap_or_default();
    let given = || Some(text(value).into());
    let all = || list(value).into_iter().map(Into::into).collect();
    match field {
        Field::NamespaceName => identity.namespace = given(),
        Field::PodName => identity.pod_name = given(),
        Field::ContainerName => identity.container_name = given(),
        Field::ContainerImageName => identity.image = given(),
        Field::ContainerImageTags => identity.image_tags = all(),
        Field::ContainerImageId => identity.image_id = given(),
        Field::ContainerImageDigests => identity.image_digests = all(),
        Field::WorkloadLabels => {
            let label = |label: &String| label.split_once('=').map(|(key, value)| (key.into(), value.into()));
            identity.labels = list(value).iter().filter_map(label).collect();
        }
        // The owner follows from the labels and the pod's name.
        _ => return false,
    }
    workload.identity = Some(Arc::new(identity));
    true
}

fn held_field(field: Field, value: &Value, held: &mut Held) -> bool {
    match field {
        Field::HeldBytes => held.bytes = number(value),
        Field::HeldSources => held.sources = number(value),
        _ => return false,
    }
    true
}

fn server_field(field: Field, value: &Value, server: &mut Server) -> bool {
    let name = || Some(Arc::from(text(value)));
    match field {
        Field::ServerAddress => server.name = name(),
        Field::DestinationBy => {
            let found = NamedBy::ALL.into_iter().find(|by| by.name() == text(value));
            server.by = found.unwrap_or(server.by);
        }
        Field::TlsServerName => server.tls = name(),
        Field::TlsDisagrees => server.disagrees = value.as_bool() == Some(true),
        _ => return false,
    }
    true
}

fn body_field(field: Field, value: &Value, body: &mut Body) {
    if let Some(file) = file_mut(body) {
        let path = text(value);
        match field {
            Field::FilePath => file.path = path.into(),
            Field::FileName if file.path.is_empty() => file.path = path.into(),
            Field::FileClass => {
                let classes =
                    list(value).iter().filter_map(|name| Class::from_name(name)).fold(Classes(0), Classes::with);
                file.classes = classes;
            }
            Field::FileSize => file.size = number(value),
            Field::FileLinks => file.links = u32::try_from(number(value)).unwrap_or(u32::MAX),
            Field::FileMemory => file.filesystem = if value.as_bool() == Some(true) { 0x0102_1994 } else { 0xef53 },
            Field::FileOwnerId => file.uid = u32::try_from(number(value)).unwrap_or(u32::MAX),
            _ => {}
        }
        if matches!(field, Field::FileSize | Field::FileLinks | Field::FileMemory | Field::FileOwnerId) {
            if file.id.is_none() && field != Field::FileLinks {
                file.links = file.links.max(1);
            }
            file.id = Some(FileId { device: 1, inode: 1 });
        }
    }
    if let (Body::Open(open), Field::FileAccess) = (&mut *body, field) {
        let all = [Access::Read, Access::Write, Access::ReadWrite, Access::None];
        open.access = all.into_iter().find(|access| access.name() == text(value)).unwrap_or(Access::None);
    }
    if let (Body::Open(open), Field::FileCreated) = (&mut *body, field) {
        open.created = value.as_bool() == Some(true);
    }
    super::system::set(field, value, body);
    if let Some(endpoints) = endpoints_mut(body) {
        let port = u16::try_from(number(value)).unwrap_or(0);
        let address = || text(value).parse::<IpAddr>();
        match field {
            Field::NetworkPeerAddress => endpoints.peer_address = address().unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            Field::NetworkPeerPort => endpoints.peer_port = port,
            Field::NetworkLocalAddress => endpoints.local_address = address().ok(),
            Field::NetworkLocalPort => endpoints.local_port = Some(port),
            Field::NetworkTransport if text(value) == "udp" => endpoints.transport = Transport::Udp,
            _ => {}
        }
    }
    if let Body::Flow(flow) = body {
        match field {
            Field::FlowBytes => flow.bytes = number(value),
            Field::FlowPackets => flow.packets = number(value),
            Field::SocketCookie => flow.socket_cookie = number(value),
            Field::ConnectionInitiated => flow.initiated = value.as_bool() == Some(true),
            Field::FlowReason => {
                let all = [FlowReason::First, FlowReason::Grown, FlowReason::Closed];
                flow.reason = all.into_iter().find(|reason| reason.name() == text(value)).unwrap_or(flow.reason);
            }
            _ => {}
        }
    }
}

/// Every field that a query can have.
pub(super) fn fill_dns(dns: &mut Dns) {
    let message =
        DnsMessage { id: 1, response: false, code: 0, name: "x".into(), name_bytes: 1, kind: 1, addresses: vec![] };
    dns.message = Some(Box::new(message));
    dns.channel = Some(DnsChannel { registered_domain: "x".into(), query_bytes: 1, distinct_labels: 1 });
}

pub(super) fn dns_field(field: Field, value: &Value, dns: &mut Dns) {
    let blank = DnsChannel { registered_domain: "".into(), query_bytes: 0, distinct_labels: 0 };
    match field {
        Field::DnsQuestionName => {
            let channel = dns.channel.take();
            fill_dns(dns);
            dns.channel = channel;
            dns.message.iter_mut().for_each(|message| message.name = text(value).into());
        }
        Field::DnsRegisteredDomain => dns.channel.get_or_insert(blank).registered_domain = text(value).into(),
        Field::DnsQueryBytes => dns.channel.get_or_insert(blank).query_bytes = number(value),
        Field::DnsDistinctLabels => dns.channel.get_or_insert(blank).distinct_labels = number(value),
        _ => {}
    }
}

pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

pub(super) fn list(value: &Value) -> Vec<String> {
    value.as_sequence().map_or_else(|| vec![text(value)], |items| items.iter().map(text).collect())
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Sequence(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    }
}

fn shown(value: &crate::event::Value<'_>) -> String {
    use crate::event::Value as Of;
    match value {
        Of::Text(text) => text.to_string(),
        Of::Number(number) => number.to_string(),
        Of::Ratio(ratio) => ratio.to_string(),
        Of::Flag(flag) => flag.to_string(),
        Of::List(list) => list.join(", "),
    }
}
