//! Weir's agent as a library: the event line, in the order in which data flows.
//!
//! Each module depends only on those above it, and [`event`] on none (but for [`bounded`], what the tables are made of; [`place`] is
//! where in a file a mistake is, [`host`] what the machine is called). From decoding to the alert the line is a pure function of the events: no clock, no I/O, no global
//! state (docs/architecture.md).

pub mod bounded;
pub mod host;
pub mod place;
pub mod event;
pub mod evidence;
pub mod kernel;
pub mod process;
pub mod workload;
pub mod policy;
pub mod provenance;
pub mod detection;
pub mod alert;
pub mod line;
pub mod delivery;
pub mod config;
pub mod agent;
pub mod reference;
pub mod replay;
pub mod cli;
