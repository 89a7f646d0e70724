//! A JSON object a line, each with its `type`: `timeline` (what it is about), `process`, `gap`, `entry`.

use super::super::model::Timeline;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Lists that have lines of their own.
const LISTS: [&str; 3] = ["processes", "gaps", "entries"];

pub fn write(timeline: &Timeline, out: &mut dyn Write) -> io::Result<()> {
    let head = Timeline { processes: Vec::new(), gaps: Vec::new(), entries: Vec::new(), ..timeline.clone() };
    let mut head = serde_json::to_value(&head)?;
    if let Some(head) = head.as_object_mut() {
        LISTS.iter().for_each(|list| drop(head.remove(*list)));
    }
    line("timeline", &head, out)?;
    timeline.processes.iter().try_for_each(|process| line("process", process, out))?;
    timeline.gaps.iter().try_for_each(|gap| line("gap", gap, out))?;
    timeline.entries.iter().try_for_each(|entry| line("entry", entry, out))
}

fn line(kind: &str, object: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut line = json!({ "type": kind });
    if let (Some(line), Value::Object(object)) = (line.as_object_mut(), serde_json::to_value(object)?) {
        line.extend(object);
    }
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
