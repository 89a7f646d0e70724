//! The store as Parquet, for engines that answer questions over many machines (DuckDB, ClickHouse, Spark, Trino): `weir evidence export
//! --format parquet`.
//!
//! ```text
//! OUT/TABLE/date=YYYY-MM-DD/host=NAME/SEGMENT.parquet    what is shipped: Hive's partitions, by which engines leave out what is not asked for
//! OUT/_weir/host=NAME/                                   the exporter's own: files that are not whole yet, and which segments are done
//! ```
//! - [`table`] says which tables and columns there are, [`columns`] which type each field has. It is the vocabulary, and fixed.
//! - [`rows`] holds a row group, and no more than that is in memory; [`file`] is one file, [`partition`] the files of one table.
//! - [`place`] is the directory: a file is renamed to its name when the whole segment is written, and a segment is done once.
//! - [`segment`] takes one segment through all of that, [`export`] all that are closed.
//!
//! What is closed does not change any more, and its file's name has its digest: the same segment makes the same files wherever and
//! whenever it is exported. Here is nothing that ships them: that is a sync program's.

pub mod columns;
mod export;
mod file;
mod partition;
mod place;
mod rows;
mod segment;
pub mod table;

#[cfg(test)]
mod tests;

pub use export::{ExportError, Options, Report, export};
