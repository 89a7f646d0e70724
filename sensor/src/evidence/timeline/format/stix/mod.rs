//! A STIX 2.1 bundle: what was observed, as `observed-data` of processes, files and network traffic ([`observable`]); the techniques of
//! alerts as `attack-pattern`s that were sighted; what alerts said as `note`s; the incident; and a `grouping` of all of it.
//!
//! The same timeline gives the same bundle, ids included ([`id`]). Sentences of observed data are in an extension, as STIX 2.1 asks for
//! properties that it does not know.

mod id;
mod observable;

use super::super::model::{Entry, Time, Timeline};
use crate::evidence::words::Facts;
use observable::Observables;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Most references of a grouping: a bundle's reader has to load all of them at once.
const GROUPED_MAX: usize = 20_000;

pub fn write(timeline: &Timeline, out: &mut dyn Write) -> io::Result<()> {
    let mut bundle = Bundle::new(timeline);
    for entry in &timeline.entries {
        bundle.entry(entry);
    }
    serde_json::to_writer(&mut *out, &bundle.finish(timeline))?;
    out.write_all(b"\n")
}

/// What is seen of a technique.
#[derive(Default)]
struct Technique {
    observed: BTreeSet<String>,
    first: Option<String>,
    last: Option<String>,
    count: u64,
}

struct Bundle {
    /// What all ids of this timeline are made of.
    seed: String,
    /// When its objects were made: the end of the timeline, since there is no clock here.
    made: String,
    identity: String,
    extension: String,
    objects: Vec<Value>,
    observables: Observables,
    /// By source ("mitre-attack") and id ("T1048").
    techniques: BTreeMap<(&'static str, String), Technique>,
}

impl Bundle {
    fn new(timeline: &Timeline) -> Bundle {
        let seed =
            format!("{}/{}/{}", timeline.host.as_deref().unwrap_or_default(), timeline.asked, timeline.from.text);
        let made = instant(&timeline.to);
        let identity = id::of("identity", &["weir", timeline.host.as_deref().unwrap_or_default()]);
        let extension = id::of("extension-definition", &["weir", "observed"]);
        let name = timeline.host.as_ref().map_or_else(|| "Weir".to_owned(), |host| format!("Weir on {host}"));
        let mut bundle = Bundle {
            seed,
            made,
            identity,
            extension,
            objects: Vec::new(),
            observables: Observables::of(timeline),
            techniques: BTreeMap::new(),
        };
        let own = bundle.identity.clone();
        bundle.object("identity", &own, json!({ "name": name, "identity_class": "system" }));
        let definition = json!({
            "name": "Weir's words about observed data",
            "description": "sentence: what happened; relative: seconds from the timeline's first alert; role: cause, subject or effect; kind: weir.event.kind",
            "created_by_ref": bundle.identity,
            "schema": "{\"type\":\"object\",\"properties\":{\"sentence\":{\"type\":\"string\"},\"relative\":{\"type\":\"string\"},\"role\":{\"type\":\"string\"},\"kind\":{\"type\":\"string\"}}}",
            "version": "1.0.0",
            "extension_types": ["property-extension"],
        });
        let own = bundle.extension.clone();
        bundle.object("extension-definition", &own, definition);
        bundle
    }

    /// A domain or relationship object with what every one has.
    fn object(&mut self, kind: &str, id: &str, members: Value) {
        let mut object = json!({
            "type": kind, "spec_version": "2.1", "id": id, "created": self.made, "modified": self.made,
        });
        if let (Some(object), Value::Object(members)) = (object.as_object_mut(), members) {
            if kind != "identity" {
                object.insert("created_by_ref".into(), self.identity.as_str().into());
            }
            object.extend(members);
        }
        self.objects.push(object);
    }

    fn own_id(&self, kind: &str, what: &[&str]) -> String {
        id::of(kind, &[&[self.seed.as_str()], what].concat())
    }

    fn entry(&mut self, entry: &Entry) {
        let is_told = ["alert", "incident"].contains(&&*entry.kind);
        let references = self.observables.of_entry(entry);
        if is_told {
            return self.told(entry, references);
        }
        if references.is_empty() {
            return;
        }
        let number = self.objects.len().to_string();
        let own = self.own_id("observed-data", &[&entry.time.text, &number]);
        let words = json!({
            "extension_type": "property-extension",
            "sentence": entry.sentence, "relative": entry.relative, "role": entry.role, "kind": entry.kind,
        });
        let mut extensions = Map::new();
        extensions.insert(self.extension.clone(), words);
        let time = instant(&entry.time);
        let members = json!({
            "first_observed": time, "last_observed": time, "number_observed": 1,
            "object_refs": references, "extensions": extensions,
        });
        self.object("observed-data", &own, members);
    }

