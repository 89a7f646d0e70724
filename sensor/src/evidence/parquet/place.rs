//! The directory that is exported to: whose files are called what, and which segments are done.
//!
//! What is not whole is below `_weir/host=NAME/`, which engines pass over, as they do all that begins with an underscore. There is one
//! exporter of a host at a time: it holds a lock, which goes with it.

use super::file::reason;
use super::table::Table;
use ::parquet::errors::ParquetError;
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The exporter's own directory.
const OWN: &str = "_weir";
/// The segments that are done, one a line.
const DONE: &str = "exported";
/// Most bytes of a part of a path: 255 in all file systems that are used for this, without "host=".
const NAME_MAX: usize = 250;

/// Why nothing can be written there.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The kernel refused.
    #[error("{} cannot be written ({reason}): see that there is room and that weir may write there", .place.display())]
    Refused {
        /// What could not be written.
        place: PathBuf,
        /// What the kernel said.
        reason: String,
    },
    /// Somebody else is at it.
    #[error("another export of {host} writes to {}: wait until it has ended", .place.display())]
    Busy {
        /// The directory.
        place: PathBuf,
        /// The machine.
        host: String,
    },
    /// It has a name that no directory can have.
    #[error(
        "the machine's name is longer than a directory's can be, {NAME_MAX} bytes when it is escaped: give another with --host"
    )]
    Name,
}

/// See the module's text.
#[derive(Debug)]
pub struct Place {
    out: PathBuf,
    /// The directory of the host in each partition.
    host: String,
    own: PathBuf,
    _lock: File,
    done: BTreeSet<String>,
}

impl Place {
    /// Makes the directories, and takes the lock. What an exporter left that was killed is removed.
    pub fn open(out: &Path, host: &str) -> Result<Place, PlaceError> {
        let name = escaped(host);
        if name.len() > NAME_MAX {
            return Err(PlaceError::Name);
        }
        let name = format!("host={name}");
        let own = out.join(OWN).join(&name);
        let refused = |place: &Path| {
            let place = place.to_owned();
            move |error: io::Error| PlaceError::Refused { place, reason: error.to_string() }
        };
        make(&own).map_err(refused(out))?;
        let lock = OpenOptions::new().append(true).create(true).mode(0o600).open(own.join("lock"));
        let lock = lock.map_err(refused(&own))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(PlaceError::Busy { place: out.to_owned(), host: host.to_owned() });
            }
            locked => locked.map_err(io::Error::from).map_err(refused(&own))?,
        }
        let new = own.join("new");
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(&new)(error)),
            _ => make(&new).map_err(refused(&new))?,
        }
        let done = match fs::read_to_string(own.join(DONE)) {
            Ok(text) => text.lines().map(ToOwned::to_owned).collect(),
            // Then all is exported again, under the same names.
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(refused(&own.join(DONE))(error)),
        };
        Ok(Place { out: out.to_owned(), host: name, own, _lock: lock, done })
    }

    /// The directory itself.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Whether a segment, by the name of its files, is done.
    pub fn is_done(&self, stem: &str) -> bool {
        self.done.contains(stem)
    }

    /// Where a file is until it is whole.
    pub fn unfinished(&self, table: Table, day: &str) -> PathBuf {
        self.own.join("new").join(format!("{}-{day}", table.name()))
    }

    /// Gives all files of a segment their names.
    pub fn publish(&self, stem: &str, tables: &[(Table, Vec<(String, PathBuf)>)]) -> Result<(), PlaceError> {
        let mut directories = BTreeSet::new();
        for (table, files) in tables {
            for (day, file) in files {
                let directory = self.out.join(table.name()).join(format!("date={day}")).join(&self.host);
                let target = directory.join(format!("{stem}.parquet"));
                let refused =
                    |error: io::Error| PlaceError::Refused { place: target.clone(), reason: error.to_string() };
                make(&directory).and_then(|()| fs::rename(file, &target)).map_err(refused)?;
                directories.insert(directory);
            }
        }
        for directory in directories {
            let synced = File::open(&directory).and_then(|directory| directory.sync_all());
            synced.map_err(|error| PlaceError::Refused { place: directory, reason: error.to_string() })?;
        }
        Ok(())
    }

    /// A segment is done. Those before `oldest` are not in the store any more, and are forgotten.
    pub fn mark(&mut self, stem: &str, oldest: u64) -> Result<(), PlaceError> {
        let number = |stem: &str| stem.split('-').next().and_then(|number| number.parse::<u64>().ok());
        self.done.retain(|stem| number(stem).is_some_and(|number| number >= oldest));
        self.done.insert(stem.to_owned());
        let text: String = self.done.iter().map(|stem| format!("{stem}\n")).collect();
        let (new, file) = (self.own.join("new").join(DONE), self.own.join(DONE));
        let write = || -> io::Result<()> {
            let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&new, &file)
        };
        write().map_err(|error| PlaceError::Refused { place: file.clone(), reason: error.to_string() })
    }

    /// The error that a file could not be written.
    pub fn refused(&self, place: &Path, error: &ParquetError) -> PlaceError {
        PlaceError::Refused { place: place.to_owned(), reason: reason(error) }
    }
}

/// What was not given its name is of no use to anybody.
impl Drop for Place {
    fn drop(&mut self) {
        // The next export removes it otherwise.
        let _ = fs::remove_dir_all(self.own.join("new"));
    }
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// A name that anybody gave as a part of a path, as Hive escapes them: engines read it as it was.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for (place, byte) in name.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && place > 0);
        if is_plain {
            escaped.push(char::from(byte));
        } else {
            // Into memory: it does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    // What Hive has for nothing.
    if escaped.is_empty() { "__HIVE_DEFAULT_PARTITION__".to_owned() } else { escaped }
}
