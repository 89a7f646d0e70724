//! A rule set: what was read, put together and found right as a whole, or not at all.

use super::builder::Builder;
use super::correlation::Spec;
use super::example::Examples;
use super::fault::{Problem, RulesError};
use super::filter::Filter;
use super::identity::Identity;
use super::lists::Lists;
use super::options::{LeftOut, Note, Options};
use super::rule::Rule;
use super::source::{self, Source};
use super::{Category, embedded};
use crate::provenance::Watched;
use rsigma_eval::CompiledRule;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::Arc;

/// Rules, correlations, filters and lists that go together.
#[derive(Clone, Debug)]
pub struct RuleSet {
    pub(super) detections: Vec<Detection>,
    pub(super) correlations: Vec<(Arc<Rule>, Spec)>,
    pub(super) filters: Vec<Filter>,
    pub(super) examples: Vec<(Arc<Rule>, Examples)>,
    pub(super) lists: Lists,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) notes: Vec<Note>,
    pub(super) watched: Watched,
    pub(super) digest: Arc<str>,
}

/// A detection rule with what the engine needs of it.
#[derive(Clone, Debug)]
pub(super) struct Detection {
    pub rule: Arc<Rule>,
    pub category: Category,
    /// Of `file_event`: it asks as Sigma does for files that come into being, and is held against renames and links as well.
    pub arrivals: bool,
    /// Its id is its index in [`RuleSet::detections`].
    pub compiled: CompiledRule,
    /// What it comes to.
    pub identity: Identity,
    /// The correlations that it is part of, and which of their rules it is.
    pub steps: Vec<(usize, usize)>,
    /// The filters that apply to it.
    pub filters: Vec<usize>,
}

impl RuleSet {
    /// The shipped rules.
    ///
    /// # Errors
    /// None, as a test shows.
    pub fn embedded() -> Result<RuleSet, RulesError> {
        RuleSet::build(&[embedded::sources()], Vec::new())
    }

    /// The shipped rules, with those of `paths` (files, or directories and what is below them) laid over them: a rule with the
    /// id of a shipped one replaces it, and so does a list with the name of a shipped one; all others are added. A rule whose
    /// status is `deprecated` or `unsupported` is not run, so that a shipped rule is switched off by a copy with that status.
    ///
    /// # Errors
    /// Everything that is wrong with the files. The set is used as a whole or not at all.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<RuleSet, RulesError> {
        RuleSet::load_with(paths, &Options::default())
    }

    /// [`RuleSet::load`], otherwise than usual.
    ///
    /// # Errors
    /// As [`RuleSet::load`].
    pub fn load_with<P: AsRef<Path>>(paths: &[P], options: &Options) -> Result<RuleSet, RulesError> {
        let mut problems = Vec::new();
        let sources = paths.iter().flat_map(|path| source::read(path.as_ref(), &mut problems)).collect();
        RuleSet::build_with(&[embedded::sources(), sources], problems, options)
    }

    /// [`RuleSet::load`] of one directory.
    ///
    /// # Errors
    /// As [`RuleSet::load`].
    pub fn load_dir(directory: &Path) -> Result<RuleSet, RulesError> {
        RuleSet::load(&[directory])
    }

    /// The rules, detections first, each with the examples that come with it.
    pub fn examples(&self) -> impl Iterator<Item = (&Arc<Rule>, &Examples)> {
        self.examples.iter().map(|(rule, examples)| (rule, examples))
    }

    /// The rules, detections first.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.examples.iter().map(|(rule, _)| rule)
    }

    /// How many filters there are.
    pub fn filter_count(&self) -> usize {
        self.filters.len()
    }

    /// How many rules there are, correlations included.
    pub fn rule_count(&self) -> usize {
        self.examples.len()
    }

    /// The lists.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// What was left out, since it asks for what Weir does not have; nothing unless the options allow it.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What is worth knowing and no mistake.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The files that the rules' conditions ask for, for [`ClassTable::watching`](crate::provenance::ClassTable::watching).
    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// SHA-256 over all files in effect, hexadecimal: the rule set's version.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// Puts `layers` of files together, later ones over earlier ones. `problems` are those of reading them.
    pub(super) fn build(layers: &[Vec<Source>], problems: Vec<Problem>) -> Result<RuleSet, RulesError> {
        RuleSet::build_with(layers, problems, &Options::default())
    }

    /// [`RuleSet::build`], otherwise than usual.
    pub(super) fn build_with(
        layers: &[Vec<Source>],
        problems: Vec<Problem>,
        options: &Options,
    ) -> Result<RuleSet, RulesError> {
        let mut builder = Builder::new(problems, options);
        let digest = digest(layers, options);
        let drafts = builder.drafts(layers);
        let set = builder.assemble(&drafts, digest);
        let mut problems = builder.problems;
        if problems.is_empty() {
            return Ok(set);
        }
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        problems.dedup();
        Err(RulesError { problems })
    }
}

fn digest(layers: &[Vec<Source>], options: &Options) -> Arc<str> {
    let mut digest = Sha256::new();
    for source in layers.iter().flatten() {
        // By its last component, so that a set has one version wherever it is mounted.
        for part in [source.name.rsplit(['/', ':']).next().unwrap_or_default(), &source.text] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
    }
    for list in &options.lists {
        for part in std::iter::once(&list.name).chain(list.values.iter().map(|(_, value)| value)) {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
