//! The JSON of Docker's Engine API (1.24 and later, and Podman's API that is compatible with it), as far as it is needed.

use serde::Deserialize;
use std::collections::HashMap;

/// `GET /version`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Version {
    pub version: String,
    pub components: Option<Vec<Component>>,
}

/// A part of the engine; Podman is told by its name.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Component {
    pub name: String,
}

/// An element of `GET /containers/json`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Listed {
    pub id: String,
}

/// `GET /containers/ID/json`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Container {
    pub id: String,
    /// With a slash before it.
    pub name: String,
    /// The image's id.
    pub image: String,
    pub config: Config,
}

/// How a container was to be made.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// The image as it was asked for.
    pub image: String,
    pub labels: Option<HashMap<String, String>>,
}

/// `GET /images/ID/json`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Image {
    pub repo_tags: Option<Vec<String>>,
    pub repo_digests: Option<Vec<String>>,
}

/// A line of `GET /events`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Event {
    pub action: String,
    pub actor: Actor,
}

/// What an event is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Actor {
    #[serde(rename = "ID")]
    pub id: String,
}
