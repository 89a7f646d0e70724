//! What an event says, in a few words: the same on the console, in timelines and wherever only its attributes are left.
//!
//! Made from attributes by the vocabulary's names (docs/fields.md), never from the event itself: what is in a store or a file has no
//! more than these. What attackers wrote in them is escaped for terminals.

use crate::alert::{VALUE_MAX, escape, quantity};
use serde_json::{Map, Value};
use std::net::{IpAddr, SocketAddr};

/// Most characters of a command line, and of a path, that are shown.
const COMMAND_LINE_SHOWN: usize = 200;
const PATH_SHOWN: usize = 1024;

/// Attributes, read by name.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a>(pub &'a Map<String, Value>);

impl<'a> Facts<'a> {
    /// A text.
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    /// A number without a sign.
    pub fn number(self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// A flag; `false` where it is not there.
    pub fn flag(self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The texts of a list.
    pub fn list(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// `weir.event.kind`.
    pub fn kind(self) -> &'a str {
        self.text("weir.event.kind").unwrap_or("unknown")
    }

    /// What happened, without who did it: "opened /models/a.safetensors for read (4.1 GB, weights)".
    pub fn deed(self) -> String {
        match self.kind() {
            "exec" | "fork" | "exit" | "process_found" => self.process(),
            "open" | "rename" | "link" | "unlink" | "truncate" | "transfer" | "recognized" => self.file(),
            "connect" | "flow" | "egress" | "socket" | "dns" | "listen" | "hello" => self.network(),
            _ => self.system(),
        }
    }

    fn process(self) -> String {
        match self.kind() {
            "exec" => format!("ran {}: {}", self.path("file.path"), self.command_line()),
            "fork" => format!("forked {}", self.number("weir.process.child.pid").unwrap_or_default()),
            "process_found" => format!("was already running: {}", self.command_line()),
            _ => match self.number("weir.process.exit.signal") {
                Some(signal) => format!("was ended by signal {signal}"),
                None => format!("exited with {}", self.number("process.exit.code").unwrap_or_default()),
            },
        }
    }

    fn file(self) -> String {
        let file = self.path("file.path");
        let new = || self.path("weir.file.new_path");
        match self.kind() {
            "open" => self.open(),
            "rename" => format!("renamed {file} to {}", new()),
            "link" => format!("linked {file} as {}", new()),
            "unlink" => format!("removed {file}"),
            "truncate" => match self.number("weir.file.new_size") {
                Some(size) => format!("cut {file} to {}", quantity(size)),
                None => format!("cut {file}"),
            },
            "transfer" => self.transfer(),
            _ => self.recognized(),
        }
    }

    fn open(self) -> String {
        let access = self.word("weir.file.access").replace('_', " and ");
        let mut text = format!("opened {} for {access}", self.path("file.path"));
        if let Some(size) = self.number("file.size") {
            let classes: String = self.classes();
            text.push_str(&format!(" ({}{classes})", quantity(size)));
        }
        text
    }

    fn transfer(self) -> String {
        let (verb, towards) = match self.text("weir.transfer.direction") {
            Some("in") => ("took", "from"),
            Some("out") => ("gave", "to"),
            _ => ("shares", "with"),
        };
        let most = if self.flag("weir.transfer.bound") { "at most " } else { "" };
        let bytes = quantity(self.number("weir.transfer.bytes").unwrap_or_default());
        let carrier = self.word("weir.transfer.carrier").replace('_', " ");
        let name = match (self.text("file.path"), self.text("file.inode"), self.number("weir.socket.cookie")) {
            (Some(path), ..) => escape(path, PATH_SHOWN),
            (None, Some(inode), _) => format!("[{}]", escape(inode, VALUE_MAX)),
            (None, None, Some(cookie)) => format!("[{cookie}]"),
            (None, None, None) => String::new(),
        };
        format!("{verb} {most}{bytes} {towards} {carrier} {name}").trim_end().to_owned()
    }

    fn recognized(self) -> String {
        let found = match (self.text("weir.file.format"), self.text("weir.file.unread")) {
            (Some(format), _) => {
                format!("{} ({})", escape(format, VALUE_MAX), self.word("weir.file.format.confidence"))
            }
            (None, Some(reason)) => format!("not read, {}", escape(reason, VALUE_MAX)),
            (None, None) => "nothing that is known".to_owned(),
        };
        format!("looked into {}: {found}{}", self.path("file.path"), self.classes())
    }

    fn network(self) -> String {
        let transport = self.word("network.transport");
        match self.kind() {
            "connect" => format!("connects to {} ({transport}){}", self.peer(), self.named()),
            "flow" => {
                let initiated = self.flag("weir.connection.initiated");
                let verb = match (self.text("weir.flow.reason"), initiated) {
                    (Some("closed"), true) => "sent, in all,",
                    (Some("closed"), false) => "answered, in all,",
                    (_, true) => "has sent",
                    (_, false) => "has answered",
                };
                let sent = quantity(self.number("weir.flow.bytes").unwrap_or_default());
                format!("{verb} {sent} to {} ({transport}){}", self.peer(), self.named())
            }
            "egress" => {
                let verb = if self.flag("weir.connection.initiated") { "sent" } else { "answered" };
                let bytes = quantity(self.number("weir.egress.bytes").unwrap_or_default());
                match self.text("network.peer.address") {
                    Some(_) => format!("{verb}, by the kernel's count, {bytes} to {} ({transport})", self.peer()),
                    None => format!("{verb}, by the kernel's count, {bytes} to others"),
                }
            }
            "socket" => {
                let protocol = self.number("weir.socket.protocol").unwrap_or_default();
                let (family, kind) = (self.word("weir.socket.family"), self.word("weir.socket.type"));
                format!("made a socket whose bytes are not counted: {family} {kind}, protocol {protocol}")
            }
            "listen" => format!(
                "waits for connections at {}",
                address(
                    self.text("network.local.address"),
                    Some(self.number("network.local.port").unwrap_or_default())
                )
            ),
            "hello" => {
                let name = self.text("weir.tls.server_name");
                let name = name.map(|name| format!(" for {}", escape(name, VALUE_MAX))).unwrap_or_default();
                format!("begins a secured flow to {}{name}", self.peer())
            }
            _ => self.dns(),
        }
    }

    fn dns(self) -> String {
        let Some(name) = self.text("dns.question.name") else {
            return "sent by port 53 what is no DNS message".to_owned();
        };
        let name = escape(name, VALUE_MAX);
        if self.text("weir.dns.direction") == Some("query") {
            return format!("asks for {name}");
        }
        let answers: Vec<String> = self.list("dns.answers").map(|answer| escape(answer, VALUE_MAX)).collect();
        match answers.as_slice() {
            [] => {
                format!(
                    "is told of {name}: nothing (code {})",
                    self.number("weir.dns.response.code").unwrap_or_default()
                )
            }
            answers => format!("is told of {name}: {}", answers.join(" ")),
        }
    }

    fn system(self) -> String {
        match self.kind() {
            "process_access" => {
                let pid = self.number("weir.access.target.pid").unwrap_or_default();
                let program = self.text("weir.access.target.executable.path");
                let program = program.map(|path| format!(" ({})", escape(path, PATH_SHOWN))).unwrap_or_default();
                format!("got at process {pid} by {}{program}", self.word("weir.access.how"))
            }
            "bpf" => self.bpf(),
            "module" => format!("loaded the kernel module {}", self.word("weir.module.name")),
            "mount" => {
                let (source, target) = (self.path("weir.mount.source"), self.path("weir.mount.target"));
                match self.text("weir.mount.how") {
                    Some("pivot_root") => format!("made {target} its root"),
                    _ => format!("mounted {source} on {target}"),
                }
            }
            "namespace" => {
                let kinds: Vec<&str> = self.list("weir.namespace.type").collect();
                format!("{} {}", self.word("weir.namespace.how"), escape(&kinds.join(" "), VALUE_MAX))
            }
            "tamper" => {
                format!("the sensor's own {}: {}", self.word("weir.tamper.object"), self.path("weir.tamper.what"))
            }
            "cgroup" => format!("cgroup {}", self.path("process.linux.cgroup")),
            "workload_identified" => format!(
                "container {} is {} of {} in pod {}/{}",
                self.word("container.id"),
                self.word("container.name"),
                self.word("container.image.name"),
                self.word("k8s.namespace.name"),
                self.word("k8s.pod.name")
            ),
            "reloaded" => {
                let count = |name| self.number(name).unwrap_or_default();
                let version = self.text("security_rule.version").unwrap_or_default();
                let version = escape(version.get(..12).unwrap_or(version), VALUE_MAX);
                let (rules, filters) = (count("weir.rules.count"), count("weir.filters.count"));
                format!("{rules} rules and {filters} filters are in effect (version {version})")
            }
            "lost" => {
                let count = self.number("weir.lost.count").unwrap_or_default();
                format!("{count} {} events lost: {}", self.word("weir.lost.kind"), self.word("weir.lost.cause"))
            }
            "ledger_restored" => "the egress ledger goes on with what it had come to".to_owned(),
            "correlations_restored" => "correlations go on with what they had seen".to_owned(),
            "tick" => "time passed".to_owned(),
            other => escape(other, VALUE_MAX),
        }
    }

    fn bpf(self) -> String {
        let mut text =
            format!("bpf {}", self.text("weir.bpf.command").map_or("command".into(), |c| escape(c, VALUE_MAX)));
        if let (Some(object), Some(id)) = (self.text("weir.bpf.object"), self.number("weir.bpf.object.id")) {
            let own = if self.flag("weir.bpf.own") { ", which is the sensor's own" } else { "" };
            text.push_str(&format!(" on {} {id}{own}", escape(object, VALUE_MAX)));
        }
        if let Some(name) = self.text("weir.bpf.program.name") {
            text.push_str(&format!(" {}", escape(name, VALUE_MAX)));
        }
        text
    }

    fn path(self, name: &str) -> String {
        escape(self.text(name).unwrap_or_default(), PATH_SHOWN)
    }

    fn word(self, name: &str) -> String {
        escape(self.text(name).unwrap_or("?"), VALUE_MAX)
    }

    fn classes(self) -> String {
        self.list("weir.file.class").map(|class| format!(", {}", escape(class, VALUE_MAX))).collect()
    }

    /// The other end: "198.51.100.1:443".
    pub fn peer(self) -> String {
        address(self.text("network.peer.address"), self.number("network.peer.port").filter(|port| *port != 0))
    }

    /// What a destination goes by, where it has a name.
    fn named(self) -> String {
        match (self.text("server.address"), self.text("weir.destination.by")) {
            (Some(name), Some(by)) if by != "address" => {
                format!(", {} by {}", escape(name, VALUE_MAX), escape(by, VALUE_MAX))
            }
            _ => String::new(),
        }
    }

    /// The arguments as a person would type them: quoted where they have to be, cut where it gets long.
    pub fn command_line(self) -> String {
        let mut line = String::new();
        for arg in self.list("process.command_args") {
            if !line.is_empty() {
                line.push(' ');
            }
            if line.len() + arg.len() > COMMAND_LINE_SHOWN {
                line.push('\u{2026}');
                break;
            }
            let plain = !arg.is_empty() && arg.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c));
            let arg = escape(arg, COMMAND_LINE_SHOWN);
            if plain { line.push_str(&arg) } else { line.extend(["'", &arg, "'"]) }
        }
        line
    }
}

fn address(address: Option<&str>, port: Option<u64>) -> String {
    let Some(text) = address else { return "an unknown address".to_owned() };
    let port = port.and_then(|port| u16::try_from(port).ok());
    match (text.parse::<IpAddr>(), port) {
        (Ok(address), Some(port)) => SocketAddr::new(address, port).to_string(),
        _ => escape(text, VALUE_MAX),
    }
}

#[cfg(test)]
mod tests;
