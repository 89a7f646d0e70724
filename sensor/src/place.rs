//! Where in a file that a person wrote something is: what errors about rules, lists and the policy begin with.

use std::fmt;
use std::sync::Arc;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was given; shipped ones start with `weir:`.
    pub file: Arc<str>,
    /// From 1; 0 if it is about the whole file.
    pub line: u32,
    /// In characters, from 1; 0 if it is about the whole line.
    pub column: u32,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: &Arc<str>) -> Place {
        Place { file: file.clone(), line: 0, column: 0 }
    }
}

/// `FILE`, `FILE:LINE` or `FILE:LINE:COLUMN`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}
