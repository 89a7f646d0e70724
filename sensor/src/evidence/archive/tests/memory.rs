//! A source that is asked in the plainest way.

use super::super::super::source::{Filter, Gap, Row, Rows, Source, SourceError, Told};
use std::collections::BTreeSet;

/// All of it, in any order.
#[derive(Clone, Debug)]
pub struct Memory {
    pub rows: Vec<Row>,
    pub told: Vec<Told>,
    pub gaps: Vec<Gap>,
}

impl Source for Memory {
    fn rows(&mut self, filter: &Filter) -> Result<Rows, SourceError> {
        let taken = self.rows.iter().filter(|row| filter.takes(row.time, &row.attributes)).cloned();
        let mut rows: Vec<Row> = taken.collect();
        let cut = rows.len() > filter.limit;
        rows.truncate(filter.limit);
        Ok(Rows { rows, cut })
    }

    fn told(&mut self, from: u64, to: u64, incidents: &BTreeSet<Box<str>>) -> Result<Vec<Told>, SourceError> {
        Ok(self.told.iter().filter(|told| told.is_asked(from, to, incidents)).cloned().collect())
    }

    fn gaps(&mut self, from: u64, to: u64) -> Result<Vec<Gap>, SourceError> {
        Ok(self.gaps.iter().filter(|gap| gap.is_of(from, to)).cloned().collect())
    }

    fn span(&mut self) -> Result<Option<(u64, u64)>, SourceError> {
        Ok(self.rows.first().map(|row| row.time).zip(self.rows.last().map(|row| row.time)))
    }
}
