//! The kernel's side as the agent sees it: what the kernel offers, the programs in it, and the records that come out.
//!
//! All contact with eBPF is here, and nothing else is: what a record means for a process, a container or a rule is said
//! further down the line. [`mod@decode`] is part of the deterministic core; the other files do I/O.


pub mod btf;
pub mod decode;
pub mod layout;

pub use decode::{Malformed, decode};
pub use layout::{Scope, Settings};
