//! The files that rules, lists and classes are read from, and reading them as a whole or not at all.

use super::effect::Versions;
use crate::agent::Settings;
use crate::detection::{Options, RuleSet, RulesError};
use crate::kernel::Classification;
use crate::line::Reload;
use crate::policy::{self, Policy};
use crate::provenance::ClassTable;
use crate::provenance::content::ContentClasses;
use std::path::{Path, PathBuf};

/// Where they are.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files and directories of rules and lists, beside the built-in ones.
    pub rules: Vec<PathBuf>,
    /// How these are read.
    pub options: Options,
    /// Another `classes.yml`.
    pub classes: Option<PathBuf>,
    /// What is declared; `None`: what [`policy::FILE`] says, if it is there.
    pub policy: Option<PathBuf>,
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
    /// Those of a sensor that is to watch so.
    pub fn of(settings: &Settings) -> Sources {
        let Settings { rules, rule_options, classes, policy, .. } = settings;
        let (rules, options) = (rules.clone(), rule_options.clone());
        Sources { rules, options, classes: classes.clone(), policy: policy.clone() }
    }

    /// All of them: what is to be watched.
    pub fn paths(&self) -> Vec<PathBuf> {
        let usual = || Some(PathBuf::from(policy::FILE)).filter(|file| file.parent().is_some_and(Path::exists));
        let policy = self.policy.clone().or_else(usual);
        self.rules.iter().chain(&self.classes).cloned().chain(policy).collect()
    }

    /// Reads everything; nothing comes of it if it is what is in effect.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, in_effect: &Versions) -> Result<Option<Box<Fresh>>, Refused> {
        let policy = Policy::find(self.policy.as_deref());
        let options = match &policy {
            Ok(policy) => self.options.clone().with_policy(policy),
            Err(_) => self.options.clone(),
        };
        let rules = RuleSet::load_with(&self.rules, &options);
        let classes = ClassTable::load(self.classes.as_deref()).and_then(|classes| match &rules {
            Ok(rules) => classes.watching(rules.watched()),
            Err(_) => Ok(classes),
        });
        let (rules, policy, classes) = match (rules, policy, classes) {
            (Ok(rules), Ok(policy), Ok(classes)) => (rules, policy, classes),
            (rules, policy, classes) => {
                let mut problems: Vec<String> = rules
                    .err()
                    .into_iter()
                    .flat_map(|RulesError { problems }| problems)
                    .map(|p| p.to_string())
                    .collect();
                problems.extend(policy.err().map(|error| error.to_string()));
                problems.extend(classes.err().map(|error| error.to_string()));
                return Err(Refused { problems });
            }
        };
        let version = classes.version().to_owned();
        let others = Some(classes).filter(|_| *version != *in_effect.classes);
        let is_policy = policy.digest().map(|digest| &**digest) == in_effect.policy.as_deref();
        if others.is_none() && is_policy && **rules.digest() == *in_effect.rules {
            return Ok(None);
        }
        let keys = others.as_ref().map(ClassTable::keys);
        let contents = others.as_ref().map(ClassTable::contents).filter(|contents| *contents != in_effect.contents);
        Ok(Some(Box::new(Fresh { reload: Reload::new(rules, policy, others, &version), keys, contents })))
    }
}
