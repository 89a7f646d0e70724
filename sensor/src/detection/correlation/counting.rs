//! The state of a group of the kinds that count: what of its events is in the timespan. No more is kept than can make a
//! difference, so that a flood costs no memory, and every step is O(1) but for what then leaves the timespan.

use super::spec::Spec;
use super::state::{Held, Row, Seen, Time};
use hashlink::LinkedHashMap;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;

/// event_count: the latest events, at most one more than the threshold. A count beyond that compares like that one.
#[derive(Debug, Default)]
pub struct Count(VecDeque<Seen>);

impl Count {
    pub fn advance(&mut self, spec: &Spec, seen: &Seen, now: Time) -> Option<Held> {
        self.0.push_back(Seen { time: now, ..seen.clone() });
        while self.0.len() > spec.enough() || self.0.front().is_some_and(|oldest| oldest.left(spec, now)) {
            self.0.pop_front();
        }
        let count = self.0.len() as u128;
        spec.holds(count).then(|| Held { measure: Some(count), proof: between(self.0.front(), seen) })
    }

    pub fn rows(&self) -> Vec<Row> {
        self.0.iter().map(|seen| Row::plain(0, seen)).collect()
    }

    pub fn of(rows: Vec<Row>) -> Count {
        Count(rows.into_iter().map(|row| row.seen).collect())
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
    pub fn advance(&mut self, spec: &Spec, seen: &Seen, now: Time, missing: &mut bool) -> Option<Held> {
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

    pub fn rows(&self) -> Vec<Row> {
        let row = |(key, seen): (&[u8; 16], &Seen)| {
            let key = u128::from_le_bytes(*key);
            Row { numbers: vec![key as u64, (key >> 64) as u64], ..Row::plain(0, seen) }
        };
        self.0.iter().map(row).collect()
    }

    pub fn of(rows: Vec<Row>) -> Distinct {
        let entry = |row: Row| {
            let [low, high] = row.numbers[..] else { return None };
            Some(((u128::from(high) << 64 | u128::from(low)).to_le_bytes(), row.seen))
        };
        Distinct(rows.into_iter().filter_map(entry).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// The first event in the timespan and the one that decided.
pub fn between(first: Option<&Seen>, decisive: &Seen) -> Vec<Seen> {
    let first = first.filter(|first| !std::sync::Arc::ptr_eq(&first.event, &decisive.event));
    first.into_iter().chain([decisive]).cloned().collect()
}
