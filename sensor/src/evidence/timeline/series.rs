//! How much was held, and how much had left, over time.

use super::super::source::Row;
use super::super::words::Facts;
use super::model::{Point, Quantity, Series, Time};
use super::people::{People, opens_weights};
use std::collections::BTreeMap;

/// Most points of a series: what grows in smaller steps is drawn in larger ones.
const POINTS_MAX: usize = 2_000;
/// Most series.
const SERIES_MAX: usize = 64;

/// Of events in the order of time.
pub fn of(rows: &[&Row], people: &People) -> Vec<Series> {
    let mut held: BTreeMap<usize, Held> = BTreeMap::new();
    let mut sent: BTreeMap<(usize, String), Sent> = BTreeMap::new();
    for row in rows {
        let facts = Facts(&row.attributes);
        let Some(workload) = facts.text("weir.workload.id").and_then(|id| people.workload(id)) else { continue };
        held.entry(workload).or_default().take(row);
        if facts.kind() == "flow" {
            let to = facts.text("server.address").map_or_else(|| facts.peer(), str::to_owned);
            if sent.len() < SERIES_MAX || sent.contains_key(&(workload, to.clone())) {
                sent.entry((workload, to)).or_default().take(row);
            }
        }
    }
    let held = held.into_iter().map(|(workload, held)| (Quantity::Held, workload, None, held.points));
    let sent = sent.into_iter().map(|((workload, to), sent)| (Quantity::Sent, workload, Some(to), sent.points));
    held.chain(sent)
        .filter(|(.., points)| !points.is_empty())
        .map(|(quantity, workload, destination, points)| Series {
            quantity,
            workload: Some(workload),
            destination,
            points: thinned(points),
        })
        .collect()
}

#[derive(Default)]
struct Held {
    files: BTreeMap<String, u64>,
    points: Vec<Point>,
}

impl Held {
    fn take(&mut self, row: &Row) {
        if let Some((file, size)) = opens_weights(row) {
            self.files.insert(file, size);
        }
        let opened = self.files.values().fold(0_u64, |sum, size| sum.saturating_add(*size));
        let told = Facts(&row.attributes).number("weir.held.bytes").unwrap_or_default();
        rise(&mut self.points, row.time, opened.max(told));
    }
}

#[derive(Default)]
struct Sent {
    /// Each socket's own count.
    sockets: BTreeMap<u64, u64>,
    points: Vec<Point>,
}

impl Sent {
    fn take(&mut self, row: &Row) {
        let facts = Facts(&row.attributes);
        let socket = self.sockets.entry(facts.number("weir.socket.cookie").unwrap_or_default()).or_default();
        *socket = (*socket).max(facts.number("weir.flow.bytes").unwrap_or_default());
        let sum = self.sockets.values().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
        rise(&mut self.points, row.time, sum);
    }
}

fn rise(points: &mut Vec<Point>, time: u64, bytes: u64) {
    if bytes > points.last().map_or(0, |last| last.bytes) {
        points.push(Point { time: Time::of(time), bytes });
    }
}

/// Every so many of them, and the last.
fn thinned(points: Vec<Point>) -> Vec<Point> {
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    points
        .into_iter()
        .enumerate()
        .filter(|(index, _)| index % every == 0 || *index == last)
        .map(|(_, point)| point)
        .collect()
}
