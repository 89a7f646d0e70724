//! The agent's part in telling its own health: it counts what comes out of the line, has the canary fly, and makes the coverage records
//! and the snapshots for the metrics when they are due.

use super::{Agent, LAST_LOOKS, Settings, system};
use crate::delivery::OutputError;
use crate::delivery::health::canary::{self, Deed, Done, Fate, Nonce, Round};
use crate::delivery::health::export::{Export, ExportError};
use crate::delivery::health::metrics::SAMPLED;
use crate::delivery::health::{Canaries, Coverage, Occasion, Passed, Program, RingUse, Snapshot, Usage};
use crate::event::{Event, WallClock};
use crate::evidence::source::ToldKind;
use crate::evidence::store::Store;
use crate::kernel::{Attached, Totals};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How long a canary may take to come out: the agent looks into the ring every 200 ms at least. A shorter interval waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the metrics get new numbers. They leave once a minute, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise.
const PUBLISHING: Duration = Duration::from_secs(5);
/// The fullest that the ring was is that of one to two of these.
const RING_WINDOW: Duration = Duration::from_secs(60);

/// What the agent keeps of its own health.
pub struct Health {
    instance: String,
    own_tgid: u32,
    passed: Passed,
    canaries: Canaries,
    ring: Fullest,
    ring_limit: u64,
    records: Option<Records>,
    export: Option<Export>,
    published: Option<Instant>,
    /// Events until one is timed.
    until_timed: u32,
}

/// The coverage records of this run.
struct Records {
    interval: Duration,
    sequence: u64,
    before: Snapshot,
    /// How the clocks stood then; `None`: there was no record.
    clock: Option<WallClock>,
    /// The sensor watches something in which the canary is not.
    out_of_scope: bool,
    directory: Option<PathBuf>,
    /// When the next round begins.
    next: Instant,
    flight: Option<Flight>,
}

/// A canary on its way.
struct Flight {
    begun: Instant,
    round: Round,
    child: Option<JoinHandle<io::Result<Done>>>,
}

/// The most that waited in the ring, in this window and the one before.
struct Fullest {
    since: Instant,
    now: u64,
    before: u64,
}

impl Fullest {
    fn note(&mut self, bytes: u64) {
        if self.since.elapsed() >= RING_WINDOW {
            (self.since, self.before, self.now) = (Instant::now(), self.now, 0);
        }
        self.now = self.now.max(bytes);
    }
}

impl Health {
    /// As the settings say.
    ///
    /// # Errors
    /// They ask for what cannot be.
    pub fn new(settings: &Settings, own_tgid: u32) -> Result<Health, ExportError> {
        // Without randomness no canary flies either, which its records tell.
        let nonce = Nonce::new().map(Nonce::text).unwrap_or_default();
        let instance = nonce.get(..16).unwrap_or("unknown").to_owned();
        let export = Export::new(&settings.otlp, &instance)?;
        let records = settings.coverage.map(|interval| Records {
            interval,
            sequence: 0,
            before: Snapshot::default(),
            clock: None,
            out_of_scope: settings.cgroup.is_some(),
            directory: None,
            next: Instant::now(),
            flight: None,
        });
        Ok(Health {
            instance,
            own_tgid,
            passed: Passed::default(),
            canaries: Canaries::default(),
            ring: Fullest { since: Instant::now(), now: 0, before: 0 },
            ring_limit: u64::from(settings.ring_bytes),
            records,
            export,
            published: None,
            until_timed: SAMPLED,
        })
    }

    /// This run of the sensor.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The programs are attached; `directory` is where the canary may have a file.
    pub fn begin(&mut self, directory: Option<PathBuf>) {
        if let Some(records) = &mut self.records {
            directory.iter().for_each(|directory| canary::clean_up(directory));
            records.before.time = system::now();
            records.directory = directory;
        }
    }

    /// What was counted up to then is not this run's.
    pub fn goes_on_from(&mut self, totals: &Totals) {
        if let Some(records) = &mut self.records {
            records.before.totals = *totals;
        }
    }