    fn told(&mut self, entry: &Entry, references: Vec<String>) {
        let facts = Facts(&entry.attributes);
        if entry.kind == "incident" {
            let own = self.own_id("incident", &[facts.text("weir.incident.id").unwrap_or_default()]);
            let level = facts.text("weir.incident.level").unwrap_or("unknown");
            let members = json!({ "name": format!("Weir: {level} incident"), "description": entry.sentence });
            return self.object("incident", &own, members);
        }
        let own = self.own_id("note", &[facts.text("log.record.uid").unwrap_or(&entry.time.text)]);
        let about = if references.is_empty() { vec![self.identity.clone()] } else { references };
        let name = facts.text("security_rule.name").unwrap_or("An alert");
        self.object("note", &own, json!({ "abstract": name, "content": entry.sentence, "object_refs": about }));
        let (attack, atlas) = (facts.list("weir.attack.ids"), facts.list("weir.atlas.ids"));
        let names = attack.map(|id| ("mitre-attack", id)).chain(atlas.map(|id| ("mitre-atlas", id)));
        let time = instant(&entry.time);
        for (source, id) in names {
            let technique = self.techniques.entry((source, id.to_owned())).or_default();
            technique.first.get_or_insert_with(|| time.clone());
            technique.last = Some(time.clone());
            technique.count += 1;
            technique.observed.insert(entry.process.clone().unwrap_or_default());
        }
    }

    fn finish(mut self, timeline: &Timeline) -> Value {
        self.sightings();
        let own = self.own_id("grouping", &[]);
        let observables = std::mem::take(&mut self.observables).finish();
        let ids = |objects: &[Value]| -> Vec<Value> {
            objects.iter().filter_map(|object| object.get("id").cloned()).collect()
        };
        let grouped: Vec<Value> =
            [ids(&self.objects), ids(&observables)].concat().into_iter().take(GROUPED_MAX).collect();
        let members = json!({
            "name": timeline.asked, "description": timeline.sentence, "context": "suspicious-activity", "object_refs": grouped,
        });
        self.object("grouping", &own, members);
        let objects = [self.objects.clone(), observables].concat();
        json!({ "type": "bundle", "id": self.own_id("bundle", &[]), "objects": objects })
    }

    /// Techniques, and that each was seen, when and in what was observed of those who used it.
    fn sightings(&mut self) {
        for ((source, name), technique) in std::mem::take(&mut self.techniques) {
            let pattern = id::of("attack-pattern", &[source, &name]);
            let reference = json!([{ "source_name": source, "external_id": name }]);
            self.object("attack-pattern", &pattern, json!({ "name": name, "external_references": reference }));
            let own = self.own_id("sighting", &[source, &name]);
            let mut members = json!({
                "sighting_of_ref": pattern, "where_sighted_refs": [self.identity], "count": technique.count,
                "first_seen": technique.first, "last_seen": technique.last,
            });
            let observed = self.observed_of(&technique.observed);
            if let (Some(members), false) = (members.as_object_mut(), observed.is_empty()) {
                members.insert("observed_data_refs".into(), observed.into());
            }
            self.object("sighting", &own, members);
        }
    }

    /// Observed data of these processes.
    fn observed_of(&self, processes: &BTreeSet<String>) -> Vec<String> {
        let references: BTreeSet<&str> =
            processes.iter().filter_map(|process| self.observables.process_id(process)).collect();
        let is_of = |object: &&Value| {
            let list = object.get("object_refs").and_then(Value::as_array);
            object.get("type").is_some_and(|kind| kind == "observed-data")
                && list.is_some_and(|list| list.iter().filter_map(Value::as_str).any(|own| references.contains(own)))
        };
        let ids = self.objects.iter().filter(is_of).filter_map(|object| object.get("id")?.as_str());
        ids.map(str::to_owned).collect()
    }
}

/// Milliseconds, as STIX's readers are sure to take.
fn instant(time: &Time) -> String {
    time.text.get(..23).map_or_else(|| time.text.clone(), |start| format!("{start}Z"))
}
