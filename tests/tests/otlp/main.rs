//! Delivery over OTLP to a real receiver in another process, and to a real collector: what arrives, what is tried again, what is said.

mod collector;
mod deliver;
mod failing;
mod secure;
mod support;
mod whole;
mod wire;