    /// Before an event goes into the line: when that was, for the few that are timed.
    pub fn before_line(&mut self) -> Option<Instant> {
        self.export.as_ref()?;
        self.until_timed -= 1;
        if self.until_timed > 0 {
            return None;
        }
        self.until_timed = SAMPLED;
        Some(Instant::now())
    }

    /// An event has come out at the end of the line.
    pub fn behind_line(&mut self, event: &Event, began: Option<Instant>) {
        self.passed.count(event);
        if let (Some(began), Some(export)) = (began, &self.export) {
            let latency = event.hook.map(|_| system::now().since(event.time));
            export.timed(began.elapsed(), latency);
        }
        if let Some(flight) = self.records.as_mut().and_then(|records| records.flight.as_mut()) {
            flight.round.see(event, system::now);
        }
    }

    /// So many bytes waited in the ring.
    pub fn ring(&mut self, bytes: u64) {
        self.ring.note(bytes);
    }

    /// A last export, if the collector answers in time.
    pub async fn finish(&mut self) {
        let Some(export) = self.export.take() else { return };
        let finished = tokio::task::spawn_blocking(move || export.finish());
        if tokio::time::timeout(LAST_LOOKS, finished).await.is_err() {
            tracing::warn!("the collector did not answer in time: the last metrics may be lost");
        }
    }
}

impl Records {
    /// Whether the canary is back, or has had its time; begins another round when that is due.
    fn is_due(&mut self, own_tgid: u32) -> bool {
        match &mut self.flight {
            Some(flight) => {
                flight.settle();
                flight.round.is_over() || flight.begun.elapsed() >= PATIENCE
            }
            None if Instant::now() < self.next => false,
            None => {
                self.next = Instant::now() + self.interval;
                if self.out_of_scope {
                    return true;
                }
                self.flight = Flight::begin(own_tgid, self.directory.clone());
                self.flight.is_none()
            }
        }
    }

    /// What became of the canary, which is over; `None`: none was on its way.
    fn land(&mut self) -> (Option<[Fate; Deed::ALL.len()]>, Duration) {
        match self.flight.take() {
            Some(flight) => (Some(flight.round.fates()), flight.round.latency()),
            None if self.out_of_scope => (Some([Fate::OutOfScope; Deed::ALL.len()]), Duration::ZERO),
            None => (None, Duration::ZERO),
        }
    }
}

impl Flight {
    /// `None`: the system has no randomness, which the log says.
    fn begin(own_tgid: u32, directory: Option<PathBuf>) -> Option<Flight> {
        let Some(nonce) = Nonce::new() else {
            tracing::warn!("the system gives no random bytes: the canary cannot fly");
            return None;
        };
        let child = tokio::task::spawn_blocking(move || canary::perform(nonce, directory.as_deref()));
        Some(Flight { begun: Instant::now(), round: Round::new(nonce, own_tgid), child: Some(child) })
    }

    /// Takes note that the child has ended.
    fn settle(&mut self) {
        let Some(child) = self.child.take_if(|child| child.is_finished()) else { return };
        let done = match outcome(child) {
            Some(Ok(done)) => done,
            Some(Err(error)) => {
                tracing::warn!(%error, "the canary could not be sent: the coverage record says that nothing was done");
                Done::default()
            }
            None => Done::default(),
        };
        self.round.done(done);
    }
}

/// What a task that has ended came to.
fn outcome<T>(task: JoinHandle<T>) -> Option<T> {
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};
    let mut task = std::pin::pin!(task);
    match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome.ok(),
        Poll::Pending => None,
    }
}

