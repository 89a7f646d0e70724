//! The kernel's side as the agent sees it: what the kernel offers, the programs in it, and the records that come out.
//!
//! All contact with eBPF is here, and nothing else is: what a record means for a process, a container or a rule is said
//! further down the line. [`mod@decode`] is part of the deterministic core; the other files do I/O.

pub mod btf;
mod calls;
pub mod capability;
mod classification;
mod concern;
pub mod counters;
pub mod decode;
mod egress;
mod explain;
mod flows;
mod guard;
#[cfg(test)]
mod kernels;
mod labels;
pub mod layout;
pub mod load;
mod log;
pub mod object;
mod pins;
mod plan;
pub mod probe;
pub mod ring;
mod session;
mod sys;

pub use classification::{Classification, TableError, Tables};
pub use concern::{Concern, Family, Hooks};
pub use counters::{Counters, Totals};
pub use decode::{Malformed, decode};
pub use egress::EgressCounters;
pub use flows::Flows;
pub use guard::Guard;
pub use labels::{Carried, Census, Labels};
pub use layout::{Scope, Settings};
pub use load::{Attached, Coverage, Gap, LoadError, Loaded, Request, load, own_tgid};
pub use object::ObjectError;
pub use pins::{Left, Lineage, PinError, Pins};
pub use ring::{BATCH, Ring};
pub use sys::release_memory;
