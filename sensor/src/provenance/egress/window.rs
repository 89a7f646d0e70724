//! A sliding sum over time, of buckets: adding and asking cost the same whatever was added.

use crate::event::SavedWindow;

/// The bytes of the last `N` buckets of `WIDTH` seconds each, the one that time is in included: so between `N - 1` and `N` widths.
/// Buckets begin at multiples of their width since the Unix epoch. Time does not go back: what comes late counts as now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window<const N: usize, const WIDTH: u64> {
    /// Bucket number n is at n modulo N.
    buckets: [u64; N],
    /// The number of the latest bucket.
    newest: u64,
    sum: u64,
}

/// 10 minutes.
pub type Burst = Window<10, 60>;
/// 24 hours.
pub type Day = Window<24, 3_600>;
/// 30 days, by UTC.
pub type Month = Window<30, 86_400>;

impl<const N: usize, const WIDTH: u64> Default for Window<N, WIDTH> {
    fn default() -> Self {
        Window { buckets: [0; N], newest: 0, sum: 0 }
    }
}

impl<const N: usize, const WIDTH: u64> Window<N, WIDTH> {
    /// Adds bytes at `time`, seconds since the epoch.
    pub fn add(&mut self, time: u64, bytes: u64) {
        self.advance(time);
        self.add_to(self.newest, bytes);
    }

    /// The sum at `time`.
    pub fn sum(&mut self, time: u64) -> u64 {
        self.advance(time);
        self.sum
    }

    /// The same, without moving on: asking so changes nothing.
    pub fn peek(&self, time: u64) -> u64 {
        let number = time / WIDTH;
        let live = self.filled().filter(|(bucket, _)| number.saturating_sub(*bucket) < N as u64);
        live.fold(0, |sum, (_, bytes)| sum.saturating_add(bytes))
    }

    /// The most that one of the complete buckets has; `None` if all are empty.
    pub fn usual(&mut self, time: u64) -> Option<u64> {
        self.advance(time);
        let newest = Self::place(self.newest);
        let complete = self.buckets.iter().enumerate().filter(|(place, _)| *place != newest).map(|(_, bytes)| *bytes);
        complete.max().filter(|most| *most > 0)
    }

    /// Adds what is in another one.
    pub fn merge(&mut self, other: &Self) {
        self.advance(other.newest.saturating_mul(WIDTH));
        for (number, bytes) in other.filled() {
            self.add_to(number, bytes);
        }
    }

    /// What is in it.
    pub fn saved(&self) -> SavedWindow {
        SavedWindow(self.filled().collect())
    }

    /// From what was saved, at `time`; what is too old or lies ahead is left out.
    pub fn restored(saved: &SavedWindow, time: u64) -> Self {
        let mut window = Self::default();
        window.advance(time);
        for (number, bytes) in &saved.0 {
            window.add_to(*number, *bytes);
        }
        window
    }

    fn place(number: u64) -> usize {
        (number % N as u64) as usize
    }

    /// Buckets with their numbers, but for empty ones; the oldest first.
    fn filled(&self) -> impl Iterator<Item = (u64, u64)> {
        let oldest = self.newest.saturating_sub(N as u64 - 1);
        let numbers = oldest..=self.newest;
        numbers.filter_map(|number| Some((number, *self.buckets.get(Self::place(number))?)).filter(|(_, b)| *b > 0))
    }

    fn add_to(&mut self, number: u64, bytes: u64) {
        let kept = number <= self.newest && self.newest - number < N as u64;
        if let Some(bucket) = self.buckets.get_mut(Self::place(number)).filter(|_| kept) {
            *bucket = bucket.saturating_add(bytes);
            self.sum = self.sum.saturating_add(bytes);
        }
    }

    fn advance(&mut self, time: u64) {
        let number = time / WIDTH;
        let steps = number.saturating_sub(self.newest).min(N as u64);
        for step in 0..steps {
            if let Some(bucket) = self.buckets.get_mut(Self::place(number - step)) {
                self.sum = self.sum.saturating_sub(std::mem::take(bucket));
            }
        }
        self.newest = self.newest.max(number);
    }
}
