//! Other rules, lists or classes on a line that goes on.

use super::Line;
use crate::detection::{Engine, RuleSet};
use crate::event::{Body, Reloaded};
use crate::provenance::names::Resolvers;
use crate::provenance::{ClassTable, Declared};
use std::sync::Arc;

/// What takes the place of what is in effect: made ready beforehand, so that the line need not wait for it.
pub struct Reload {
    engine: Engine,
    version: Arc<str>,
    declared: Declared,
    resolvers: Resolvers,
    classes: Option<ClassTable>,
    event: Reloaded,
}

impl Reload {
    /// These rules; and these classes, unless they stay as they are. `version` is that of the classes in effect from then on.
    pub fn new(rules: RuleSet, classes: Option<ClassTable>, classes_version: &str) -> Reload {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Reload {
            version: rules.digest().clone(),
            declared: Declared::new(rules.lists().declared()),
            resolvers: Resolvers::new(rules.lists().networks("resolvers")),
            classes,
            event: Reloaded {
                ruleset: (**rules.digest()).into(),
                rules: count(rules.rule_count()),
                filters: count(rules.filter_count()),
                classes: classes_version.into(),
            },
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
    /// Puts other rules, lists and classes into effect, for all events that are pushed from now on. The next has to be the one that is
    /// returned, since a recording has nothing else to tell it by.
    ///
    /// What is known of processes, workloads, names and who holds what stays, and so do what has left, what was said and the
    /// incidents. Of the correlations, those keep what they have seen that ask for the same as before.
    #[must_use]
    pub fn reload(&mut self, reload: Reload) -> Body {
        let Reload { engine, version, declared, resolvers, classes, event } = reload;
        let before = std::mem::replace(&mut self.engine, engine);
        self.engine.go_on_from(before);
        self.raiser.set_version(version);
        self.names.set_resolvers(resolvers);
        self.tracer.set_declared(declared);
        if let Some(classes) = classes {
            if classes.contents() != self.tracer.classes().contents() {
                self.candidates.begin_anew(classes.look_size());
            }
            self.tracer.set_classes(classes);
        }
        Body::Reloaded(Box::new(event))
    }
}
