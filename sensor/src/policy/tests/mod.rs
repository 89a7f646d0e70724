//! What is declared, for whom, and what comes of it.

mod declared;
mod document;
mod entrance;
mod scene;
mod schema;
mod select;
mod table;

use super::{Policy, PolicyError};

/// The policy in `text`.
fn policy(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text, &"policy.yml".into())
}
