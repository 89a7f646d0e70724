//! The attributes of one event as OCSF's objects: process, file, connection, question, container.

use super::rest::{Rest, object};
use serde_json::{Value, json};
use std::net::IpAddr;

/// One artefact of the proof.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Which rule it matched, or what it is.
    name: Option<String>,
    pub(super) process: Option<Value>,
    pub(super) container: Option<Value>,
    file: Option<Value>,
    source: Option<Value>,
    destination: Option<Value>,
    connection: Option<Value>,
    question: Option<Value>,
    /// Whatever else the event says, by its names.
    data: Option<Value>,
    /// What it was done to.
    pub(super) resources: Vec<Value>,
}

impl Evidence {
    /// Of the attributes of an event.
    pub(super) fn of(name: Option<String>, mut rest: Rest) -> Evidence {
        let resources = resources(&rest);
        let container = container(&mut rest);
        let process = process(&mut rest, container.as_ref());
        let file = file(&mut rest);
        let question = question(&mut rest);
        let (source, destination, connection) = network(&mut rest);
        Evidence {
            name,
            process,
            container,
            file,
            source,
            destination,
            connection,
            question,
            data: rest.left(),
            resources,
        }
    }

    /// As OCSF has it; nothing, if there is nothing that OCSF takes for evidence.
    pub(super) fn object(self) -> Option<Value> {
        let proof =
            [&self.process, &self.file, &self.source, &self.destination, &self.connection, &self.question, &self.data];
        if proof.iter().all(|part| part.is_none()) {
            return None;
        }
        object([
            ("name", self.name.map(Value::from)),
            ("process", self.process),
            ("container", self.container),
            ("file", self.file),
            ("src_endpoint", self.source),
            ("dst_endpoint", self.destination),
            ("connection_info", self.connection),
            ("query", self.question),
            ("data", self.data),
        ])
    }

    /// What it can be found by. The numbers are those of OCSF's `observable.type_id`.
    pub(super) fn observables(&self) -> impl Iterator<Item = Value> + '_ {
        let places: [(&str, u64, &str, &Option<Value>, &str); 10] = [
            ("evidences[].process.name", 9, "Process Name", &self.process, "/name"),
            ("evidences[].process.path", 45, "File Path", &self.process, "/path"),
            ("evidences[].process.cmd_line", 13, "Command Line", &self.process, "/cmd_line"),
            ("evidences[].file.path", 45, "File Path", &self.file, "/path"),
            ("evidences[].src_endpoint.ip", 2, "IP Address", &self.source, "/ip"),
            ("evidences[].dst_endpoint.ip", 2, "IP Address", &self.destination, "/ip"),
            ("evidences[].dst_endpoint.hostname", 1, "Hostname", &self.destination, "/hostname"),
            ("evidences[].query.hostname", 1, "Hostname", &self.question, "/hostname"),
            ("evidences[].container.uid", 10, "Resource UID", &self.container, "/uid"),
            ("evidences[].container.pod_uuid", 10, "Resource UID", &self.container, "/pod_uuid"),
        ];
        places.into_iter().filter_map(|(name, type_id, caption, part, pointer)| {
            let value = part.as_ref()?.pointer(pointer)?.as_str()?;
            Some(json!({ "name": name, "type_id": type_id, "type": caption, "value": value }))
        })
    }
}

fn container(rest: &mut Rest) -> Option<Value> {
    rest.get("container.id")?;
    let pod = rest.get("k8s.pod.uid").and_then(Value::as_str).is_some_and(is_uuid);
    let image = rest.text("container.image.name");
    let uid = rest.text("container.image.id").or_else(|| image.clone());
    object([
        ("uid", rest.text("container.id").map(Value::from)),
        ("name", rest.text("container.name").map(Value::from)),
        ("image", uid.and_then(|uid| object([("uid", Some(uid.into())), ("name", image.map(Value::from))]))),
        ("runtime", rest.text("container.runtime.name").map(Value::from)),
        ("orchestrator", rest.get("k8s.pod.uid").map(|_| "kubernetes".into())),
        // Static pods have the digest of their file for an id, which is no UUID: that stays by its name.
        ("pod_uuid", if pod { rest.text("k8s.pod.uid").map(Value::from) } else { None }),
    ])
}

