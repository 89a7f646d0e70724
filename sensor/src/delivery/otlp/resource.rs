//! Whose telemetry it is: the container that was observed, or the machine.

use super::NAME;
use super::value::{any, text};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The sensor, which is in every scope: `weir` and its version.
pub(super) fn scope() -> InstrumentationScope {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    InstrumentationScope { name: NAME.to_owned(), version, ..InstrumentationScope::default() }
}

/// What every resource is made of beside a record's own attributes.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Of the sensor: what was configured, `service.name`, `host.name`.
    own: BTreeMap<String, String>,
}

impl Resources {
    /// From the configured attributes and the machine's name, if that is known.
    pub fn new(configured: &BTreeMap<String, String>, host: Option<&str>) -> Resources {
        let mut own = configured.clone();
        own.entry("service.name".to_owned()).or_insert_with(|| NAME.to_owned());
        own.entry("service.version".to_owned()).or_insert_with(|| env!("CARGO_PKG_VERSION").to_owned());
        if let Some(host) = host {
            own.entry("host.name".to_owned()).or_insert_with(|| host.to_owned());
        }
        Resources { own }
    }

    /// The resource that a record's attributes tell: its container with the machine's attributes, else the sensor itself.
    /// Equal attributes give an equal resource, so that records of one container are found together.
    pub fn of(&self, attributes: &Map<String, Value>) -> Resource {
        let observed = attributes.iter().filter(|(key, _)| is_resource(key));
        let mut own: Vec<_> = observed.map(|(key, value)| super::value::pair(key, any(value))).collect();
        let is_container = attributes.contains_key("container.id");
        let place = self.own.iter().filter(|(key, _)| !is_container || is_place(key));
        let missing = place.filter(|(key, _)| !attributes.contains_key(*key) || !is_resource(key));
        own.extend(missing.map(|(key, value)| text(key, value)));
        own.sort_by(|one, other| one.key.cmp(&other.key));
        Resource { attributes: own, ..Resource::default() }
    }

    /// The sensor's own.
    pub fn sensor(&self) -> Resource {
        self.of(&Map::new())
    }
}

/// Whether an attribute is the observed container's, and so the resource's and not the record's.
pub(super) fn is_resource(key: &str) -> bool {
    ["container.", "k8s.", "host."].iter().any(|prefix| key.starts_with(prefix))
}

/// Whether an attribute of the sensor also holds for the containers beside it. Its own service, process, container and pod do not:
/// `OTEL_RESOURCE_ATTRIBUTES` usually has the sensor's pod in it.
fn is_place(key: &str) -> bool {
    let own = ["service.", "process.", "telemetry.", "container.", "k8s."].iter().any(|prefix| key.starts_with(prefix));
    !own || key.starts_with("k8s.cluster.") || key.starts_with("k8s.node.")
}
