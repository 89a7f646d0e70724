//! An archive as a source: what a timeline is cut out of, on a machine that has nothing else.

use super::super::integrity::{PublicKey, VerifyError};
use super::super::source::{ASKED, Filter, Gap, Row, Rows, Source, SourceError, Told, file_of};
use super::check::walk;
use super::name;
use super::report::Report;
use super::write::EVENTS_MAX;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line: an incident's record is at most about 100 kB.
const LINE_MAX: usize = 1 << 20;
/// Most bytes of events in memory.
const BYTES_MAX: usize = 2 << 30;
/// Most alerts, incidents, coverage records and gaps.
const TOLD_MAX: usize = 200_000;

/// An archive that was checked, in memory. Events are kept as they are in the file, with what filters ask for beside them: as values they
/// would take ten times as much.
#[derive(Debug)]
pub struct Archive {
    place: PathBuf,
    report: Report,
    events: Vec<Kept>,
    /// Every value of the attributes that filters ask for, and its number.
    symbols: HashMap<Box<str>, u32>,
    told: Vec<Told>,
    gaps: Vec<Gap>,
}

/// An event. Of the symbols 0 is none, the others begin with 1.
#[derive(Debug)]
struct Kept {
    time: u64,
    sequence: u64,
    keys: [u32; ASKED.len()],
    file: u32,
    line: Box<[u8]>,
}

impl Archive {
    /// Reads all of an archive; [`super::verify`] says what is checked.
    ///
    /// # Errors
    /// As there, or it has in it what no archive has.
    pub fn open(place: &Path, keys: &[PublicKey]) -> Result<Archive, VerifyError> {
        let (mut events, mut symbols, mut bytes) = (Vec::new(), HashMap::new(), 0_usize);
        let (mut told, mut gaps) = (Vec::new(), Vec::new());
        let report = walk(place, keys, |name, content| match name {
            name::EVENTS => lines(content, |line| {
                bytes += line.len();
                if events.len() >= EVENTS_MAX || bytes > BYTES_MAX {
                    return Err(format!("more than {EVENTS_MAX} lines, or {BYTES_MAX} bytes of them"));
                }
                events.push(Kept::new(line, &mut symbols)?);
                Ok(())
            }),
            name::TOLD | name::COVERAGE => lines(content, |line| push(&mut told, line)),
            name::GAPS => lines(content, |line| push(&mut gaps, line)),
            _ => Ok(()),
        })?;
        events.sort_by_key(|event: &Kept| (event.time, event.sequence));
        told.sort_by(|one: &Told, other| (one.time, &one.uid).cmp(&(other.time, &other.uid)));
        Ok(Archive { place: place.to_owned(), report, events, symbols, told, gaps })
    }

    /// What it is, and who says so.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl Kept {
    fn new(line: &[u8], symbols: &mut HashMap<Box<str>, u32>) -> Result<Kept, String> {
        let Row { time, sequence, attributes } = parsed(line)?;
        let mut symbol = |text: Option<&str>| {
            let Some(text) = text else { return 0 };
            let next = u32::try_from(symbols.len() + 1).unwrap_or(0);
            match symbols.get(text) {
                Some(known) => *known,
                None => *symbols.entry(text.into()).or_insert(next),
            }
        };
        let keys = ASKED.map(|name| symbol(attributes.get(name).and_then(Value::as_str)));
        let file = symbol(file_of(&attributes).as_deref());
        Ok(Kept { time, sequence, keys, file, line: line.into() })
    }
}

/// A line's value; else why it is none.
fn parsed<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

fn push<T: DeserializeOwned>(to: &mut Vec<T>, line: &[u8]) -> Result<(), String> {
    if to.len() >= TOLD_MAX {
        return Err(format!("more than {TOLD_MAX} lines"));
    }
    to.push(parsed(line)?);
    Ok(())
}

/// Hands each line to `each`, and says which one it did not take.
fn lines(content: &mut dyn Read, mut each: impl FnMut(&[u8]) -> Result<(), String>) -> io::Result<()> {
    let mut content = BufReader::new(content);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = Read::by_ref(&mut content).take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if read > LINE_MAX {
            return Err(io::Error::other(format!("its line {number} has more than {LINE_MAX} bytes")));
        }
        each(line.trim_ascii())
            .map_err(|reason| io::Error::other(format!("its line {number} is none of weir's: {reason}")))?;
    }
    Ok(())
}

impl Source for Archive {
    fn rows(&mut self, filter: &Filter) -> Result<Rows, SourceError> {
        let number = |text: &str| self.symbols.get(text).copied();
        let numbers = |set: &BTreeSet<Box<str>>| set.iter().filter_map(|text| number(text)).collect::<BTreeSet<u32>>();
        let [processes, lineages, workloads] = [&filter.processes, &filter.lineages, &filter.workloads].map(numbers);
        let [paths, files, kinds] = [&filter.paths, &filter.files, &filter.kinds].map(numbers);
        let wanted = |event: &Kept| {
            let [kind, process, child, lineage, workload, path, new_path] = event.keys;
            (filter.kinds.is_empty() || kinds.contains(&kind))
                && (filter.is_of_time_only()
                    || processes.contains(&process)
                    || processes.contains(&child)
                    || lineages.contains(&lineage)
                    || workloads.contains(&workload)
                    || paths.contains(&path)
                    || paths.contains(&new_path)
                    || files.contains(&event.file))
        };
        let from = self.events.partition_point(|event| event.time < filter.from);
        let later = self.events.get(from..).unwrap_or_default();
        let mut found = Rows::default();
        for event in later.iter().take_while(|event| event.time <= filter.to).filter(|event| wanted(event)) {
            if found.rows.len() >= filter.limit {
                found.cut = true;
                break;
            }
            let row = parsed(&event.line)
                .map_err(|reason| SourceError { place: self.place.display().to_string(), reason })?;
            found.rows.push(row);
        }
        Ok(found)
    }

    fn told(&mut self, from: u64, to: u64, incidents: &BTreeSet<Box<str>>) -> Result<Vec<Told>, SourceError> {
        Ok(self.told.iter().filter(|told| told.is_asked(from, to, incidents)).cloned().collect())
    }

    fn gaps(&mut self, from: u64, to: u64) -> Result<Vec<Gap>, SourceError> {
        Ok(self.gaps.iter().filter(|gap| gap.is_of(from, to)).cloned().collect())
    }

    fn span(&mut self) -> Result<Option<(u64, u64)>, SourceError> {
        let times = self.events.iter().map(|event| event.time).chain(self.told.iter().map(|told| told.time));
        Ok(times.fold(None, |span: Option<(u64, u64)>, time| {
            Some(span.map_or((time, time), |(from, to)| (from.min(time), to.max(time))))
        }))
    }
}
