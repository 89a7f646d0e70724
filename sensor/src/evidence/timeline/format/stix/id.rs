//! Ids of STIX objects (STIX 2.1, section 2.9).

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// The namespace of ids of cyber-observable objects.
const OBSERVABLE: Uuid = Uuid::from_u128(0x00ab_edb4_aa42_466c_9c01_fed2_3315_a9b7);

/// A domain object's: in the form of version 4, which is what these have, but made of what it is about, so that the same object
/// has the same id.
pub fn of(kind: &str, what: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in [kind].iter().chain(what) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let digest = digest.finalize();
    let bytes = digest.first_chunk().copied().unwrap_or([0; 16]);
    format!("{kind}--{}", Builder::from_random_bytes(bytes).into_uuid())
}

/// A cyber-observable object's: of the properties that contribute to it, as canonical JSON (RFC 8785). serde_json's maps are in
/// the order of their names, and texts and integers are all that is in ours.
pub fn observable(kind: &str, contributing: &Value) -> String {
    format!("{kind}--{}", Uuid::new_v5(&OBSERVABLE, contributing.to_string().as_bytes()))
}
