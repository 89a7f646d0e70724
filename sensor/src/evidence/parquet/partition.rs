//! The files of one table of one segment: one a day.

use super::file::{File, Form};
use super::place::{Place, PlaceError};
use super::rows::Rows;
use super::table::Table;
use humantime::format_rfc3339_seconds;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// Writes rows, which must come in the order of time, to the file of their day.
pub struct Partition<'p> {
    place: &'p Place,
    table: Table,
    form: Form,
    rows: Rows,
    open: Option<Open>,
    /// What is whole: the days, and where the files are until they get their names.
    whole: Vec<(String, PathBuf)>,
}

struct Open {
    day: String,
    path: PathBuf,
    file: File,
}

impl<'p> Partition<'p> {
    /// The file of the day of `first` is made even if no row comes, so that there is one for each segment.
    pub fn new(
        place: &'p Place,
        table: Table,
        about: &[(&str, String)],
        first: u64,
    ) -> Result<Partition<'p>, PlaceError> {
        let form = Form::new(table, about).map_err(|error| place.refused(place.out(), &error))?;
        let rows = Rows::new(&table.columns());
        let mut new = Partition { place, table, form, rows, open: None, whole: Vec::new() };
        new.open(day(first))?;
        Ok(new)
    }

    /// A row is to come, of this time. Returns it, to be filled.
    pub fn row(&mut self, time: u64) -> Result<&mut Rows, PlaceError> {
        let day = day(time);
        if self.open.as_ref().is_none_or(|open| open.day != day) {
            self.close()?;
            self.open(day)?;
        }
        Ok(&mut self.rows)
    }

    /// The row is filled.
    pub fn end_row(&mut self) -> Result<(), PlaceError> {
        self.rows.end_row();
        if self.rows.is_full() { self.group() } else { Ok(()) }
    }

    /// Nothing comes any more. Returns the table, the days and their files.
    pub fn finish(mut self) -> Result<(Table, Vec<(String, PathBuf)>), PlaceError> {
        self.close()?;
        Ok((self.table, self.whole))
    }

    fn open(&mut self, day: String) -> Result<(), PlaceError> {
        // Days come once: a file of the same one that is whole would be written over.
        let path = self.place.unfinished(self.table, &day);
        let file = File::create(&path, &self.form).map_err(|error| self.place.refused(&path, &error))?;
        self.open = Some(Open { day, path, file });
        Ok(())
    }

    fn group(&mut self) -> Result<(), PlaceError> {
        let Some(open) = self.open.as_mut().filter(|_| !self.rows.is_empty()) else { return Ok(()) };
        open.file.group(&mut self.rows).map_err(|error| self.place.refused(&open.path, &error))
    }

    fn close(&mut self) -> Result<(), PlaceError> {
        self.group()?;
        let Some(Open { day, path, file }) = self.open.take() else { return Ok(()) };
        file.finish().map_err(|error| self.place.refused(&path, &error))?;
        self.whole.push((day, path));
        Ok(())
    }
}

/// The day of a time, UTC.
fn day(time: u64) -> String {
    // As many nanoseconds as there can be end in the year 2554.
    let text = format_rfc3339_seconds(UNIX_EPOCH + Duration::from_nanos(time)).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}
