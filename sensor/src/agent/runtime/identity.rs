//! What the answers of runtimes have in common: labels, and references to images.

use crate::event::{Identity, image_name};
use std::collections::HashMap;

/// Labels by which the kubelet tells the runtime what is told by names of its own, and those by which the runtime keeps house.
pub const KUBELET_LABELS: [&str; 2] = ["io.kubernetes.", "io.cri-containerd."];

/// Most labels of an answer that are handed on, before the line's own bounds (`workload::LABELS_MAX`), and most bytes of a name.
const LABELS_MAX: usize = 1024;
const NAME_MAX: usize = 1024;
/// Most tags and digests of an image.
const REFERENCES_MAX: usize = 16;

/// A text, unless it is empty; no longer than a name may be.
pub fn some(text: &str) -> Option<Box<str>> {
    let text = text.get(..text.floor_char_boundary(NAME_MAX)).unwrap_or_default();
    (!text.is_empty()).then(|| text.into())
}

/// Labels in the order of their keys, without [`KUBELET_LABELS`].
pub fn labels(labels: HashMap<String, String>) -> Box<[(Box<str>, Box<str>)]> {
    let own = |key: &str| KUBELET_LABELS.iter().any(|prefix| key.starts_with(prefix));
    let mut kept: Vec<(Box<str>, Box<str>)> = labels
        .into_iter()
        .filter(|(key, _)| !own(key))
        .take(LABELS_MAX)
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    kept.sort_unstable();
    kept.into()
}

/// An image, put together from references to it.
#[derive(Debug, Default)]
pub struct Image {
    name: Option<Box<str>>,
    tags: Vec<Box<str>>,
    id: Option<Box<str>>,
    digests: Vec<Box<str>>,
}

impl Image {
    /// Takes in `NAME`, `NAME:TAG`, `NAME@DIGEST`, `NAME:TAG@DIGEST` or `DIGEST`. The first that has a name names it.
    pub fn reference(&mut self, reference: &str) -> &mut Image {
        let Some(reference) = some(reference) else { return self };
        if is_digest(&reference) {
            return self.id(&reference);
        }
        let name = image_name(&reference);
        if let Some(tag) = reference.split('@').next().and_then(|whole| whole.get(name.len()..)?.strip_prefix(':')) {
            add(&mut self.tags, tag);
        }
        if let Some((_, digest)) = reference.split_once('@') {
            add(&mut self.digests, &format!("{name}@{digest}"));
        }
        if self.name.is_none() {
            self.name = some(name);
        }
        self
    }

    /// Takes in what the runtime calls the image.
    pub fn id(&mut self, id: &str) -> &mut Image {
        match some(id) {
            // Some runtimes give a reference for an id.
            Some(id) if id.contains('@') => return self.reference(&id),
            id if self.id.is_none() => self.id = id,
            _ => {}
        }
        self
    }

    /// Tells what is known of it.
    pub fn tell(self, identity: &mut Identity) {
        identity.image = self.name;
        identity.image_tags = self.tags.into();
        identity.image_id = self.id;
        identity.image_digests = self.digests.into();
    }
}

/// `sha256:` or `sha512:` and hexadecimal digits, or these alone.
fn is_digest(reference: &str) -> bool {
    let digits = reference.strip_prefix("sha256:").or_else(|| reference.strip_prefix("sha512:")).unwrap_or(reference);
    digits.len() >= 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn add(list: &mut Vec<Box<str>>, text: &str) {
    if list.len() < REFERENCES_MAX && !list.iter().any(|own| **own == *text) {
        list.extend(some(text));
    }
}
