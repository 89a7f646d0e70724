//! Cyber-observable objects: processes, files, directories, addresses, names, network traffic.

use super::super::super::model::{Entry, Timeline};
use super::{id, instant};
use crate::evidence::words::Facts;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// All of a timeline, each once.
#[derive(Default)]
pub struct Observables {
    objects: BTreeMap<String, Map<String, Value>>,
    /// `weir.process.id` and the object's id.
    processes: BTreeMap<String, String>,
}

impl Observables {
    /// With its processes.
    pub fn of(timeline: &Timeline) -> Observables {
        let mut all = Observables::default();
        let host = timeline.host.as_deref().unwrap_or_default();
        for process in &timeline.processes {
            let own = id::of("process", &[host, &process.id, &process.begin.text]);
            all.processes.insert(process.id.clone(), own.clone());
            let mut members = json!({ "pid": process.pid, "created_time": instant(&process.begin) });
            if let Some(members) = members.as_object_mut() {
                if !process.command_line.is_empty() {
                    members.insert("command_line".into(), process.command_line.as_str().into());
                }
                if let Some(image) = all.file(&process.executable, None) {
                    members.insert("image_ref".into(), image.into());
                }
                // Parents come first.
                if let Some(parent) = process.parent.as_ref().and_then(|parent| all.processes.get(parent)) {
                    members.insert("parent_ref".into(), parent.as_str().into());
                }
            }
            all.add("process", own, members);
        }
        all
    }

    /// The object of a process.
    pub fn process_id(&self, process: &str) -> Option<&str> {
        self.processes.get(process).map(|id| &**id)
    }

    /// What an entry is about: the ids of its objects.
    pub fn of_entry(&mut self, entry: &Entry) -> Vec<String> {
        let facts = Facts(&entry.attributes);
        let mut references = BTreeSet::new();
        let child = facts.text("weir.process.child.id").filter(|_| entry.kind == "fork");
        for process in entry.process.as_deref().into_iter().chain(child) {
            references.extend(self.processes.get(process).cloned());
        }
        let size = facts.number("file.size");
        let paths = [(facts.text("file.path"), size), (facts.text("weir.file.new_path"), None)];
        for (path, size) in paths {
            references.extend(path.and_then(|path| self.file(path, size)));
        }
        references.extend(self.traffic(facts));
        references.extend(facts.text("server.address").and_then(|name| self.domain(name)));
        references.extend(facts.text("dns.question.name").and_then(|name| self.domain(name)));
        references.into_iter().collect()
    }

    /// Every object.
    pub fn finish(self) -> Vec<Value> {
        self.objects.into_values().map(Value::Object).collect()
    }

    fn add(&mut self, kind: &str, id: String, members: Value) {
        let mut object = Map::new();
        object.insert("type".into(), kind.into());
        object.insert("spec_version".into(), "2.1".into());
        object.insert("id".into(), id.as_str().into());
        if let Value::Object(members) = members {
            object.extend(members);
        }
        self.objects.entry(id).or_insert(object);
    }

    /// Keeps the largest value that is told of a growing quantity.
    fn grow(&mut self, id: &str, name: &str, value: Option<u64>) {
        if let (Some(object), Some(value)) = (self.objects.get_mut(id), value) {
            let known = object.get(name).and_then(Value::as_u64).unwrap_or(0);
            object.insert(name.to_owned(), known.max(value).into());
        }
    }

    fn file(&mut self, path: &str, size: Option<u64>) -> Option<String> {
        let (directory, name) = path.rsplit_once('/')?;
        if name.is_empty() {
            return None;
        }
        let directory = if directory.is_empty() { "/" } else { directory };
        let folder = id::observable("directory", &json!({ "path": directory }));
        self.add("directory", folder.clone(), json!({ "path": directory }));
        let contributing = json!({ "name": name, "parent_directory_ref": folder });
        let own = id::observable("file", &contributing);
        self.add("file", own.clone(), contributing);
        self.grow(&own, "size", size);
        Some(own)
    }

    fn address(&mut self, text: &str) -> Option<(String, &'static str)> {
        let (kind, protocol) = match text.parse::<IpAddr>().ok()? {
            IpAddr::V4(_) => ("ipv4-addr", "ipv4"),
            IpAddr::V6(_) => ("ipv6-addr", "ipv6"),
        };
        let value = json!({ "value": text });
        let own = id::observable(kind, &value);
        self.add(kind, own.clone(), value);
        Some((own, protocol))
    }

    /// Only what can be one: others write server names.
    fn domain(&mut self, name: &str) -> Option<String> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let is_domain = name.len() <= 253 && name.contains('.') && name.split('.').all(is_label);
        if !is_domain || name.parse::<IpAddr>().is_ok() {
            return None;
        }
        let value = json!({ "value": name });
        let own = id::observable("domain-name", &value);
        self.add("domain-name", own.clone(), value);
        Some(own)
    }

    fn traffic(&mut self, facts: Facts<'_>) -> Option<String> {
        let (peer, protocol) = self.address(facts.text("network.peer.address")?)?;
        let local = facts.text("network.local.address").and_then(|text| self.address(text)).map(|(id, _)| id);
        let port = |name: &str| facts.number(name).filter(|port| (1..=65_535).contains(port));
        let mut ends = [
            (local, port("network.local.port"), ["src_ref", "src_port"]),
            (Some(peer), port("network.peer.port"), ["dst_ref", "dst_port"]),
        ];
        // Who asked for the connection is the source.
        let accepted = facts.0.get("weir.connection.initiated") == Some(&Value::Bool(false));
        if accepted {
            let [own, other] = &mut ends;
            std::mem::swap(&mut own.2, &mut other.2);
        }
        let transport = facts.text("network.transport").filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
        let mut members = Map::new();
        for (address, port, [address_name, port_name]) in ends {
            members.extend(address.map(|id| (address_name.to_owned(), id.into())));
            members.extend(port.map(|port| (port_name.to_owned(), port.into())));
        }
        members.insert("protocols".into(), [Some(protocol), transport].into_iter().flatten().collect());
        let own = id::observable("network-traffic", &Value::Object(members.clone()));
        self.add("network-traffic", own.clone(), Value::Object(members));
        let sent = if accepted { "dst_byte_count" } else { "src_byte_count" };
        self.grow(&own, sent, facts.number("weir.flow.bytes"));
        Some(own)
    }
}
