//! Timelines: what happened around something, cut out of a [`super::source::Source`] and written for people and other tools.
//!
//! [`model`] is what a timeline says, whatever it is written as. [`cut`] makes it: [`anchor`] is the question, `subject` finds what it is
//! about, `walk` goes from there to causes and effects (`known`: what the source has said; `touch`: what an event says of a file),
//! `people` and `series` put it together. [`format`] writes it.
//!
//! Here is no clock, and no I/O but through the source.

pub mod anchor;
pub mod cut;
pub mod format;
mod known;
pub mod model;
mod people;
mod series;
mod subject;
pub mod time;
mod touch;
mod walk;

#[cfg(test)]
mod tests;
