//! The proof of what is held, out of fields.

use super::build::{list, text};
use crate::event::{Field, FileId, HeldBy, Party, ProcessKey, Source, Trail};
use yaml_serde::Value;

/// One of which every field can be had.
pub(super) fn full() -> Box<Trail> {
    let party = Party { key: ProcessKey::default(), executable: "/x".into() };
    let source = Source { number: 1, id: Some(FileId::default()), path: "/x".into(), size: 1, reader: party.clone() };
    let carriers = ["x".into()].into();
    Box::new(Trail { source: Some(source.into()), sender: Some(party.into()), carriers, ..Trail::default() })
}

/// Sets a field; `false` if it is none of these. A field of the reader or the sender other than their programs cannot be set.
pub(super) fn set(field: Field, value: &Value, trail: &mut Option<Box<Trail>>) -> bool {
    let known = [Field::HeldBy, Field::Carriers, Field::SourcePath, Field::ReaderExecutablePath];
    if !known.contains(&field) {
        return false;
    }
    let trail = trail.get_or_insert_default();
    let mut source = trail.source.as_deref().cloned().unwrap_or_default();
    match field {
        Field::HeldBy => {
            trail.by = HeldBy::ALL.into_iter().find(|by| by.name() == text(value)).unwrap_or_default();
            return true;
        }
        Field::Carriers => {
            trail.carriers = list(value).into_iter().map(Box::from).collect();
            return true;
        }
        Field::SourcePath => source.path = text(value).into(),
        _ => source.reader.executable = text(value).into(),
    }
    trail.source = Some(source.into());
    true
}
