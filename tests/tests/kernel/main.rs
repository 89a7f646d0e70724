//! End to end, on the running kernel: what the sensor reports is compared with what the actor knows it did, field by field.
//!
//! Each test starts a sensor of its own, lets actors act, stops the sensor, which hands out all that it still has, and looks at
//! everything that was reported: so nothing is waited for that may not come, and one report too many is seen as well.

mod accounting;
mod carriers;
mod cost;
mod deeds;
mod egress;
mod families;
mod handover;
mod identity;
mod listening;
mod names;
mod network;
mod opens;
mod recognition;
mod starts;
mod tampering;
mod transfers;
mod watch;
