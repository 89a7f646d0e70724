//! The files that rules, lists and classes are read from, and reading them as a whole or not at all.

use super::effect::Versions;
use crate::detection::{RuleSet, RulesError};
use crate::kernel::Classification;
use crate::line::Reload;
use crate::provenance::ClassTable;
use crate::provenance::content::ContentClasses;
use std::path::PathBuf;

/// Where they are.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files and directories of rules and lists, beside the built-in ones.
    pub rules: Vec<PathBuf>,
    /// Another `classes.yml`.
    pub classes: Option<PathBuf>,
}

/// Read, found right, and made ready.
pub struct Fresh {
    /// For the line.
    pub reload: Reload,
    /// For the kernel's tables, if the classes are others.
    pub keys: Option<Classification>,
    /// For looks into files, if the classes by content are others.
    pub contents: Option<ContentClasses>,
}

/// What is wrong with the files, each problem with its place, in their order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct Refused {
    /// At least one; each a sentence.
    pub problems: Vec<String>,
}

impl From<String> for Refused {
    fn from(problem: String) -> Refused {
        Refused { problems: vec![problem] }
    }
}

impl Sources {
    /// All of them: what is to be watched.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.rules.iter().chain(&self.classes).cloned().collect()
    }

    /// Reads everything; nothing comes of it if it is what is in effect.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, in_effect: &Versions) -> Result<Option<Box<Fresh>>, Refused> {
        let (rules, classes) = (RuleSet::load(&self.rules), ClassTable::load(self.classes.as_deref()));
        let (rules, classes) = match (rules, classes) {
            (Ok(rules), Ok(classes)) => (rules, classes),
            (rules, classes) => {
                let mut problems: Vec<String> = rules
                    .err()
                    .into_iter()
                    .flat_map(|RulesError { problems }| problems)
                    .map(|p| p.to_string())
                    .collect();
                problems.extend(classes.err().map(|error| error.to_string()));
                return Err(Refused { problems });
            }
        };
        let version = classes.version().to_owned();
        let others = Some(classes).filter(|_| *version != *in_effect.classes);
        if others.is_none() && **rules.digest() == *in_effect.rules {
            return Ok(None);
        }
        let keys = others.as_ref().map(ClassTable::keys);
        let contents = others.as_ref().map(ClassTable::contents).filter(|contents| *contents != in_effect.contents);
        Ok(Some(Box::new(Fresh { reload: Reload::new(rules, others, &version), keys, contents })))
    }
}
