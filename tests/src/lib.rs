//! What the end-to-end tests, the demo and the benches share.
//!
//! A *scene* ([`scene`]) is a place: network namespaces, a small container. An *actor* ([`actor`], the binary `weir-actor`)
//! does one thing in it and prints the truth about what it did, under the names that the sensor's events use. A *sink*
//! ([`sink`]) receives and counts; a *resolver* ([`resolver`]) answers. The *sensor harness* ([`sensor`]) runs `weir` and collects what
//! it reports, so that a test compares the two. The *board* ([`board`]) plays whole scenarios under one sensor and compares what it said
//! with the truth of each. [`helm`] renders the chart. A *guest* ([`guest`], the binary `weir-guest`) has them run in a virtual machine, on another kernel. What is
//! to be said of which scenario is in `attacks/` and `benign/`, the rest in `tests/`.

pub mod actor;
pub mod board;
pub mod bpf;
mod context;
pub mod guest;
pub mod helm;
pub mod locate;
pub mod receiver;
pub mod resolver;
mod run;
pub mod scene;
pub mod sensor;
pub mod sink;
pub mod skip;
pub mod wait;
pub mod weights;

pub use context::Context;
pub use run::{Place, Running, actor_in};
