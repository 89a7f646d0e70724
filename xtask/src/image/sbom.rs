//! The software bill of materials: CycloneDX 1.5, by the library of the CycloneDX project.
//!
//! Not by `cargo cyclonedx`: that names crates of this repository by the folder that they are in, and so differs between machines.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::bom::Bom;
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::validation::Validate;

use super::crates::{Crate, Id};

/// What is linked in and is no crate: name, version, licence.
pub struct Linked {
    pub name: &'static str,
    pub version: String,
    pub licence: &'static str,
}

/// The document. It has neither a serial number nor a time, so that the same binary has the same one.
pub fn write(crates: &BTreeMap<Id, Crate>, linked: &[Linked]) -> Result<Vec<u8>> {
    let (mut own, mut components) = (None, Vec::new());
    for (id, found) in crates {
        let component = component(id, found)?;
        if id.0 == "sensor" {
            own = Some(Component { name: cyclonedx_bom::prelude::NormalizedString::new("weir"), ..component });
        } else {
            components.push(component);
        }
    }
    for Linked { name, version, licence } in linked {
        let mut component = Component::new(Classification::Library, name, version, Some(format!("{name}@{version}")));
        component.licenses = Some(licences(licence)?);
        components.push(component);
    }
    let mut dependencies: Vec<_> = crates
        .iter()
        .map(|(id, found)| Dependency {
            dependency_ref: reference(id),
            dependencies: found.uses.iter().map(reference).collect(),
        })
        .collect();
    for dependency in &mut dependencies {
        if dependency.dependency_ref.contains("/sensor@") {
            dependency.dependencies.extend(linked.iter().map(|linked| format!("{}@{}", linked.name, linked.version)));
        }
    }
    let bom = Bom {
        serial_number: None,
        metadata: Some(Metadata { component: own, ..Metadata::default() }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies)),
        ..Bom::default()
    };
    let checked = bom.validate();
    if !checked.passed() {
        return Err(anyhow!("the bill of materials is not as CycloneDX wants it: {checked:?}"));
    }
    let mut text = Vec::new();
    bom.output_as_json_v1_5(&mut text).map_err(|error| anyhow!("the bill of materials: {error}"))?;
    text.push(b'\n');
    Ok(text)
}

fn component(id: &Id, found: &Crate) -> Result<Component> {
    let (name, version) = id;
    let kind = if name == "sensor" { Classification::Application } else { Classification::Library };
    let mut component = Component::new(kind, name, version, Some(reference(id)));
    component.licenses = Some(licences(&found.licence).with_context(|| format!("{name} {version}"))?);
    if let Some(checksum) = &found.checksum {
        component.purl = Some(Purl::new("cargo", name, version).map_err(|error| anyhow!("{name}: {error}"))?);
        let hash = Hash { alg: HashAlgorithm::SHA_256, content: HashValue(checksum.clone()) };
        component.hashes = Some(Hashes(vec![hash]));
    }
    Ok(component)
}

/// By which the parts of the document name each other.
fn reference((name, version): &Id) -> String {
    format!("pkg:cargo/{name}@{version}")
}

fn licences(text: &str) -> Result<Licenses> {
    let expression = SpdxExpression::parse_lax(text.to_owned()).map_err(|error| anyhow!("{text}: {error}"))?;
    Ok(Licenses(vec![LicenseChoice::Expression(expression)]))
}