fn is_uuid(text: &str) -> bool {
    let group =
        |(group, length): (&str, usize)| group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.len() == 36 && text.split('-').count() == 5 && text.split('-').zip([8, 4, 4, 4, 12]).all(group)
}

fn process(rest: &mut Rest, container: Option<&Value>) -> Option<Value> {
    if rest.get("process.pid").is_none() && rest.get("weir.process.id").is_none() {
        return None;
    }
    let user = rest.integer("process.user.id").map(|id| json!({ "uid": id.to_string() }));
    let path = rest.text("process.executable.path");
    let name = rest.text("process.executable.name").or_else(|| last(path.as_deref()?).map(str::to_owned));
    object([
        ("pid", rest.integer("process.pid").map(Value::from)),
        // Of the container profile, as the container is.
        ("namespace_pid", container.and_then(|_| rest.integer("process.vpid")).map(Value::from)),
        ("uid", rest.text("weir.process.id").map(Value::from)),
        ("tid", rest.integer("thread.id").map(Value::from)),
        ("file", path.as_deref().and_then(|path| a_file(path, name.as_deref()))),
        ("name", name.map(Value::from)),
        ("path", path.map(Value::from)),
        ("cmd_line", rest.text("process.command_line").map(Value::from)),
        ("working_directory", rest.text("process.working_directory").map(Value::from)),
        ("user", user),
        ("parent_process", parent(rest)),
        ("container", container.cloned()),
    ])
}

/// OCSF asks for its id; without one, what else is known of it stays by its names.
fn parent(rest: &mut Rest) -> Option<Value> {
    let pid = rest.integer("process.parent_pid")?;
    let path = rest.text("weir.process.parent.executable.path");
    let name = rest.text("weir.process.parent.executable.name");
    object([
        ("pid", Some(pid.into())),
        ("file", path.as_deref().and_then(|path| a_file(path, name.as_deref()))),
        ("name", name.map(Value::from)),
        ("path", path.map(Value::from)),
        ("cmd_line", rest.text("weir.process.parent.command_line").map(Value::from)),
    ])
}

