//! Detection: Sigma rules against events, and what they find.
//!
//! [`RuleSet`] is what was read and found right; [`Engine`] holds it against the event stream and gives [`Finding`]s. Single
//! events are matched by rsigma-eval's stateless engine on our typed events, correlations by [`correlation`]. Reading files
//! ([`source`]) is the only I/O here, and happens before the first event; what a finding becomes for people is `alert`'s.
//!
//! Log sources: `product: linux` with `category` [`process_creation`](Category::ProcessCreation) (exec),
//! [`file_event`](Category::FileEvent) (an open for writing), [`network_connection`](Category::NetworkConnection) (connect),
//! and two of our own, for which Sigma has none: [`file_access`](Category::FileAccess) (any open) and
//! [`network_flow`](Category::NetworkFlow) (bytes that left).

mod builder;
mod category;
mod check;
pub mod correlation;
mod document;
mod embedded;
mod engine;
pub mod example;
mod fault;
mod fields;
mod filter;
mod finding;
mod identity;
mod lists;
mod make;
mod options;
mod rule;
mod set;
pub mod source;
mod taxonomy;
pub mod template;
mod vet;
mod watch;
mod weir;
mod wildcards;

#[cfg(test)]
mod tests;

pub use category::Category;
pub use check::{Report, check, check_with};
pub use embedded::sources as shipped;
pub use engine::{Engine, Filtered, Statistics};
pub use fault::{Fault, Place, Problem, RulesError};
pub use finding::{Evidence, Finding};
pub use lists::Lists;
pub use options::{LeftOut, NamedList, Note, Options};
pub use rule::{Level, Logic, Rule};
pub use set::RuleSet;
