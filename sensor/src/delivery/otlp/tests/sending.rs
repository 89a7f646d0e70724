//! The loop, against a source and a collector that are scripted, in paused time.

use super::entry;
use crate::delivery::otlp::sender::{Counters, RECORDS, UNWELCOME_MAX, run_with};
use crate::delivery::otlp::{Export, Outcome, Source};
use crate::delivery::spool::{Entry, Kind};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, pending};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Default)]
struct State {
    queue: VecDeque<Entry>,
    flying: BTreeMap<u64, Entry>,
    acknowledged: Vec<u64>,
    aside: Vec<(u64, String)>,
}

/// Ends when it is empty.
#[derive(Clone, Default)]
struct Spool(Arc<Mutex<State>>);

impl Spool {
    fn with(entries: impl IntoIterator<Item = Entry>) -> Spool {
        Spool(Arc::new(Mutex::new(State { queue: entries.into_iter().collect(), ..State::default() })))
    }
}

impl Source for Spool {
    async fn take(&mut self, records: usize, _: usize) -> Vec<Entry> {
        let mut state = self.0.lock().unwrap();
        assert!(state.flying.is_empty(), "all of a batch is dealt with before the next");
        let count = records.min(state.queue.len());
        let taken: Vec<Entry> = state.queue.drain(..count).collect();
        state.flying.extend(taken.iter().map(|entry| (entry.id, entry.clone())));
        taken
    }

    async fn acknowledge(&mut self, ids: &[u64]) {
        let mut state = self.0.lock().unwrap();
        for id in ids {
            assert!(state.flying.remove(id).is_some());
            state.acknowledged.push(*id);
        }
    }

    async fn put_back(&mut self, ids: &[u64]) {
        let mut state = self.0.lock().unwrap();
        for id in ids.iter().rev() {
            let entry = state.flying.remove(id).unwrap();
            state.queue.push_front(entry);
        }
    }

    async fn set_aside(&mut self, ids: &[u64], reason: &str) {
        let mut state = self.0.lock().unwrap();
        for id in ids {
            assert!(state.flying.remove(id).is_some());
            state.aside.push((*id, reason.to_owned()));
        }
    }
}

