//! What belongs to which class, and who holds and sends how much.

mod brought;
mod candidates;
mod classes;
mod deeds;
mod holdings;
mod replaced;
