//! Who the containers are: what the sensor says of containers that a real containerd runs, made through CRI as the kubelet makes them; and
//! the sensor as one of them ([`daemonset`]).
//!
//! What this machine does not have (Docker, a runtime with `GetContainerEvents`) is played by servers that say so: [`fake`].

mod bad_input;
mod cluster;
mod containerd;
mod daemonset;
mod fake;
mod image;
mod kube;
mod kubelet;
mod late;
mod message;
mod pods;
mod restarts;

use std::error::Error;
use tests::sensor::{Event, Sensor};
use tests::wait::PATIENCE;

type Outcome = Result<(), Box<dyn Error>>;

/// What a runtime has said of this container, once it has.
fn identified(sensor: &Sensor, id: &str) -> std::io::Result<Event> {
    sensor.wait_for(&format!("{id} is named"), PATIENCE, |event| {
        event.kind() == "workload_identified" && event.text("container.id") == Some(id)
    })
}

/// Nothing, and says why, where containers cannot be made through CRI.
fn node() -> std::io::Result<Option<kubelet::Node>> {
    if tests::skip::unless_root("containers of containerd") {
        return Ok(None);
    }
    let node = kubelet::Node::start()?;
    Ok(node.map_err(|why| tests::skip::say(&why)).ok())
}
