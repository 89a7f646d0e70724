//! The field names of public Sigma rules, as fields of ours, so that such rules run unchanged.
//!
//! A table of our own and not rsigma's processing pipeline: that one knows no types and no filters, and cannot say where in a file
//! a name stands that means nothing here. Our own names go on working beside these, in the same rule.

use super::Category;
use crate::event::Field;
use rsigma_parser::value::SigmaString;
use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaValue};

/// What a name of Sigma's taxonomy comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The same as one of our fields.
    Field(Field),
    /// One of our fields, whose values are written otherwise.
    Values(Field, Values),
    /// Sigma has it, Weir not; why.
    Unsupported(&'static str),
}

/// How values are written here that Sigma writes otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    /// Sigma's way, and ours.
    pairs: &'static [(&'static str, &'static str)],
    /// Numbers are the same in both.
    numbers: bool,
    /// Why others cannot be used, and what to do.
    pub others: &'static str,
}

/// Users have names in the container's own `/etc/passwd`, which the container writes.
const USERS: Values = Values {
    pairs: &[("root", "0")],
    numbers: true,
    others: "events carry user ids, and of the names only root's is the same everywhere; write `process.user.id` and a number",
};
const IPV6: Values = Values {
    pairs: &[("true", "ipv6"), ("false", "ipv4")],
    numbers: false,
    others: "write true or false, or `network.type` and ipv4 or ipv6",
};

const NO_LOGON: &str = "the kernel does not tell Weir in which log-on session a process is";
const NO_HASH: &str = "Weir does not hash the files that it sees";
const NO_VERSION: &str = "only programs for Windows carry it";
const NO_GUID: &str = "it is a number of Sysmon's own; Weir's is `weir.process.id`";

/// Sigma's names (those of Sysmon), and what they are here.
const NAMES: &[(&str, Meaning)] = &[
    ("Image", Meaning::Field(Field::ProcessExecutablePath)), // the whole path of the program
    ("CommandLine", Meaning::Field(Field::ProcessCommandLine)), // the arguments, joined by spaces
    ("CurrentDirectory", Meaning::Field(Field::ProcessWorkingDirectory)),
    ("ProcessId", Meaning::Field(Field::ProcessPid)), // of the initial pid namespace, as Sysmon for Linux gives it
    ("User", Meaning::Values(Field::ProcessUserId, USERS)),
    ("ParentImage", Meaning::Field(Field::ProcessParentExecutablePath)),
    ("ParentCommandLine", Meaning::Field(Field::ProcessParentCommandLine)),
    ("ParentProcessId", Meaning::Field(Field::ProcessParentPid)),
    ("TargetFilename", Meaning::Field(Field::FilePath)), // what is created, written, deleted; of a rename see below
    ("SourceFilename", Meaning::Field(Field::FilePath)), // of a rename: the name that it had
    ("Initiated", Meaning::Field(Field::ConnectionInitiated)),
    ("DestinationIp", Meaning::Field(Field::NetworkPeerAddress)), // Weir's connections are those that were asked for:
    ("DestinationPort", Meaning::Field(Field::NetworkPeerPort)),  // the destination is the peer
    ("DestinationHostname", Meaning::Field(Field::ServerAddress)), // by the DNS answer that the workload received, or TLS
    ("DestinationIsIpv6", Meaning::Values(Field::NetworkType, IPV6)),
    ("SourceIp", Meaning::Field(Field::NetworkLocalAddress)),
    ("SourcePort", Meaning::Field(Field::NetworkLocalPort)),
    ("SourceIsIpv6", Meaning::Values(Field::NetworkType, IPV6)),
    ("Protocol", Meaning::Field(Field::NetworkTransport)), // tcp, udp
    ("QueryName", Meaning::Field(Field::DnsQuestionName)),
    ("SourceImage", Meaning::Field(Field::ProcessExecutablePath)), // process_access: who got at the other
    ("SourceProcessId", Meaning::Field(Field::ProcessPid)),
    ("TargetImage", Meaning::Field(Field::AccessTargetExecutablePath)), // process_access: whom it got at
    ("TargetProcessId", Meaning::Field(Field::AccessTargetPid)),
    ("LogonId", Meaning::Unsupported(NO_LOGON)),
    ("LogonGuid", Meaning::Unsupported(NO_LOGON)),
    ("TerminalSessionId", Meaning::Unsupported(NO_LOGON)),
    ("ParentUser", Meaning::Unsupported("events carry the user of the process that acts, not that of its parent")),
    ("SourceHostname", Meaning::Unsupported("it is the name of the machine itself, the same in every event")),
    (
        "DestinationPortName",
        Meaning::Unsupported("it is what /etc/services says; write `network.peer.port` and a number"),
    ),
    ("SourcePortName", Meaning::Unsupported("it is what /etc/services says; write `network.local.port` and a number")),
    ("ProcessGuid", Meaning::Unsupported(NO_GUID)),
    ("ParentProcessGuid", Meaning::Unsupported(NO_GUID)),
    ("SourceProcessGUID", Meaning::Unsupported(NO_GUID)),
    ("TargetProcessGUID", Meaning::Unsupported(NO_GUID)),
    ("Hashes", Meaning::Unsupported(NO_HASH)),
    ("md5", Meaning::Unsupported(NO_HASH)),
    ("sha1", Meaning::Unsupported(NO_HASH)),
    ("sha256", Meaning::Unsupported(NO_HASH)),
    ("Imphash", Meaning::Unsupported(NO_HASH)),
    ("OriginalFileName", Meaning::Unsupported(NO_VERSION)),
    ("FileVersion", Meaning::Unsupported(NO_VERSION)),
    ("Product", Meaning::Unsupported(NO_VERSION)),
    ("Company", Meaning::Unsupported(NO_VERSION)),
    ("Description", Meaning::Unsupported(NO_VERSION)),
    ("IntegrityLevel", Meaning::Unsupported("Linux has no integrity levels")),
    ("GrantedAccess", Meaning::Unsupported("it is a mask of rights of Windows; `weir.access.how` says what was done")),
    ("CallTrace", Meaning::Unsupported("Weir does not look at stacks")),
    ("ImageLoaded", Meaning::Unsupported("modules are told of by name, not by file; write `weir.module.name`")),
    ("CreationUtcTime", Meaning::Unsupported("rules do not ask for times; a correlation has a `timespan`")),
];