fn last(path: &str) -> Option<&str> {
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

/// A program. What a file is otherwise (a directory, a device) no record says: then its type is unknown.
fn a_file(path: &str, name: Option<&str>) -> Option<Value> {
    let name = name.or_else(|| last(path)).unwrap_or(path);
    (!name.is_empty()).then(|| json!({ "path": path, "name": name, "type_id": 1, "type": "Regular File" }))
}

fn file(rest: &mut Rest) -> Option<Value> {
    let path = rest.get("file.path")?.as_str()?.to_owned();
    let name = rest.text("file.name").or_else(|| last(&path).map(str::to_owned)).unwrap_or_else(|| path.clone());
    rest.text("file.path");
    object([
        ("name", Some(name.into())),
        ("path", Some(path.into())),
        ("type_id", Some(0.into())),
        ("type", Some("Unknown".into())),
        ("parent_folder", rest.text("file.directory").map(Value::from)),
        ("ext", rest.text("file.extension").map(Value::from)),
        ("size", rest.long("file.size").map(Value::from)),
        ("uid", rest.text("file.inode").map(Value::from)),
        ("owner", rest.integer("file.owner.id").map(|id| json!({ "uid": id.to_string() }))),
    ])
}

fn question(rest: &mut Rest) -> Option<Value> {
    let name = rest.text("dns.question.name")?;
    let kind = rest.integer("weir.dns.question.type").map(|number| number.to_string().into());
    object([("hostname", Some(name.into())), ("type", kind)])
}

/// Source, destination and connection. Who asked for the connection is the source.
fn network(rest: &mut Rest) -> (Option<Value>, Option<Value>, Option<Value>) {
    let initiated = rest.get("weir.connection.initiated").and_then(Value::as_bool);
    let outbound = initiated != Some(false);
    let local = endpoint(rest, "network.local.address", "network.local.port", None);
    let name = if outbound { rest.text("server.address") } else { None };
    let peer = endpoint(rest, "network.peer.address", "network.peer.port", name);
    if local.is_none() && peer.is_none() {
        return (None, None, None);
    }
    let version = match rest.get("network.type").and_then(Value::as_str) {
        Some("ipv4") => Some(4),
        Some("ipv6") => Some(6),
        _ => None,
    };
    let transport = rest.text("network.transport");
    let number = match transport.as_deref() {
        Some("tcp") => Some(6),
        Some("udp") => Some(17),
        Some(other) => other.parse::<u8>().ok(),
        None => None,
    };
    let (direction, caption) = match initiated {
        Some(true) => (2, "Outbound"),
        Some(false) => (1, "Inbound"),
        None => (0, "Unknown"),
    };
    let cookie = rest.long("weir.socket.cookie").map(|cookie| cookie.to_string().into());
    let connection = object([
        ("direction_id", Some(direction.into())),
        ("direction", Some(caption.into())),
        ("protocol_name", transport.filter(|name| name.parse::<u8>().is_err()).map(Value::from)),
        ("protocol_num", number.map(Value::from)),
        ("protocol_ver_id", version.map(Value::from)),
        ("uid", cookie),
    ]);
    if outbound { (local, peer, connection) } else { (peer, local, connection) }
}

fn endpoint(rest: &mut Rest, address: &str, port: &str, name: Option<String>) -> Option<Value> {
    let is_ip = rest.get(address).and_then(Value::as_str).is_some_and(|text| text.parse::<IpAddr>().is_ok());
    let ip = if is_ip { rest.text(address) } else { None };
    if ip.is_none() && name.is_none() {
        return None;
    }
    let port = rest.integer(port).map(Value::from);
    object([("ip", ip.map(Value::from)), ("port", port), ("hostname", name.map(Value::from))])
}

/// Whose it was, and the classified file that it was about. These are said here and in their own places.
fn resources(rest: &Rest) -> Vec<Value> {
    let text = |name: &str| rest.get(name).and_then(Value::as_str).map(Value::from);
    let namespace = text("k8s.namespace.name");
    let container = text("container.id").and_then(|uid| {
        let name = text("container.name");
        object([
            ("type", Some("Container".into())),
            ("uid", Some(uid)),
            ("name", name),
            ("namespace", namespace.clone()),
        ])
    });
    let pod = text("k8s.pod.uid").and_then(|uid| {
        let name = text("k8s.pod.name");
        object([("type", Some("Pod".into())), ("uid", Some(uid)), ("name", name), ("namespace", namespace.clone())])
    });
    let other = match (&container, text("weir.workload.id")) {
        (None, Some(uid)) => object([("type", text("weir.workload.kind")), ("uid", Some(uid))]),
        _ => None,
    };
    let file = |path, device, inode| {
        let uid = text(device).zip(text(inode));
        let uid = uid.map(|(device, inode)| {
            format!("{}/{}", device.as_str().unwrap_or_default(), inode.as_str().unwrap_or_default()).into()
        });
        object([("type", Some("File".into())), ("name", Some(text(path)?)), ("uid", uid)])
    };
    let classified = rest.get("weir.file.class").and_then(Value::as_array).is_some_and(|classes| !classes.is_empty());
    let opened = if classified { file("file.path", "weir.file.device", "file.inode") } else { None };
    let held = file("weir.source.path", "weir.source.device", "weir.source.inode");
    [container, pod, other, opened, held].into_iter().flatten().collect()
}
