//! The reference docs, docs/fields.md, docs/metrics.md and docs/rules.md, made from the code, so that they cannot say anything else. `cargo xtask docs`
//! writes them, `cargo xtask docs --check` compares. Here lives what they say; nothing here runs in the sensor.

mod fields;
mod metrics;
mod rules;
pub mod samples;

#[cfg(test)]
mod tests;

pub use fields::fields;
pub use metrics::metrics;
pub use rules::rules;

/// What all begin with.
const GENERATED: &str = "<!-- Made by `cargo xtask docs`: change the code or the rule, not this file. -->\n";

/// Text for a cell of a table, or a line of its own.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;")
}
