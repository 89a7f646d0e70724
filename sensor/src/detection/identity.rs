//! What a rule comes to, as a digest: two that have the same one are held against events alike, whatever they are called and
//! say. By it a reload knows which correlations may keep what they have seen.
//!
//! Lists are in it with their values, and so are the filters that apply: what was let through before may not be now.

use super::Category;
use super::correlation::Spec;
use super::set::RuleSet;
use rsigma_parser::Detections;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// A digest of what decides, and of nothing else.
pub type Identity = [u8; 32];

/// Of a detection whose lists are written out, held against the events of `category`; of a filter there is none.
pub fn of_detection(category: Option<Category>, detection: &Detections) -> Identity {
    // In order: a hash map has none.
    let named: BTreeMap<_, _> = detection.named.iter().collect();
    let mut digest = Sha256::new();
    update(&mut digest, category.map_or("", Category::name).as_bytes());
    update(&mut digest, format!("{named:?}").as_bytes());
    update(&mut digest, format!("{:?}", detection.conditions).as_bytes());
    digest.finalize().into()
}

impl RuleSet {
    /// Of each correlation, in order: what it asks for, and what the rules that it is made of come to with their filters.
    pub(super) fn correlation_identities(&self) -> Vec<Identity> {
        self.correlations.iter().enumerate().map(|(index, (_, spec))| self.correlation_identity(index, spec)).collect()
    }

    fn correlation_identity(&self, index: usize, spec: &Spec) -> Identity {
        let mut digest = Sha256::new();
        update(&mut digest, format!("{spec:?}").as_bytes());
        for detection in &self.detections {
            for (_, step) in detection.steps.iter().filter(|(correlation, _)| *correlation == index) {
                update(&mut digest, &(*step as u64).to_le_bytes());
                update(&mut digest, &detection.identity);
                let mut filters: Vec<_> =
                    detection.filters.iter().filter_map(|filter| Some(self.filters.get(*filter)?.identity)).collect();
                filters.sort_unstable();
                filters.iter().for_each(|filter| update(&mut digest, filter));
            }
        }
        digest.finalize().into()
    }
}

fn update(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_le_bytes());
    digest.update(bytes);
}
