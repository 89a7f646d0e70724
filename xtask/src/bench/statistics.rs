//! Medians and percentiles: what a noisy machine does not move much.

/// The middle of some measurements and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The 10th percentile.
    pub low: f64,
    /// The 50th.
    pub median: f64,
    /// The 90th.
    pub high: f64,
}

impl Spread {
    /// Of these; all zero if there are none.
    pub fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        Spread { low: percentile(&values, 0.1), median: percentile(&values, 0.5), high: percentile(&values, 0.9) }
    }
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    Spread::of(values.to_vec()).median
}

/// Between the two nearest, in proportion. `sorted` is.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let place = part * sorted.len().saturating_sub(1) as f64;
    let at = |index: f64| sorted.get(index as usize).copied().unwrap_or(0.0);
    at(place.floor()) + (at(place.ceil()) - at(place.floor())) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_the_nearest() {
        let spread = Spread::of((0..=10).rev().map(f64::from).collect());
        assert_eq!(spread, Spread { low: 1.0, median: 5.0, high: 9.0 });
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert_eq!(Spread::of(Vec::new()).median, 0.0);
    }
}