type Call = (Duration, &'static str, Vec<u64>);

/// Answers from a script, then `Accepted`; refuses whatever is with `poison`.
#[derive(Clone)]
struct Collector {
    logs: Arc<Mutex<VecDeque<Outcome>>>,
    traces: Arc<Mutex<VecDeque<Outcome>>>,
    poison: Option<u64>,
    calls: Arc<Mutex<Vec<Call>>>,
    start: Instant,
}

impl Collector {
    fn new(logs: impl Into<VecDeque<Outcome>>) -> Collector {
        let (logs, traces) = (Arc::new(Mutex::new(logs.into())), Arc::default());
        Collector { logs, traces, poison: None, calls: Arc::default(), start: Instant::now() }
    }

    fn called(&self, what: &'static str, entries: &[&Entry]) {
        let ids = entries.iter().map(|entry| entry.id).collect();
        self.calls.lock().unwrap().push((self.start.elapsed(), what, ids));
    }

    fn times(&self) -> Vec<Duration> {
        self.calls.lock().unwrap().iter().map(|(time, ..)| *time).collect()
    }
}

impl Export for Collector {
    async fn logs(&self, entries: &[&Entry]) -> Outcome {
        self.called("logs", entries);
        if entries.iter().any(|entry| Some(entry.id) == self.poison) {
            return Outcome::Refused { reason: "poisoned".to_owned() };
        }
        self.logs.lock().unwrap().pop_front().unwrap_or(Outcome::Accepted)
    }

    async fn traces(&self, entries: &[&Entry]) -> Outcome {
        self.called("traces", entries);
        self.traces.lock().unwrap().pop_front().unwrap_or(Outcome::Accepted)
    }
}

fn retry(after: Option<u64>) -> Outcome {
    Outcome::Retry { after: after.map(Duration::from_secs), reason: "busy".to_owned() }
}

async fn run(spool: &Spool, collector: &Collector, shutdown: impl Future<Output = ()> + Send) -> Counters {
    let counters = Counters::default();
    run_with(spool.clone(), collector.clone(), &counters, shutdown, fastrand::Rng::with_seed(7)).await;
    counters
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_is_acknowledged_in_order() {
    let spool = Spool::with((0..600).map(|id| entry(id, Kind::Alert)));
    let collector = Collector::new([]);
    let counters = run(&spool, &collector, pending()).await;
    assert_eq!(spool.0.lock().unwrap().acknowledged, (0..600).collect::<Vec<_>>());
    assert_eq!(counters.accepted.load(Relaxed), 600);
    assert_eq!(collector.times().len(), 600_usize.div_ceil(RECORDS));
}

#[tokio::test(start_paused = true)]
async fn pauses_double_with_jitter_to_a_minute_and_begin_anew_after_a_success() {
    let spool = Spool::with([entry(1, Kind::Alert), entry(2, Kind::Alert)]);
    let mut script: Vec<Outcome> = (0..9).map(|_| retry(None)).collect();
    script.extend([Outcome::Accepted, retry(None)]);
    let collector = Collector::new(script);
    let counters = run(&spool, &collector, pending()).await;
    let times = collector.times();
    let pauses: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    let whole = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 0.0, 1.0];
    assert_eq!(pauses.len(), whole.len(), "{pauses:?}");
    for (pause, whole) in pauses.iter().zip(whole) {
        assert!((whole / 2.0 - 0.01..=whole + 0.01).contains(pause), "{pauses:?}");
    }
    let share: Vec<f64> = pauses.iter().zip(whole).map(|(pause, whole)| pause / whole).collect();
    assert!(share[..9].windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.05), "there is jitter: {share:?}");
    assert_eq!(spool.0.lock().unwrap().acknowledged, [1, 2]);
    assert_eq!((counters.set_aside.load(Relaxed), counters.requests_failed.load(Relaxed)), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_asks_to_wait_is_not_asked_earlier() {
    let spool = Spool::with([entry(1, Kind::Alert)]);
    let collector = Collector::new([retry(Some(120)), retry(Some(1_000_000))]);
    run(&spool, &collector, pending()).await;
    let times = collector.times();
    let first = (times[1] - times[0]).as_secs_f64();
    assert!((120.0..=121.0).contains(&first), "{times:?}");
    assert!((3_600.0..=3_601.0).contains(&(times[2] - times[1]).as_secs_f64()), "an hour at most: {times:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_found_among_the_others_and_set_aside_alone() {
    let spool = Spool::with((0..100).map(|id| entry(id, Kind::Alert)));
    let collector = Collector { poison: Some(37), ..Collector::new([]) };
    let counters = run(&spool, &collector, pending()).await;
    let state = spool.0.lock().unwrap();
    assert_eq!(state.aside, [(37, "poisoned".to_owned())]);
    assert_eq!(state.acknowledged, (0..100).filter(|id| *id != 37).collect::<Vec<_>>());
    assert_eq!(counters.set_aside.load(Relaxed), 1);
    assert!(collector.times().len() <= 16, "halves, not one by one");
}

#[tokio::test(start_paused = true)]
async fn after_a_partial_success_every_record_is_sent_again() {
    let partial = |rejected| Outcome::Partial { rejected, message: "too many".to_owned() };
    let spool = Spool::with((0..4).map(|id| entry(id, Kind::Alert)));
    let collector = Collector::new([partial(2)]);
    run(&spool, &collector, pending()).await;
    assert_eq!(spool.0.lock().unwrap().acknowledged, [0, 1, 2, 3]);
    let calls: Vec<Vec<u64>> = collector.calls.lock().unwrap().iter().map(|(_, _, ids)| ids.clone()).collect();
    assert_eq!(calls, [vec![0, 1, 2, 3], vec![0, 1], vec![2, 3]]);

    let spool = Spool::with([entry(9, Kind::Alert)]);
    run(&spool, &Collector::new([partial(1)]), pending()).await;
    assert_eq!(spool.0.lock().unwrap().aside, [(9, "the collector rejected 1 of 1: too many".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_unwelcome_sensor_waits_for_a_day_and_not_for_ever() {
    let unwelcome = || Outcome::Unwelcome { reason: "who are you?".to_owned() };
    let spool = Spool::with([entry(1, Kind::Alert)]);
    let collector = Collector::new([unwelcome(), unwelcome(), Outcome::Accepted]);
    run(&spool, &collector, pending()).await;
    assert_eq!(spool.0.lock().unwrap().acknowledged, [1], "somebody mended it");

    let spool = Spool::with([entry(1, Kind::Alert), entry(2, Kind::Alert)]);
    let collector = Collector::new((0..10_000).map(|_| unwelcome()).collect::<Vec<_>>());
    run(&spool, &collector, pending()).await;
    let state = spool.0.lock().unwrap();
    assert_eq!(state.aside, [(1, "who are you?".to_owned()), (2, "who are you?".to_owned())]);
    let last = *collector.times().last().unwrap();
    assert!(last >= UNWELCOME_MAX && last < UNWELCOME_MAX + Duration::from_secs(120), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn an_incident_is_done_when_its_trace_is_and_its_log_record_goes_once() {
    let spool = Spool::with([entry(1, Kind::Alert), entry(2, Kind::Incident)]);
    let collector = Collector::new([]);
    collector.traces.lock().unwrap().push_back(retry(None));
    run(&spool, &collector, pending()).await;
    assert_eq!(spool.0.lock().unwrap().acknowledged, [1, 2]);
    let calls: Vec<(&str, Vec<u64>)> =
        collector.calls.lock().unwrap().iter().map(|(_, what, ids)| (*what, ids.clone())).collect();
    assert_eq!(calls, [("logs", vec![1, 2]), ("traces", vec![2]), ("traces", vec![2])]);
}

#[tokio::test(start_paused = true)]
async fn an_incident_whose_trace_is_refused_has_arrived_as_a_log_record() {
    let spool = Spool::with([entry(2, Kind::Incident)]);
    let collector = Collector::new([]);
    collector.traces.lock().unwrap().push_back(Outcome::Unwelcome { reason: "no traces here".to_owned() });
    let counters = run(&spool, &collector, pending()).await;
    assert_eq!(spool.0.lock().unwrap().acknowledged, [2]);
    assert_eq!(counters.traces_refused.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_leaves_everything_in_the_spool() {
    let spool = Spool::with((0..4).map(|id| entry(id, Kind::Alert)));
    let collector = Collector::new((0..100).map(|_| retry(None)).collect::<Vec<_>>());
    run(&spool, &collector, tokio::time::sleep(Duration::from_secs(20))).await;
    {
        let state = spool.0.lock().unwrap();
        assert_eq!((state.queue.len(), state.flying.len(), state.acknowledged.len()), (4, 0, 0));
        assert!(state.queue.iter().map(|entry| entry.id).eq(0..4), "in their order");
    }

    // In the middle of a batch that has fallen apart: it is asked for before the first take, and then after the first part.
    let mut polls = 0;
    let at_the_second = std::future::poll_fn(move |_| {
        polls += 1;
        if polls > 1 { Poll::Ready(()) } else { Poll::Pending }
    });
    run(&spool, &Collector::new([Outcome::Refused { reason: "no".to_owned() }]), at_the_second).await;
    let state = spool.0.lock().unwrap();
    assert_eq!((state.queue.len(), state.flying.len()), (4, 0));
}
