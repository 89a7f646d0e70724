//! The state of a group of the kinds that add up, average or rank values: what of them is in the timespan.
//!
//! A portion is the values of one event, and portions are in order of time. When there are too many, neighbours become one that
//! leaves when its latest value does. So a flood of small values cannot push a large one out: a value can only stay for a while too
//! long, one part in [`MERGED_SPAN`] of the timespan at most. A step is O(1), merging included, since it halves what it goes over.

use super::counting::between;
use super::spec::{Kind, Spec};
use super::state::{Held, Row, Seen, Time};
use crate::event::{Field, Value};
use std::cmp::Ordering;
use std::collections::VecDeque;

/// Most portions that are kept.
const PORTIONS_MAX: usize = 1_024;
/// What is merged lies within one so many part of the timespan. Any two neighbours that are not merged are further apart, so that
/// at most twice as many and one are left.
const MERGED_SPAN: u64 = 256;

/// Portions, and all of them together.
#[derive(Debug, Default)]
pub struct Portions {
    portions: VecDeque<Portion>,
    total: Amount,
}

#[derive(Debug)]
struct Portion {
    amount: Amount,
    /// When its first value came.
    begun: Time,
    /// The first value's event, at the time of the last one.
    seen: Seen,
}

/// What a portion adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Amount {
    sum: u128,
    count: u64,
    /// For a percentile: how many values are below the lowest threshold, how many are it, how many are between it and the next, and
    /// so on. No more has to be known of the values to tell on which side of each threshold any percentile is.
    cells: Box<[u64]>,
}

impl Amount {
    fn of(spec: &Spec, value: u64) -> Amount {
        let mut cells = Box::default();
        if matches!(spec.kind, Kind::ValuePercentile(_)) {
            cells = vec![0; 2 * spec.thresholds.len() + 1].into_boxed_slice();
            let cell = match spec.thresholds.binary_search(&value) {
                Ok(at) => 2 * at + 1,
                Err(above) => 2 * above,
            };
            if let Some(cell) = cells.get_mut(cell) {
                *cell = 1;
            }
        }
        Amount { sum: u128::from(value), count: 1, cells }
    }

    fn add(&mut self, other: &Amount) {
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
        if self.cells.is_empty() {
            self.cells.clone_from(&other.cells);
        } else {
            self.cells.iter_mut().zip(&other.cells).for_each(|(cell, other)| *cell = cell.saturating_add(*other));
        }
    }

    fn take(&mut self, other: &Amount) {
        self.sum = self.sum.saturating_sub(other.sum);
        self.count = self.count.saturating_sub(other.count);
        self.cells.iter_mut().zip(&other.cells).for_each(|(cell, other)| *cell = cell.saturating_sub(*other));
    }

    /// Where what the correlation asks for is, compared with one of its thresholds.
    fn compare(&self, spec: &Spec, threshold: u64) -> Ordering {
        match spec.kind {
            Kind::ValueAvg => self.sum.cmp(&u128::from(threshold).saturating_mul(u128::from(self.count))),
            Kind::ValuePercentile(percentile) => {
                // The nearest rank: the least value that so many of a hundred values are not above.
                let rank = (u128::from(self.count) * u128::from(percentile)).div_ceil(100).max(1);
                let at = spec.thresholds.binary_search(&threshold).unwrap_or_default();
                let among = |cells: usize| self.cells.iter().take(cells).map(|cell| u128::from(*cell)).sum::<u128>();
                if among(2 * at + 1) >= rank {
                    Ordering::Less
                } else if among(2 * at + 2) >= rank {
                    Ordering::Equal
                } else {
                    Ordering::Greater
                }
            }
            _ => self.sum.cmp(&u128::from(threshold)),
        }
    }

    /// The sum, the average rounded down; a percentile is not known but for its side of the thresholds.
    fn measure(&self, spec: &Spec) -> Option<u128> {
        match spec.kind {
            Kind::ValuePercentile(_) => None,
            Kind::ValueAvg => self.sum.checked_div(u128::from(self.count)),
            _ => Some(self.sum),
        }
    }
}

impl Portions {
    /// `None` as well if the event has no whole number there; then `missing` is set. `merged` counts portions.
    pub fn advance(
        &mut self,
        spec: &Spec,
        seen: &Seen,
        now: Time,
        missing: &mut bool,
        merged: &mut u64,
    ) -> Option<Held> {
        let Some(value) = spec.values.first().and_then(|field| whole(*field, seen)) else {
            *missing = true;
            return None;
        };
        let amount = Amount::of(spec, value);
        self.total.add(&amount);
        self.portions.push_back(Portion { amount, begun: now, seen: Seen { time: now, ..seen.clone() } });
        while let Some(portion) = self.portions.pop_front_if(|portion| portion.seen.left(spec, now)) {
            self.total.take(&portion.amount);
        }
        if self.portions.len() > PORTIONS_MAX {
            let before = self.portions.len();
            self.merge(spec.window / MERGED_SPAN);
            *merged += (before - self.portions.len()) as u64;
        }
        spec.holds_by(|threshold| self.total.compare(spec, threshold)).then(|| Held {
            measure: self.total.measure(spec),
            proof: between(self.portions.front().map(|portion| &portion.seen), seen),
        })
    }

    fn merge(&mut self, span: u64) {
        let mut merged: VecDeque<Portion> = VecDeque::new();
        for portion in std::mem::take(&mut self.portions) {
            match merged.back_mut() {
                Some(last) if portion.seen.time.since(last.begun) <= span => {
                    last.amount.add(&portion.amount);
                    last.seen.time = portion.seen.time;
                }
                _ => merged.push_back(portion),
            }
        }
        self.portions = merged;
    }

    pub fn len(&self) -> usize {
        self.portions.len()
    }

    pub fn rows(&self) -> Vec<Row> {
        let row = |portion: &Portion| {
            let Amount { sum, count, cells } = &portion.amount;
            let mut numbers = vec![portion.begun.0, *sum as u64, (*sum >> 64) as u64, *count];
            numbers.extend(cells);
            Row { numbers, ..Row::plain(0, &portion.seen) }
        };
        self.portions.iter().map(row).collect()
    }

    pub fn of(rows: Vec<Row>) -> Portions {
        let mut all = Portions::default();
        for row in rows {
            let [begun, low, high, count, ref cells @ ..] = row.numbers[..] else { continue };
            let amount = Amount { sum: u128::from(high) << 64 | u128::from(low), count, cells: cells.into() };
            all.total.add(&amount);
            all.portions.push_back(Portion { amount, begun: Time(begun), seen: row.seen });
        }
        all
    }
}

fn whole(field: Field, seen: &Seen) -> Option<u64> {
    match field.get(&seen.event)? {
        Value::Number(number) => Some(number),
        Value::Text(text) => text.parse::<u64>().ok(),
        Value::Ratio(_) | Value::Flag(_) | Value::List(_) => None,
    }
}
