//! The state of a group of the counting kinds: what of its events is in the timespan. No more is kept than can make a
//! difference, so that a flood costs no memory, and every step is O(1) but for what then leaves the timespan.

use super::spec::Spec;
use super::state::{Held, Seen};
use crate::event::{BootTime, Field, Value};
use hashlink::LinkedHashMap;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;

/// event_count: the latest events, at most one more than the threshold. A count beyond that compares like that one.
#[derive(Debug, Default)]
pub struct Count(VecDeque<Seen>);

impl Count {
    pub fn advance(&mut self, spec: &Spec, seen: &Seen, now: BootTime) -> Option<Held> {
        self.0.push_back(Seen { time: now, ..seen.clone() });
        while self.0.len() > spec.enough() || self.0.front().is_some_and(|oldest| oldest.left(spec, now)) {
            self.0.pop_front();
        }
        let count = self.0.len() as u128;
        spec.holds(count).then(|| Held { measure: Some(count), proof: between(self.0.front(), seen) })
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// value_count: the values, each with the event that had it last, in that order; at most one more than the threshold. Values
/// are kept as 128 bits of SHA-256: they are as long as an attacker likes, and these cannot be made to collide.
#[derive(Debug, Default)]
pub struct Distinct(LinkedHashMap<[u8; 16], Seen>);

impl Distinct {
    /// `None` as well if the event has none of the values; then `missing` is set.
    pub fn advance(&mut self, spec: &Spec, seen: &Seen, now: BootTime, missing: &mut bool) -> Option<Held> {
        let mut digest = Sha256::new();
        for field in &spec.values {
            let Some(value) = field.get(&seen.event) else {
                *missing = true;
                return None;
            };
            let text = super::text(&value);
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text.as_bytes());
        }
        let key = digest.finalize().first_chunk().copied().unwrap_or_default();
        // To insert is to put at the back.
        self.0.remove(&key);
        self.0.insert(key, Seen { time: now, ..seen.clone() });
        while self.0.len() > spec.enough() || self.0.front().is_some_and(|(_, oldest)| oldest.left(spec, now)) {
            self.0.pop_front();
        }
        let count = self.0.len() as u128;
        spec.holds(count)
            .then(|| Held { measure: Some(count), proof: between(self.0.front().map(|(_, seen)| seen), seen) })
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Most portions that a sum is kept in.
const PORTIONS_MAX: usize = 1_024;

/// value_sum: portions in order of time, and their sum. When there are too many, neighbours are merged, and leave with the
/// later one: a flood of small values cannot push a large one out; it can only stay in the sum for a while too long.
#[derive(Debug, Default)]
pub struct Sum {
    portions: VecDeque<(u128, Seen)>,
    sum: u128,
}

impl Sum {
    /// `None` as well if the event has no whole number there; then `missing` is set. `merged` counts portions.
    pub fn advance(
        &mut self,
        spec: &Spec,
        seen: &Seen,
        now: BootTime,
        missing: &mut bool,
        merged: &mut u64,
    ) -> Option<Held> {
        let Some(value) = spec.values.first().and_then(|field| whole(*field, seen)) else {
            *missing = true;
            return None;
        };
        self.portions.push_back((value, Seen { time: now, ..seen.clone() }));
        self.sum = self.sum.saturating_add(value);
        while let Some((value, _)) = self.portions.pop_front_if(|(_, oldest)| oldest.left(spec, now)) {
            self.sum = self.sum.saturating_sub(value);
        }
        if self.portions.len() > PORTIONS_MAX {
            let mut all = std::mem::take(&mut self.portions).into_iter();
            while let Some((first, oldest)) = all.next() {
                self.portions.push_back(match all.next() {
                    Some((second, newer)) => (first + second, Seen { time: newer.time, ..oldest }),
                    None => (first, oldest),
                });
            }
            *merged += self.portions.len() as u64;
        }
        let sum = self.sum;
        spec.holds(sum)
            .then(|| Held { measure: Some(sum), proof: between(self.portions.front().map(|(_, seen)| seen), seen) })
    }

    pub fn len(&self) -> usize {
        self.portions.len()
    }
}

fn whole(field: Field, seen: &Seen) -> Option<u128> {
    match field.get(&seen.event)? {
        Value::Number(number) => Some(u128::from(number)),
        Value::Text(text) => text.parse::<u64>().ok().map(u128::from),
        Value::Ratio(_) | Value::Flag(_) | Value::List(_) => None,
    }
}

/// The first event in the timespan and the one that decided.
fn between(first: Option<&Seen>, decisive: &Seen) -> Vec<Seen> {
    let first = first.filter(|first| !std::sync::Arc::ptr_eq(&first.event, &decisive.event));
    first.into_iter().chain([decisive]).cloned().collect()
}
