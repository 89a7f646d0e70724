//! What is signed of a store: each segment when it closes, and which one is the last.
//!
//! A signature is over one line of text, so that it can be checked with any tool (`docs/evidence.md`). The lines begin with what they
//! are, so that none can be taken for another.

use super::super::store::signer::Signer;
use super::encoding::{bytes, digest, hex};
use super::key::{self, PublicKey};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The form of both.
const VERSION: u32 = 1;
/// Most bytes of a statement's file.
const FILE_MAX: u64 = 64 << 10;

/// What is signed of a closed segment: `segments/NNNNNNNNNN.sig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// 1
    pub version: u32,
    /// Its number.
    pub segment: i64,
    /// Its first and last batch; 1 and 0: it has none.
    pub batches: [i64; 2],
    /// The digest of the last one; of the one before, if it has none.
    #[serde(with = "digest")]
    pub digest: [u8; 32],
    /// The digest of the last batch of the segment before.
    #[serde(with = "digest")]
    pub previous: [u8; 32],
    /// SHA-256 of the closed file: of its views, indexes and description too, which are in no batch.
    #[serde(with = "digest")]
    pub file_sha256: [u8; 32],
    /// Who signed.
    #[serde(with = "bytes")]
    pub key: [u8; 32],
    /// Over `weir.segment.v1|SEGMENT|FIRST|LAST|PREVIOUS|DIGEST|FILE_SHA256`.
    #[serde(with = "bytes")]
    pub signature: [u8; 64],
}

/// The last segment that was signed: the file `head` of a store. Without it nobody would see that the end was taken away.
///
/// It is written before the segment's own statement, and before segments are rotated away, so that a crash in between leaves a store
/// that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// 1
    pub version: u32,
    /// The oldest segment that is kept.
    pub oldest: i64,
    /// The last one that was closed.
    pub segment: i64,
    /// Its last batch; 0: it has none.
    pub batch: i64,
    /// The digest of that.
    #[serde(with = "digest")]
    pub digest: [u8; 32],
    /// Who signed.
    #[serde(with = "bytes")]
    pub key: [u8; 32],
    /// Over `weir.head.v1|OLDEST|SEGMENT|BATCH|DIGEST`.
    #[serde(with = "bytes")]
    pub signature: [u8; 64],
}

/// Why a statement is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is none.
    #[error("it is no statement of this form ({0})")]
    Malformed(#[from] serde_json::Error),
    /// It was written by a later version.
    #[error("it has the form {0}, and this weir reads the form {VERSION}: use a later weir")]
    Version(u32),
    /// It was changed, or is none of this key.
    #[error("its signature is not of what it says")]
    Forged,
}

impl Statement {
    /// Signed by `signer`.
    pub fn new(
        segment: i64,
        batches: [i64; 2],
        previous: [u8; 32],
        digest: [u8; 32],
        file_sha256: [u8; 32],
        signer: &dyn Signer,
    ) -> Statement {
        let key = signer.public();
        let mut statement =
            Statement { version: VERSION, segment, batches, digest, previous, file_sha256, key, signature: [0; 64] };
        statement.signature = signer.sign(statement.line().as_bytes());
        statement
    }

    /// What the signature is over.
    fn line(&self) -> String {
        let [first, last] = self.batches;
        let [previous, digest, file] = [hex(&self.previous), hex(&self.digest), hex(&self.file_sha256)];
        format!("weir.segment.v1|{}|{first}|{last}|{previous}|{digest}|{file}", self.segment)
    }

    /// What is in these bytes, if the key in it signed it. Whose key that is, is for the caller to ask.
    ///
    /// # Errors
    /// See [`StatementError`].
    pub fn parse(bytes: &[u8]) -> Result<Statement, StatementError> {
        let statement: Statement = serde_json::from_slice(bytes)?;
        if statement.version != VERSION {
            return Err(StatementError::Version(statement.version));
        }
        let signed = PublicKey(statement.key).signed(statement.line().as_bytes(), &statement.signature);
        if signed { Ok(statement) } else { Err(StatementError::Forged) }
    }

    /// Reads one.
    ///
    /// # Errors
    /// See [`StatementError`].
    pub fn open(file: &Path) -> Result<Statement, StatementError> {
        Statement::parse(&read(file)?)
    }

    /// Writes it, as a whole or not at all.
    ///
    /// # Errors
    /// The kernel's.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        write(self, file)
    }
}

impl Head {
    /// The file's name in a store.
    pub const FILE: &str = "head";

    /// Signed by `signer`.
    pub fn new(oldest: i64, segment: i64, batch: i64, digest: [u8; 32], signer: &dyn Signer) -> Head {
        let mut head =
            Head { version: VERSION, oldest, segment, batch, digest, key: signer.public(), signature: [0; 64] };
        head.signature = signer.sign(head.line().as_bytes());
        head
    }

    fn line(&self) -> String {
        format!("weir.head.v1|{}|{}|{}|{}", self.oldest, self.segment, self.batch, hex(&self.digest))
    }

    /// The head of the store in `directory`; `None`: it has none.
    ///
    /// # Errors
    /// See [`StatementError`].
    pub fn open(directory: &Path) -> Result<Option<Head>, StatementError> {
        let bytes = match read(&directory.join(Head::FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let head: Head = serde_json::from_slice(&bytes)?;
        if head.version != VERSION {
            return Err(StatementError::Version(head.version));
        }
        let signed = PublicKey(head.key).signed(head.line().as_bytes(), &head.signature);
        if signed { Ok(Some(head)) } else { Err(StatementError::Forged) }
    }

    /// Writes it to the store in `directory`, as a whole or not at all.
    ///
    /// # Errors
    /// The kernel's.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        write(self, &directory.join(Head::FILE))
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(statement: &impl Serialize, file: &Path) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(statement)?;
    bytes.push(b'\n');
    key::write(file, &bytes, 0o644)
}
