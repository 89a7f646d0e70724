//! One Parquet file, under a name that nobody ships.

use super::rows::Rows;
use super::table::{Table, VERSION};
use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::{ColumnPath, TypePtr};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

/// How much work packing is: above 3 it takes long and gains little.
const LEVEL: i32 = 3;

/// What all files of a table of a segment have in common.
pub struct Form {
    schema: TypePtr,
    properties: WriterPropertiesPtr,
}

impl Form {
    /// `about` goes into the files' metadata.
    pub fn new(table: Table, about: &[(&str, String)]) -> Result<Form> {
        let version = [("weir.schema", VERSION.to_string()), ("weir.table", table.name().to_owned())];
        let about = version.iter().chain(about).map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone()));
        let mut properties = WriterProperties::builder()
            .set_key_value_metadata(Some(about.collect()))
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
            // By row group, of which there are many: by page they would take more room than they save.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true);
        for time in ["time", "from", "to"] {
            // No two are the same, and the steps between them are small.
            let column = || ColumnPath::new(vec![time.to_owned()]);
            properties = properties
                .set_column_dictionary_enabled(column(), false)
                .set_column_encoding(column(), Encoding::DELTA_BINARY_PACKED);
        }
        Ok(Form { schema: table.schema()?, properties: Arc::new(properties.build()) })
    }
}

/// See the module's text.
pub struct File {
    writer: SerializedFileWriter<std::fs::File>,
}

impl File {
    /// Makes it; only its owner can read it, as the store.
    pub fn create(path: &Path, form: &Form) -> Result<File> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let writer = SerializedFileWriter::new(file, Arc::clone(&form.schema), Arc::clone(&form.properties))?;
        Ok(File { writer })
    }

    /// Writes these rows as a group.
    pub fn group(&mut self, rows: &mut Rows) -> Result<()> {
        rows.write(self.writer.next_row_group()?)
    }

    /// It is whole, and on the disk.
    pub fn finish(self) -> Result<()> {
        Ok(self.writer.into_inner()?.sync_all()?)
    }
}

/// What the kernel said, without the library's words around it.
pub fn reason(error: &ParquetError) -> String {
    match error {
        ParquetError::External(error) => match error.downcast_ref::<io::Error>() {
            Some(error) => error.to_string(),
            None => error.to_string(),
        },
        error => error.to_string(),
    }
}
