//! What the agent found in a file that it looked into.

use super::File;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The agent looked into a file, or gave up: what it is by its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recognized {
    /// The file. Its classes are those that its content puts it in, its size and change time those that it had when it was read.
    /// Where it could not be read, as it was when it was opened.
    pub file: File,
    /// When the file was made, nanoseconds since the epoch by the clock of change times, where its file system keeps that: what was
    /// last changed before, and had the same inode number, was another file.
    pub born_unix_nanos: Option<i64>,
    /// What was found.
    pub finding: ContentFinding,
}

/// What a look into a file gave.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentFinding {
    /// Its bytes tell a format, by the names of `classes.yml`, and how surely: `likely` or `certain`.
    Format {
        /// The format.
        name: Cow<'static, str>,
        /// How surely.
        confidence: Cow<'static, str>,
    },
    /// It was read, and is of no format that is known.
    Unknown,
    /// It was not read, for this reason. What it holds is as open as before.
    Unread(Cow<'static, str>),
}
