//! Other rules, lists, policy or classes on a line that goes on.

use super::Line;
use crate::detection::{Engine, RuleSet};
use crate::event::{Body, Reloaded};
use crate::policy::{DeclaredEntry, Policy};
use crate::provenance::ClassTable;
use crate::provenance::names::Resolvers;
use std::sync::Arc;

/// What takes the place of what is in effect: made ready beforehand, so that the line need not wait for it.
pub struct Reload {
    engine: Engine,
    version: Arc<str>,
    policy: Policy,
    everywhere: Vec<DeclaredEntry>,
    resolvers: Resolvers,
    classes: Option<ClassTable>,
    event: Reloaded,
}

impl Reload {
    /// These rules and this policy; and these classes, unless they stay as they are. `version` is that of the classes in effect from then on.
    pub fn new(rules: RuleSet, policy: Policy, classes: Option<ClassTable>, classes_version: &str) -> Reload {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Reload {
            version: rules.digest().clone(),
            everywhere: rules.lists().declared().collect(),
            resolvers: Resolvers::new(rules.lists().networks("resolvers")),
            classes,
            event: Reloaded {
                ruleset: (**rules.digest()).into(),
                rules: count(rules.rule_count()),
                filters: count(rules.filter_count()),
                policy: policy.digest().map(|digest| (**digest).into()),
                classes: classes_version.into(),
            },
            policy,
            engine: Engine::new(rules),
        }
    }

    /// The classes, if they are others.
    pub fn classes(&self) -> Option<&ClassTable> {
        self.classes.as_ref()
    }

    /// What is to be said of it.
    pub fn event(&self) -> &Reloaded {
        &self.event
    }
}

impl Line {
    /// Puts other rules, lists, another policy and other classes into effect, for all events that are pushed from now on. The next has to be the one that is
    /// returned, since a recording has nothing else to tell it by.
    ///
    /// What is known of processes, workloads, names and who holds what stays, and so do what has left, what was said and the
    /// incidents. Of the correlations, those keep what they have seen that ask for the same as before.
    #[must_use]
    pub fn reload(&mut self, reload: Reload) -> Body {
        let Reload { engine, version, policy, everywhere, resolvers, classes, event } = reload;
        let before = std::mem::replace(&mut self.engine, engine);
        self.engine.go_on_from(before);
        self.raiser.set_version(version);
        self.names.set_resolvers(resolvers);
        self.policy.replace(policy, everywhere);
        if let Some(classes) = classes {
            if classes.contents() != self.tracer.classes().contents() {
                self.candidates.begin_anew(classes.look_size());
            }
            self.tracer.set_classes(classes);
        }
        Body::Reloaded(Box::new(event))
    }
}
