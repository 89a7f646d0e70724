//! Why a policy cannot be used: one sentence with its place and its mend.

use crate::event::text::most_like;
use crate::place::Place;
use std::sync::Arc;

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("{file} cannot be read ({reason}); check that it exists and that this user may read it")]
    Unreadable {
        /// Which.
        file: Arc<str>,
        /// What the kernel said.
        reason: String,
    },
    /// The file is beyond the limit.
    #[error("{file} has more than the {limit} bytes that a policy may have; select workloads by patterns")]
    TooLarge {
        /// Which.
        file: Arc<str>,
        /// What it may have.
        limit: u64,
    },
    /// The bytes are not text.
    #[error("{place}: this is not UTF-8; save the file as UTF-8")]
    NotUtf8 {
        /// Where.
        place: Place,
    },
    /// Not YAML.
    #[error("{place}: this is not YAML ({reason}); mend the indentation, quotes or brackets here")]
    Yaml {
        /// Where.
        place: Place,
        /// What the parser says.
        reason: String,
    },
    /// A key that nobody reads.
    #[error("{place}: nothing reads the key `{key}`{}; it can be {known}", hint(.nearest))]
    UnknownKey {
        /// Where.
        place: Place,
        /// As written.
        key: String,
        /// The known key that is most like it.
        nearest: Option<String>,
        /// All that there are.
        known: String,
    },
    /// A value cannot be used, or one is missing.
    #[error("{place}: {reason}")]
    Value {
        /// Where.
        place: Place,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// Two entries with one name.
    #[error("{place}: the name `{name}` is already that of line {other}; rename one of the two")]
    DuplicateName {
        /// Where.
        place: Place,
        /// The name.
        name: Box<str>,
        /// The line of the other one.
        other: u32,
    },
}

impl PolicyError {
    /// What the YAML library says of a document that is YAML, and not a policy.
    pub(super) fn of_value(place: Place, message: &str) -> PolicyError {
        // serde's words (`Error::unknown_field`), which its derive has had since its first version.
        let unknown = message.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`'));
        match unknown {
            Some((key, rest)) => {
                let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
                let nearest = most_like(key, known.iter().copied());
                PolicyError::UnknownKey { place, key: key.to_owned(), nearest, known: known.join(", ") }
            }
            None => PolicyError::Value { place, reason: message.to_owned() },
        }
    }
}

pub(super) fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
