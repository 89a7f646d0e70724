//! What loaded rules want to see of files beyond the classes: names, suffixes and directories that their conditions ask for.
//!
//! Files that one of them claims are in the class `watched`. Nobody holds what is watched, nothing follows it: it is seen, and no more.

use std::collections::BTreeSet;

/// The suffix of the files by which the agent tries whether opens come out at the end of its own line; in the class `watched` always.
pub const CANARY_SUFFIX: &str = "weir-canary";

/// Keys of the kind that the kernel looks up, in lower case. Each fits the kernel's tables
/// ([`SuffixKey::new`](sensor_common::classify::SuffixKey::new), [`NameKey::new`](sensor_common::classify::NameKey::new)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// What follows the last dot of a name.
    pub suffixes: BTreeSet<String>,
    /// Whole names of files.
    pub names: BTreeSet<String>,
    /// Names of a directory above the file, as far up as the kernel looks.
    pub directories: BTreeSet<String>,
}

impl Watched {
    /// Adds those of `other`.
    pub fn extend(&mut self, other: Watched) {
        self.suffixes.extend(other.suffixes);
        self.names.extend(other.names);
        self.directories.extend(other.directories);
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.suffixes.len() + self.names.len() + self.directories.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