/// What `name` means in events of `category`; `None`: it is no name of Sigma's.
pub fn meaning(name: &str, category: Option<Category>) -> Option<Meaning> {
    if name == "TargetFilename" && category == Some(Category::FileRename) {
        return Some(Meaning::Field(Field::FileNewPath));
    }
    NAMES.iter().find(|(sigma, _)| *sigma == name).map(|(_, meaning)| *meaning)
}

/// Sigma's names that mean something here.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter(|(_, meaning)| !matches!(meaning, Meaning::Unsupported(_))).map(|(name, _)| *name)
}

impl Values {
    /// Ours for `value`, or nothing if there is none.
    pub fn translate(&self, value: &SigmaValue) -> Option<SigmaValue> {
        let text = match value {
            SigmaValue::String(text) => text.as_plain()?,
            SigmaValue::Bool(flag) => flag.to_string(),
            SigmaValue::Integer(_) if self.numbers => return Some(value.clone()),
            _ => return None,
        };
        if self.numbers && text.parse::<u32>().is_ok() {
            return Some(value.clone());
        }
        let pair = self.pairs.iter().find(|(sigma, _)| sigma.eq_ignore_ascii_case(&text));
        pair.map(|(_, ours)| SigmaValue::String(SigmaString::new(ours)))
    }
}

/// Whether a part of `detection` asks for the file's name as Sigma calls it: what came into being, in whatever way.
pub fn asks_what_came(detection: &Detection) -> bool {
    match detection {
        Detection::AllOf(items) => items.iter().any(|item| item.field.name.as_deref() == Some("TargetFilename")),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().any(asks_what_came),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => false,
    }
}

/// Writes our names and values for Sigma's into `detection`, which was found right.
pub fn translate(detection: &mut Detection, category: Option<Category>) {
    match detection {
        Detection::AllOf(items) => items.iter_mut().for_each(|item| translate_item(item, category)),
        Detection::AnyOf(parts) | Detection::And(parts) => {
            parts.iter_mut().for_each(|part| translate(part, category));
        }
        // Without field names; and blocks, which are refused.
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {}
    }
}

fn translate_item(item: &mut DetectionItem, category: Option<Category>) {
    let ours = |name: &str| match meaning(name, category) {
        Some(Meaning::Field(field) | Meaning::Values(field, _)) => Some(field.name()),
        _ => None,
    };
    let Some(name) = item.field.name.clone() else { return };
    if let Some(Meaning::Values(_, values)) = meaning(&name, category) {
        for value in &mut item.values {
            if let Some(translated) = values.translate(value) {
                *value = translated;
            }
        }
    }
    // An event has a field with something in it or does not have it: what is empty in Sigma is what is not there.
    if item.field.modifiers.iter().all(|modifier| matches!(modifier, Modifier::Cased | Modifier::Neq)) {
        for value in &mut item.values {
            if matches!(value, SigmaValue::String(text) if text.original.is_empty()) {
                *value = SigmaValue::Null;
            }
        }
    }
    if let Some(ours) = ours(&name) {
        item.field.name = Some(ours.to_owned());
    }
    if item.field.has_modifier(Modifier::FieldRef) {
        for value in &mut item.values {
            if let SigmaValue::String(text) = value
                && let Some(ours) = text.as_plain().as_deref().and_then(ours)
            {
                *value = SigmaValue::String(SigmaString::new(ours));
            }
        }
    }
}
