//! Sigma filters: conditions that are added to rules without editing them.
//!
//! A filter is held against an event only once a rule has matched it, and says then whether the match stands. It is not
//! woven into the rule: so the matches that it takes can be counted, and its selectors cannot reach the rule's own names.

use super::builder::{Builder, is_correlation};
use super::document::Document;
use super::fault::Fault;
use super::identity::Identity;
use super::vet;
use rsigma_eval::CompiledRule;
use rsigma_parser::{CorrelationRule, FilterRule, FilterRuleTarget, LogSource, SigmaRule};
use std::sync::Arc;

/// A filter that was found right.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The UUID, as written.
    pub id: Box<str>,
    /// A few words.
    pub title: Arc<str>,
    /// Its condition: a match stands if it holds.
    pub compiled: CompiledRule,
    /// What it comes to.
    pub identity: Identity,
}

impl Builder {
    /// The rules that a filter names; `None`: all.
    pub(super) fn targets(
        &mut self,
        document: &Document<'_>,
        filter: &FilterRule,
        correlations: &[(&Document<'_>, &CorrelationRule)],
        find: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Vec<usize>> {
        let FilterRuleTarget::Specific(names) = &filter.rules else { return None };
        let mut targets = Vec::new();
        for name in names {
            if let Some(position) = find(name) {
                targets.push(position);
            } else if is_correlation(name, correlations) {
                let instead = "a filter looks at single events; name the rules that the correlation is made of";
                let what = format!("a filter on the correlation `{name}`");
                self.problem(document.text(name), Fault::Unsupported { what, instead });
            } else {
                self.unknown_rule(document, name, std::iter::empty());
            }
        }
        Some(targets)
    }

    /// Rules that a filter names and its log source keeps it from.
    pub(super) fn vet_targets<'r>(
        &mut self,
        document: &Document<'_>,
        filter: &FilterRule,
        targets: impl Iterator<Item = &'r SigmaRule>,
    ) {
        let own = filter.logsource.as_ref();
        if own.is_some_and(|own| own.category.is_some() && vet::category(own).is_err()) {
            // Which is told.
            return;
        }
        for rule in targets.filter(|rule| !contains(own, &rule.logsource)) {
            self.problem(document.key("logsource"), Fault::FilterApart { rule: rule.title.clone() });
        }
    }
}

/// Whether a filter with this log source applies to a rule with that one: what the filter says must be what the rule says.
pub(super) fn contains(filter: Option<&LogSource>, rule: &LogSource) -> bool {
    let same = |of: fn(&LogSource) -> &Option<String>| {
        filter
            .and_then(|filter| of(filter).as_ref())
            .is_none_or(|wanted| of(rule).as_ref().is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
    };
    same(|l| &l.category) && same(|l| &l.product) && same(|l| &l.service)
}
