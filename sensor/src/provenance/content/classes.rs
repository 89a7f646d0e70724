//! Which formats are in which class.

use super::{Confidence, FormatSet, Found, Sample, sniff};
use crate::event::{Class, Classes};

/// The part of `classes.yml` that is about content. Small: whoever reads files on another thread takes a copy along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentClasses {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    class: Class,
    formats: FormatSet,
    /// Bytes from which on what is only likely is believed.
    minimum_size: u64,
}

impl ContentClasses {
    pub(in crate::provenance) fn add(&mut self, class: Class, formats: FormatSet, minimum_size: u64) {
        self.rows.push(Row { class, formats, minimum_size });
    }

    /// Whether no class has content.
    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| row.formats == FormatSet::default())
    }

    /// What a file is, and the classes that this puts it in.
    pub fn judge(&self, sample: &Sample<'_>) -> (Option<Found>, Classes) {
        let found = sniff(sample);
        (found, found.map(|found| self.classes(found, sample.size)).unwrap_or_default())
    }

    /// The classes of a file of that format and so many bytes.
    pub fn classes(&self, found: Found, size: u64) -> Classes {
        let in_it = self.rows.iter().filter(|row| {
            let believed = found.confidence == Confidence::Certain || size >= row.minimum_size;
            believed && row.formats.contains(found.format)
        });
        in_it.fold(Classes::default(), |classes, row| classes.with(row.class))
    }
}