impl Agent {
    /// How the sensor is now: what the status, the coverage record and the metrics are made from.
    pub(in crate::agent) fn snapshot(&self) -> Snapshot {
        let now = system::now();
        let health = &self.health;
        Snapshot {
            time: now,
            unix_seconds: system::wall_clock().unix_nanos(now) as f64 / 1e9,
            since: self.collected.since,
            // A second old at most; reading them anew may fail.
            totals: self.before,
            hooks: self.collected.coverage.clone(),
            tampered: self.collected.tampered,
            ring: RingUse { bytes: health.ring.now.max(health.ring.before), limit: health.ring_limit },
            programs: self.programs.iter().map(program).collect(),
            malformed: self.malformed,
            passed: health.passed,
            tables: self.line.tables(),
            rules: self.in_effect.what.rules,
            reloads: self.in_effect.reloads,
            alerts: self.line.alerts(),
            looks: self.recognition.statistics(self.line.candidates()),
            carriers: self.carriers.statistics(),
            runtimes: self.runtimes.summary(),
            unattributed_bytes: self.line.provenance().egress.unattributed_bytes,
            canaries: health.canaries,
            usage: usage(),
            delivery: self.output.delivery(),
            evidence: self.evidence.as_ref().map(Store::counts),
            exports: health.export.as_ref().map(Export::results).unwrap_or_default(),
        }
    }

    /// Tells of its health what is due.
    pub(in crate::agent) fn tell_health(&mut self) -> Result<(), OutputError> {
        if self.health.export.is_some() && self.health.published.is_none_or(|at| at.elapsed() >= PUBLISHING) {
            self.health.published = Some(Instant::now());
            let snapshot = self.snapshot();
            if let Some(export) = &self.health.export {
                export.publish(snapshot);
            }
        }
        let own_tgid = self.health.own_tgid;
        let Some(records) = &mut self.health.records else { return Ok(()) };
        if !records.is_due(own_tgid) {
            return Ok(());
        }
        let occasion = if records.sequence == 0 { Occasion::Start } else { Occasion::Interval };
        self.cover(occasion)
    }

    /// The last coverage record, and the last numbers for the metrics.
    pub(in crate::agent) fn end_health(&mut self) -> Result<(), OutputError> {
        if let Some(records) = &mut self.health.records {
            // What is on its way then cannot come out any more; if it has not, that says nothing.
            if let Some(flight) = &mut records.flight {
                flight.settle();
            }
            records.flight.take_if(|flight| !flight.round.is_over());
            self.cover(Occasion::End)?;
        }
        let snapshot = self.snapshot();
        if let Some(export) = &self.health.export {
            export.publish(snapshot);
        }
        Ok(())
    }

    fn cover(&mut self, occasion: Occasion) -> Result<(), OutputError> {
        let snapshot = self.snapshot();
        let Health { instance, canaries, records: Some(records), .. } = &mut self.health else { return Ok(()) };
        let (canary, latency) = match occasion {
            // Out of scope or not: none was to be sent any more.
            Occasion::End if records.flight.is_none() => (None, Duration::ZERO),
            _ => records.land(),
        };
        if let Some(fates) = canary {
            canaries.rounds += 1;
            for (missing, fate) in canaries.missing.iter_mut().zip(fates) {
                *missing += u64::from(fate == Fate::Missing);
            }
        }
        let (sequence, interval, before) = (records.sequence, records.interval, &records.before);
        let clock = system::wall_clock();
        let begun = records.clock.replace(clock).unwrap_or(clock);
        let coverage =
            Coverage { instance, sequence, occasion, interval, before, begun, now: &snapshot, canary, latency };
        let record = coverage.record(clock);
        records.sequence += 1;
        let time = snapshot.time;
        records.before = snapshot;
        if let Some(evidence) = &mut self.evidence {
            evidence.told(ToldKind::Coverage, time, |_| serde_json::to_value(&record).unwrap_or_default());
        }
        self.output.coverage(&record, time)
    }
}

fn program(attached: &Attached) -> Program {
    let (runs, time) = attached.runs();
    Program { name: attached.name, runs, time }
}

/// What this process takes.
fn usage() -> Usage {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        // "VmRSS:     1234 kB", which are KiB (fs/proc/task_mmu.c).
        Some(line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    };
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(cpu.tv_nsec).unwrap_or(0);
    Usage { memory_bytes: bytes("VmRSS"), memory_peak_bytes: bytes("VmHWM"), cpu: Duration::new(seconds, nanos) }
}
