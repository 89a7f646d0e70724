//! Each shipped rule on its real deed, done in a container, and on look-alikes that are to stay silent.
//!
//! That something stays silent is known by what comes after it: events pass in order, so when the alert of a later deed is there,
//! those of earlier ones are too.

mod confined;
mod deeds;
mod evidence;
mod incidents;
mod lookalikes;
mod pack;
mod replays;
mod restarts;
mod sigma;
pub mod stage;
mod traces;
