//! What the check of an archive covered.

use super::super::integrity::PublicKey;
use super::manifest::Manifest;
use std::fmt;

/// An archive that is as it was made.
#[derive(Clone, Debug)]
pub struct Report {
    /// What is in it.
    pub manifest: Manifest,
    /// Who signed it.
    pub key: PublicKey,
    /// That is one of the keys that were given.
    pub checked: bool,
    /// The segments of which it has signatures.
    pub segments: Vec<i64>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Manifest { incident, host, made, sensor, from, to, files, .. } = &self.manifest;
        let bytes: u64 = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
        let of = incident.as_ref().map(|id| format!(" of the incident {}", shown(id))).unwrap_or_default();
        writeln!(f, "whole: an archive{of}, {} files, {bytes} bytes", files.len())?;
        writeln!(f, "from {} to {}", shown(from), shown(to))?;
        let on = host.as_ref().map(|host| format!(" on {}", shown(host))).unwrap_or_default();
        writeln!(f, "made {} by weir {}{on}", shown(made), shown(sensor))?;
        writeln!(f, "signed by {}", self.key.fingerprint())?;
        if !self.checked {
            writeln!(f, "not checked against a key of yours: give the public key that you know with --key")?;
        }
        if !self.segments.is_empty() {
            let numbers: Vec<String> = self.segments.iter().map(i64::to_string).collect();
            writeln!(f, "it rests on the signed segments {}, which are not in it", numbers.join(", "))?;
        }
        self.manifest.notes.iter().try_for_each(|note| writeln!(f, "note: {}", shown(note)))
    }
}

/// Text of whoever made the archive, harmless on a terminal.
fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}
