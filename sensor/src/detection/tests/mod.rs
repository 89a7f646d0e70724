//! Tests of detection as a whole; those of correlations are with them.

mod faults;
mod matching;
mod reload;
mod shipped;
mod sigma;
mod traps;
mod watching;

use super::source::{Role, Source};
use super::{Options, RuleSet, RulesError};

/// A set of these rule files and lists alone (`lists/...`), without the shipped ones.
fn set(files: &[(&str, &str)]) -> Result<RuleSet, RulesError> {
    set_with(files, &Options::default())
}

/// The same, read otherwise than usual.
fn set_with(files: &[(&str, &str)], options: &Options) -> Result<RuleSet, RulesError> {
    let source = |(name, text): &(&str, &str)| Source {
        name: (*name).into(),
        role: if name.starts_with("lists/") { Role::List } else { Role::Rules },
        text: (*text).to_owned(),
    };
    RuleSet::build_with(&[files.iter().map(source).collect()], Vec::new(), options)
}

/// A detection rule with this id's last digits, log source and detection (YAML, indented by two).
fn rule(id: u32, category: &str, detection: &str) -> String {
    format!(
        "title: Rule {id}\nid: 00000000-0000-4000-8000-{id:012}\nname: rule_{id}\nlevel: high\n\
         logsource:\n  product: linux\n  category: {category}\ndetection:\n{detection}\n"
    )
}
