//! The rows of a row group, column by column. A text that many rows have is held once.

use super::table::{Column, Kind};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::Result;
use ::parquet::file::writer::SerializedRowGroupWriter;
use bytes::Bytes;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;

/// Most rows of a group, and most bytes of different texts in it: an attacker can make each as long as a path can be.
pub const ROWS_MAX: usize = 65_536;
const BYTES_MAX: usize = 32 << 20;
/// What a text takes beside its bytes: where it is, twice, and its number.
const TEXT: usize = 96;

/// See the module's text.
pub struct Rows {
    /// Where the columns are, by their names.
    places: HashMap<&'static str, usize, ahash::RandomState>,
    columns: Vec<Cells>,
    /// Rows that are complete.
    rows: usize,
    /// What texts take.
    bytes: usize,
}

/// One column: which rows have a value (definition and repetition levels, as the format has them), and the values.
struct Cells {
    required: bool,
    /// Rows that `levels` has something of.
    rows: usize,
    levels: Vec<i16>,
    /// Of lists only.
    repeats: Vec<i16>,
    values: Values,
}

enum Values {
    Numbers(Vec<i64>),
    Ratios(Vec<f64>),
    Flags(Vec<bool>),
    Texts(Texts),
    Lists(Texts),
}

/// Texts in order, by their numbers.
#[derive(Default)]
struct Texts {
    order: Vec<u32>,
    distinct: Vec<Bytes>,
    known: HashMap<Bytes, u32, ahash::RandomState>,
}

impl Rows {
    /// None yet.
    pub fn new(columns: &[Column]) -> Rows {
        let places = columns.iter().enumerate().map(|(place, column)| (column.name, place)).collect();
        Rows { places, columns: columns.iter().map(Cells::new).collect(), rows: 0, bytes: 0 }
    }

    /// The value of a column in the row that is being made. Says whether it is taken: there is a column of that name, which can hold it
    /// and has no value in this row yet. What gets no value is null.
    pub fn put(&mut self, name: &str, value: &Value) -> bool {
        let row = self.rows;
        let Some(cells) = self.places.get(name).and_then(|place| self.columns.get_mut(*place)) else { return false };
        if cells.rows > row {
            return false;
        }
        cells.lack(row);
        match (&mut cells.values, value) {
            (Values::Numbers(numbers), Value::Number(number)) => {
                let Some(number) = number.as_i64() else { return false };
                numbers.push(number);
            }
            (Values::Ratios(ratios), Value::Number(number)) => {
                let Some(ratio) = number.as_f64() else { return false };
                ratios.push(ratio);
            }
            (Values::Flags(flags), Value::Bool(flag)) => flags.push(*flag),
            (Values::Texts(texts), Value::String(text)) => self.bytes += texts.push(text),
            (Values::Lists(texts), Value::Array(list)) if list.iter().all(Value::is_string) => {
                self.bytes += list.iter().filter_map(Value::as_str).map(|text| texts.push(text)).sum::<usize>();
                cells.list(list.len());
                return true;
            }
            _ => return false,
        }
        cells.one();
        true
    }

    /// The same of a text.
    pub fn text(&mut self, name: &str, text: &str) {
        let row = self.rows;
        let Some(cells) = self.places.get(name).and_then(|place| self.columns.get_mut(*place)) else { return };
        if let (Values::Texts(texts), true) = (&mut cells.values, cells.rows <= row) {
            self.bytes += texts.push(text);
            cells.lack(row);
            cells.one();
        }
    }

    /// The same of a number or a time.
    pub fn number(&mut self, name: &str, number: u64) {
        // What is beyond is at the end, as in the store.
        self.put(name, &Value::from(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    /// The row is complete.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether they are to be written before there are more.
    pub fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    /// Writes them and is empty again.
    pub fn write(&mut self, mut group: SerializedRowGroupWriter<File>) -> Result<()> {
        for cells in &mut self.columns {
            cells.lack(self.rows);
            let Some(mut column) = group.next_column()? else { break };
            let levels = (!cells.required).then_some(&*cells.levels);
            match &cells.values {
                Values::Numbers(numbers) => column.typed::<Int64Type>().write_batch(numbers, levels, None)?,
                Values::Ratios(ratios) => column.typed::<DoubleType>().write_batch(ratios, levels, None)?,
                Values::Flags(flags) => column.typed::<BoolType>().write_batch(flags, levels, None)?,
                Values::Texts(texts) => column.typed::<ByteArrayType>().write_batch(&texts.all(), levels, None)?,
                Values::Lists(texts) => {
                    column.typed::<ByteArrayType>().write_batch(&texts.all(), levels, Some(&cells.repeats))?
                }
            };
            column.close()?;
            cells.clear();
        }
        (self.rows, self.bytes) = (0, 0);
        group.close().map(drop)
    }
}

impl Cells {
    fn new(column: &Column) -> Cells {
        let values = match column.kind {
            Kind::Time | Kind::Number => Values::Numbers(Vec::new()),
            Kind::Ratio => Values::Ratios(Vec::new()),
            Kind::Flag => Values::Flags(Vec::new()),
            Kind::Text | Kind::Json => Values::Texts(Texts::default()),
            Kind::List => Values::Lists(Texts::default()),
        };
        Cells { required: column.required, rows: 0, levels: Vec::new(), repeats: Vec::new(), values }
    }

    /// The rows until this one have no value.
    fn lack(&mut self, row: usize) {
        let more = row.saturating_sub(self.rows);
        self.levels.resize(self.levels.len() + more, 0);
        if matches!(self.values, Values::Lists(_)) {
            self.repeats.resize(self.levels.len(), 0);
        }
        self.rows += more;
    }

    fn one(&mut self) {
        self.levels.push(1);
        self.rows += 1;
    }

    /// A list with so many elements: 1 it is there, 2 an element is; every one but the first repeats.
    fn list(&mut self, elements: usize) {
        self.levels.resize(self.levels.len() + elements, 2);
        if elements == 0 {
            self.levels.push(1);
        }
        self.repeats.push(0);
        self.repeats.resize(self.levels.len(), 1);
        self.rows += 1;
    }

    fn clear(&mut self) {
        self.rows = 0;
        self.levels.clear();
        self.repeats.clear();
        match &mut self.values {
            Values::Numbers(numbers) => numbers.clear(),
            Values::Ratios(ratios) => ratios.clear(),
            Values::Flags(flags) => flags.clear(),
            Values::Texts(texts) | Values::Lists(texts) => *texts = Texts::default(),
        }
    }
}

impl Texts {
    /// Returns the bytes that it takes, if it is a new one.
    fn push(&mut self, text: &str) -> usize {
        if let Some(number) = self.known.get(text.as_bytes()) {
            self.order.push(*number);
            return 0;
        }
        // Rows are fewer by far than there are numbers.
        let number = u32::try_from(self.distinct.len()).unwrap_or(u32::MAX);
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.distinct.push(bytes.clone());
        self.known.insert(bytes, number);
        self.order.push(number);
        text.len() + TEXT
    }

    /// All of them, in order; none is copied.
    fn all(&self) -> Vec<ByteArray> {
        let text = |number: &u32| self.distinct.get(*number as usize).cloned().unwrap_or_default().into();
        self.order.iter().map(text).collect()
    }
}
