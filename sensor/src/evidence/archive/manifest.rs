//! The manifest: what an archive has in it, and who says so.

use super::super::integrity::{PublicKey, hex, of_hex};
use super::super::store::signer::Signer;
use super::name;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// The form of archives.
pub const VERSION: u32 = 1;
/// Most files.
pub const FILES_MAX: usize = 2_000;

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`VERSION`]
    pub version: u32,
    /// When it was made, RFC 3339.
    pub made: String,
    /// The version of the sensor that made it.
    pub sensor: String,
    /// The machine that it is from, where that is known.
    pub host: Option<String>,
    /// The incident's id.
    pub incident: Option<String>,
    /// What it is about, one sentence.
    pub sentence: String,
    /// From when, RFC 3339.
    pub from: String,
    /// Until when.
    pub to: String,
    /// The digests of the rule sets that the alerts name.
    pub rulesets: Vec<String>,
    /// What is left out, and why.
    pub notes: Vec<String>,
    /// Who signed: base64 of the public key.
    pub key: String,
    /// The files, by name, without the manifest and its signature.
    pub files: Vec<Entry>,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// `manifest.sig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// [`VERSION`]
    pub version: u32,
    /// The public key, base64.
    pub key: String,
    /// Over `weir.archive.v1|SHA-256 of manifest.json`, base64.
    pub signature: String,
}

impl Manifest {
    /// The manifest in these bytes, if it is one that can be of use; else why not.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        let version =
            serde_json::from_slice::<serde_json::Value>(bytes).ok().and_then(|any| any.get("version")?.as_u64());
        if version.is_some_and(|version| version != u64::from(VERSION)) {
            return Err("its manifest has a form that this weir does not read: use a later weir".to_owned());
        }
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|error| format!("its manifest is none ({error})"))?;
        if manifest.files.len() > FILES_MAX {
            return Err(format!("its manifest names more than {FILES_MAX} files"));
        }
        let mut names = BTreeSet::from([name::MANIFEST, name::SIGNATURE]);
        for entry in &manifest.files {
            if !name::is_plain(&entry.name) || !names.insert(&entry.name) || of_hex(&entry.sha256).is_none() {
                return Err(format!(
                    "its manifest names the file {:?}, which no archive has so",
                    shortened(&entry.name)
                ));
            }
        }
        Ok(manifest)
    }
}

/// What the signature is over.
fn line(manifest: &[u8]) -> String {
    format!("weir.archive.v1|{}", hex(&Sha256::digest(manifest)))
}

impl Signature {
    /// Over the bytes of a manifest.
    pub fn new(manifest: &[u8], signer: &dyn Signer) -> Signature {
        let signature = STANDARD.encode(signer.sign(line(manifest).as_bytes()));
        Signature { version: VERSION, key: PublicKey(signer.public()).to_string(), signature }
    }

    /// Who signed the manifest in these bytes; else why nobody did.
    pub fn check(bytes: &[u8], manifest: &[u8]) -> Result<PublicKey, String> {
        let read: Signature = serde_json::from_slice(bytes)
            .map_err(|error| format!("the signature of its manifest is none ({error})"))?;
        let decoded = |text: &str| STANDARD.decode(text).ok();
        let key = decoded(&read.key).and_then(|key| key.try_into().ok()).map(PublicKey);
        let signature = decoded(&read.signature).and_then(|signature| signature.try_into().ok());
        match (key, signature) {
            (Some(key), Some(signature)) if key.signed(line(manifest).as_bytes(), &signature) => Ok(key),
            _ => Err("the signature is not of its manifest: one of them was changed".to_owned()),
        }
    }
}

/// A name of anybody's for a message.
pub fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
