//! Signing, in the order that leaves a whole store wherever a crash comes in between.

use super::super::store::chain;
use super::super::store::signer::Signer;
use super::encoding::of_hex;
use super::segment::sha256;
use super::statement::{Head, Statement, StatementError};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::io;
use std::path::{Path, PathBuf};

/// Why something is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The segment cannot be read.
    #[error("{} cannot be signed: {source}", .file.display())]
    Sqlite {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The disk refuses.
    #[error("{} cannot be signed: {source}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It was signed before, or later ones were: to sign it again would be to sign what somebody made of it.
    #[error("{} was signed before, and its signature is not there: it is not signed again, and `weir evidence verify` tells what is wrong", .file.display())]
    Signed {
        /// The file.
        file: PathBuf,
    },
    /// The head is of no use.
    #[error(
        "the head of the store is of no use ({source}), and nothing more is signed: see what `weir evidence verify` says, and set the store aside"
    )]
    Head {
        /// In what way.
        source: StatementError,
    },
}

/// Signs a segment that is closed and stands alone (no write-ahead log beside it): first the store's head, then its own statement.
/// `oldest` is the oldest segment that is kept.
///
/// # Errors
/// See [`SignError`].
pub fn close(directory: &Path, file: &Path, segment: i64, oldest: i64, signer: &dyn Signer) -> Result<(), SignError> {
    let ([_, batch], _, digest) = ends(file)?;
    match Head::open(directory).map_err(|source| SignError::Head { source })? {
        // The crash came before its own statement was written.
        Some(head) if head.segment == segment && head.batch == batch && head.digest == digest => {}
        Some(head) if head.segment >= segment => return Err(SignError::Signed { file: file.to_owned() }),
        _ => {}
    }
    let statement = statement(file, segment, signer)?;
    let io = |source| SignError::Io { file: file.to_owned(), source };
    Head::new(oldest, segment, batch, statement.digest, signer).write(directory).map_err(io)?;
    statement.write(&file.with_extension("sig")).map_err(io)
}

/// Signs a file that is in no order with others: the copy of an incident.
///
/// # Errors
/// See [`SignError`].
pub fn seal(file: &Path, signer: &dyn Signer) -> Result<(), SignError> {
    let io = |source| SignError::Io { file: file.to_owned(), source };
    statement(file, 0, signer)?.write(&file.with_extension("sig")).map_err(io)
}

/// Says that segments before `oldest` are kept no longer: called before they are removed, or after, where there is no room for it
/// before.
///
/// # Errors
/// See [`SignError`]. Nothing is done where nothing was signed yet.
pub fn rotate(directory: &Path, oldest: i64, signer: &dyn Signer) -> Result<(), SignError> {
    let Some(head) = Head::open(directory).map_err(|source| SignError::Head { source })? else { return Ok(()) };
    let head = Head::new(oldest, head.segment, head.batch, head.digest, signer);
    head.write(directory).map_err(|source| SignError::Io { file: directory.join(Head::FILE), source })
}

fn statement(file: &Path, segment: i64, signer: &dyn Signer) -> Result<Statement, SignError> {
    let (batches, previous, digest) = ends(file)?;
    let hash = sha256(file).map_err(|source| SignError::Io { file: file.to_owned(), source })?;
    Ok(Statement::new(segment, batches, previous, digest, hash, signer))
}

/// First and last batch, what comes before and the last digest. Without a batch: from 1 to 0, and both what comes before.
type Ends = ([i64; 2], [u8; 32], [u8; 32]);

fn ends(file: &Path) -> Result<Ends, SignError> {
    read_ends(file).map_err(|source| SignError::Sqlite { file: file.to_owned(), source })
}

fn read_ends(file: &Path) -> rusqlite::Result<Ends> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let previous = "SELECT value FROM meta WHERE name = 'previous'";
    let previous: Option<String> = connection.query_row(previous, [], |row| row.get(0)).optional()?;
    let previous = previous.and_then(|text| of_hex(&text)).unwrap_or(chain::NOTHING);
    let first =
        connection.query_row("SELECT number FROM batches ORDER BY number LIMIT 1", [], |row| row.get(0)).optional()?;
    let last = "SELECT number, digest FROM batches ORDER BY number DESC LIMIT 1";
    let last = connection.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(match (first, last) {
        (Some(first), Some((last, digest))) => ([first, last], previous, digest),
        _ => ([1, 0], previous, previous),
    })
}
