//! The agent: from the kernel to the output, on one task, in order.
//!
//! Everything with side effects is here or in the modules named here: it asks the system what it needs to know, loads the
//! programs, pushes what they send through the [`Line`], and shows what comes out. Time and I/O end here.

mod carriers;
mod evidence;
mod finish;
mod handover;
mod health;
mod open_files;
mod output;
mod privileges;
mod recognition;
mod reload;
pub mod runtime;
mod select;
mod settings;
pub mod sniffer;
mod start;
pub mod status;
mod state_file;
pub mod sweep;
mod system;

pub use select::{KINDS, Selection};
pub use settings::{AgentError, Settings, Show};

use crate::delivery::{ConsoleFormat, OutputError};
use crate::detection::RuleSet;
use crate::detection::correlation::order;
use crate::event::{
    Body, BootTime, CorrelationsRestored, Event, LedgerRestored, Recognized, Tick, WallClock, WorkloadIdentified,
};
use crate::evidence::recording::Recorder;
use crate::evidence::store::Store;
use crate::kernel::{self, Counters, EgressCounters, Flows, Guard, Labels, Ring, Tables};
use crate::line::{Limits, Line};
use crate::policy::Policy;
use crate::provenance::ClassTable;
use crate::provenance::graph::Mark;
use carriers::Carriers;
use handover::{Kept, Pinned, Told};
use health::Health;
use output::Output;
use privileges::Privileges;
use recognition::Recognition;
use reload::{InEffect, Reloader, Sources};
use runtime::Runtimes;
use state_file::{StateDirectory, StateFile};
use status::{Collected, Control};
use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How often counters are read, so that what was lost is said; and idle flows ended.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How often the egress ledger and the state of the correlations are saved, if they have changed: so much is lost by a SIGKILL at most.
const SAVING: Duration = Duration::from_secs(10);

/// How long the end waits for files that are being looked into, and for threads that read or write.
const LAST_LOOKS: Duration = Duration::from_secs(1);

/// Watches until SIGTERM or SIGINT, the output's end, or as many events as were asked for.
///
/// # Errors
/// [`AgentError`], each one sentence that says what to do.
pub fn run(settings: Settings, show: Show, format: ConsoleFormat) -> Result<(), AgentError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(watch(settings, show, format));
    // Not for ever: a disk or a file system that a thread waits for may hang.
    runtime.shutdown_timeout(LAST_LOOKS);
    match result {
        Err(AgentError::Output(OutputError::Closed)) => Ok(()),
        result => result,
    }
}

async fn watch(settings: Settings, show: Show, format: ConsoleFormat) -> Result<(), AgentError> {
    // Before they are read, so that no change of them is missed.
    let reloader = Reloader::new(Sources::of(&settings))?;
    let policy = Policy::find(settings.policy.as_deref())?;
    let rules = RuleSet::load_with(&settings.rules, &settings.rule_options.clone().with_policy(&policy))?;
    let classes = ClassTable::load(settings.classes.as_deref())?.watching(rules.watched())?;
    for left_out in rules.left_out() {
        tracing::warn!(rule = &*left_out.title, "a rule was left out, as --allow-unsupported says");
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);

    let pins = handover::wait(&settings, [&mut terminate, &mut interrupt]).await?;
    if settings.pin.is_some() && pins.is_none() {
        return Ok(());
    }
    let system = system::System::find(&settings)?;
    let classification = classes.keys();
    let loaded = system.load(&settings, &classification, pins.as_ref())?;
    drop(classification);
    // Before anything of the system's is judged, and before the first of the other threads, which have what this one has.
    let privileges = Privileges::reduce(settings.keep_privileges);
    let outbox = start::outbox(&settings)?;
    let mut health = Health::new(&settings, system.own_tgid())?;
    let recognition = Recognition::new(classes.contents());
    let clock = system::wall_clock();
    let header = start::header(&rules, &policy, &classes, clock);
    let recorder = start::recorder(&settings, header.clone())?;
    let in_effect = InEffect::new(&rules, &policy, &classes, system::now());
    let mut line = Line::new(rules, classes, Limits::default());
    line.set_policy(policy);
    let state = settings.state.as_deref().map_or_else(StateDirectory::nowhere, StateDirectory::open);
    let (ledger, Kept { ledger: saved, told }) = StateFile::open(&state, state_file::LEDGER);
    let (correlations, saved_correlations) = StateFile::open(&state, state_file::CORRELATIONS);
    let goes_on = Told::continues(told.as_ref(), loaded.left.as_ref(), loaded.lineage);
    let evidence = evidence::open(&settings, ledger.is_kept(), goes_on, header)?;
    health.begin(settings.state.clone().filter(|_| ledger.is_kept()));
    let mut agent = Agent {
        output: Output::new(show, format, clock, outbox, health.instance()),
        health,
        recorder,
        evidence,
        in_effect,
        reloader,
        line,
        before: kernel::Totals::default(),
        before_time: system::now(),
        counters: loaded.counters,
        flows: loaded.flows,
        egress: loaded.egress,
        control: start::control(&settings, ledger.is_kept()),
        collected: Collected::new(loaded.coverage, system::now()),
        ledger,
        correlations,
        guard: Some(Guard::new(&loaded.programs)),
        tables: loaded.tables,
        carriers: Carriers::new(&loaded.labels, settings.carrier_idle).map_err(kernel::LoadError::from)?,
        labels: loaded.labels,
        recognition,
        runtimes: Runtimes::start(&settings.runtimes, settings.kube.as_ref()),
        programs: loaded.programs,
        pinned: pins.as_ref().map(|_| Pinned { generation: loaded.generation, lineage: loaded.lineage }),
        taken_over: loaded.left.is_some(),
        own_tgid: system.own_tgid(),
        privileges,
        found: VecDeque::new(),
        drained: BootTime::default(),
        malformed: 0,
        own: 0,
        statistics: settings.statistics,
        done: false,
    };
    let restored = LedgerRestored { boot_unix_nanos: clock.boot_unix_nanos, counters: true, saved };
    agent.push(Event::new(system::now(), None, Default::default(), Body::LedgerRestored(Box::new(restored))))?;
    let (boot, boot_unix_nanos) = (system::boot(), clock.boot_unix_nanos);
    let restored = CorrelationsRestored { boot, boot_unix_nanos, saved: saved_correlations };
    agent.push(Event::new(system::now(), None, Default::default(), Body::CorrelationsRestored(Box::new(restored))))?;
    // Attached first, then looked around: nothing can happen between the two unseen.
    let found = system.found();
    let open: Vec<Event> = found.iter().flat_map(|event| open_files::of(event, agent.line.classes())).collect();
    for event in found.into_iter().chain(open) {
        agent.push(event)?;
    }
    if let Some(left) = loaded.left {
        agent.take_up(left, told)?;
    }
    let mut ring = Ring::new(loaded.events)?;
    kernel::release_memory();
    system::notify(settings.notify);
    if format == ConsoleFormat::Text {
        // Not by `eprintln!`, which panics where nobody takes it.
        let _ =
            writeln!(anstream::stderr(), "Watching with {} programs in the kernel; ^C ends it.", agent.programs.len());
    }

    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    let mut saving = tokio::time::interval(SAVING);
    while !agent.done {
        tokio::select! {
            ready = ring.ready() => {
                ready?;
                agent.drain(&mut ring, &system)?;
            }
            verdict = agent.recognition.answer() => agent.recognise(verdict)?,
            told = agent.runtimes.answer() => agent.identify(Some(told))?,
            asker = agent.control.asked() => {
                agent.ledger.settle().await;
                asker.answer(&agent.status());
            }
            outcome = agent.reloader.next(&agent.in_effect) => agent.reload(outcome, &mut ring, &system)?,
            _ = housekeeping.tick() => {
                agent.count(&mut ring, &system)?;
                agent.keep_house()?;
                agent.tell_health()?;
            }
            // Where nothing else comes, matches go on in order all the same.
            () = tokio::time::sleep(order::BOUND), if agent.line.next_match_due().is_some() => {
                agent.drain(&mut ring, &system)?;
                agent.tick_if_due(system::now())?;
            }
            _ = saving.tick(), if agent.ledger.is_ready() && agent.correlations.is_ready() => agent.save().await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    agent.finish(&mut ring, &system, format).await
}

/// The line with what feeds it and what it feeds.
struct Agent {
    line: Line,
    health: Health,
    output: Output,
    recorder: Option<Recorder>,
    evidence: Option<Store>,
    programs: Vec<kernel::Attached>,
    privileges: Privileges,
    counters: Counters,
    flows: Flows,
    egress: EgressCounters,
    control: Control,
    collected: Collected,
    ledger: StateFile,
    correlations: StateFile,
    /// Until the agent itself takes the programs off.
    guard: Option<Guard>,
    tables: Tables,
    labels: Labels,
    carriers: Carriers,
    recognition: Recognition,
    runtimes: Runtimes,
    reloader: Reloader,
    in_effect: InEffect,
    before: kernel::Totals,
    before_time: BootTime,
    /// The programs, where they stay in the kernel.
    pinned: Option<Pinned>,
    /// What an agent before left goes on.
    taken_over: bool,
    own_tgid: u32,
    /// What was found in files and is not told to the line yet.
    found: VecDeque<Recognized>,
    /// When the record happened that was last taken from the ring.
    drained: BootTime,
    malformed: u64,
    /// Records of what this agent did before its programs were at work, seen by those of the one before.
    own: u64,
    statistics: bool,
    done: bool,
}

impl Agent {
    /// One event through the line.
    fn push(&mut self, event: Event) -> Result<(), OutputError> {
        if let Some(recorder) = &mut self.recorder {
            recorder.event(&event);
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.before_line(&event);
        }
        let began = self.health.before_line();
        let (event, notices) = self.line.push(event);
        self.health.behind_line(&event, began);
        let derived = self.line.take_derived();
        for (event, notices) in derived.into_iter().chain([(event, notices)]) {
            if let Some(evidence) = &mut self.evidence {
                evidence.behind_line(&event);
                evidence::keep(evidence, &notices);
            }
            self.done |= self.output.show(&event, &notices)?;
            for recognized in self.recognition.see(&event, &mut self.tables) {
                self.found.push_back(recognized);
            }
        }
        for look in self.line.take_unlooked() {
            self.found.extend(self.recognition.look(look, &mut self.tables));
        }
        Ok(())
    }

    /// What was found in files without waiting, or since the last time; through the line as well.
    fn push_found(&mut self) -> Result<(), OutputError> {
        while let Some(verdict) = self.recognition.try_answer() {
            self.found.extend(self.recognition.settle(verdict, &mut self.tables));
        }
        while let Some(recognized) = self.found.pop_front() {
            self.push(recognition::event(recognized, system::now()))?;
        }
        Ok(())
    }

    /// An answer of the threads that look into files.
    fn recognise(&mut self, verdict: sniffer::Verdict) -> Result<(), OutputError> {
        self.found.extend(self.recognition.settle(verdict, &mut self.tables));
        self.push_found()?;
        self.output.flush()
    }

    /// What runtimes have said of containers, through the line.
    fn identify(&mut self, first: Option<WorkloadIdentified>) -> Result<(), OutputError> {
        let mut told = first;
        while let Some(identified) = told.or_else(|| self.runtimes.try_answer()) {
            self.push(runtime::event(identified, system::now()))?;
            told = None;
        }
        self.output.flush()
    }

    /// Tells the kernel side what only the line knows of who holds what.
    fn mark(&mut self) {
        for mark in self.line.take_marks() {
            let now = system::now();
            let told = match mark {
                Mark::Holder(process, classes, bytes) => self.labels.holds(process, classes, bytes, now),
                Mark::Carrier(thing, classes, bytes) => self.labels.carries(thing, classes, bytes, now),
            };
            if let Err(error) = told {
                tracing::warn!(%error, "what a process passes on can go unseen");
            }
        }
    }

    /// What waits in the ring; returns how many records.
    fn drain(&mut self, ring: &mut Ring, system: &system::System) -> Result<usize, OutputError> {
        // First: what waits in the ring is then judged by the names of its containers.
        self.identify(None)?;
        let mut result = Ok(());
        let taken = ring.drain(kernel::BATCH, |record| match kernel::decode(record) {
            Ok(event) => {
                self.drained = event.time;
                if self.is_own(&event) {
                    self.own += 1;
                } else if result.is_ok() && !self.done {
                    result = self.push(event);
                }
            }
            Err(reason) => self.unreadable(&reason),
        });
        result?;
        self.health.ring(ring.take_fullest());
        self.push_found()?;
        self.mark();
        for pid in self.line.take_unknown() {
            if let Some(event) = system.process(pid) {
                self.push(event)?;
            }
        }
        for container in self.line.take_unidentified() {
            self.runtimes.ask(&container);
        }
        self.output.flush()?;
        Ok(taken)
    }

    /// What waits in the ring, up to what happened at `end`: no more than the ring holds, however much comes in meanwhile.
    fn drain_until(&mut self, end: BootTime, ring: &mut Ring, system: &system::System) -> Result<(), OutputError> {
        while self.drain(ring, system)? > 0 && self.drained < end && !self.done {}
        Ok(())
    }

    /// Whether it is something that the programs of the agent before saw this one do, taking over: the own ones would not tell it.
    fn is_own(&self, event: &Event) -> bool {
        let lifes = matches!(event.body, Body::Exec(_) | Body::Fork(_) | Body::Exit(_));
        !lifes && event.actor.process.is_some_and(|process| process.pid == self.own_tgid)
    }

    fn unreadable(&mut self, reason: &kernel::Malformed) {
        self.malformed += 1;
        tracing::warn!(%reason, total = self.malformed, "a record of the kernel side could not be read");
    }

    /// Bytes out by the kernel's counters. Read first and told last: all that had happened by then is known when they are told, the
    /// container that sent them, and by what the flows say who in it.
    fn count(&mut self, ring: &mut Ring, system: &system::System) -> Result<(), OutputError> {
        let read = system::now();
        let grown = self.egress.read(read);
        self.drain_until(read, ring, system)?;
        let now = system::now();
        for event in grown {
            self.push(Event { time: now, ..event })?;
        }
        Ok(())
    }

    /// Says what was lost since the last time and whether somebody tampers with the programs, and ends flows that have been idle.
    fn keep_house(&mut self) -> Result<(), OutputError> {
        let now = system::now();
        self.set_clock(system::wall_clock());
        match self.counters.read(&self.programs) {
            Ok(totals) => {
                for lost in totals.lost_since(&self.before, self.before_time) {
                    tracing::warn!(kind = %lost.kind, cause = %lost.cause, count = lost.count, "events were lost");
                    self.collected.lost = Some(now);
                    self.push(Event::new(now, None, Default::default(), Body::Lost(lost)))?;
                }
                let tampered = self.guard.as_mut().map(|guard| guard.check(&self.tables, &self.before, &totals));
                for tamper in tampered.into_iter().flatten() {
                    self.collected.tampered = Some(now);
                    self.push(Event::new(now, None, Default::default(), Body::Tamper(tamper)))?;
                }
                (self.before, self.before_time) = (totals, now);
            }
            Err(error) => tracing::warn!(%error, "the kernel side's counters cannot be read: losses go unsaid"),
        }
        for event in self.flows.end_idle(now) {
            self.push(event)?;
        }
        self.found.extend(self.recognition.keep_house(Instant::now(), &mut self.tables));
        self.push_found()?;
        // Otherwise what waits to be said is called up by the next event only, which may take long.
        self.tick_if_due(now)?;
        self.carriers.keep_house(now, &mut self.labels);
        if let Some(recorder) = &mut self.recorder {
            recorder.flush();
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.flush(now);
        }
        self.output.flush()?;
        // Otherwise known at the next alert only, which may take a month.
        if system::reader_has_gone() { Err(OutputError::Closed) } else { Ok(()) }
    }

    /// Lets what waits be said, if it is time.
    fn tick_if_due(&mut self, now: BootTime) -> Result<(), OutputError> {
        if self.line.is_due(now) {
            self.push_tick(now, false)?;
            self.output.flush()?;
        }
        Ok(())
    }

    /// Wall time is told by `clock` from now on, here and in a replay.
    fn set_clock(&mut self, clock: WallClock) {
        self.output.set_clock(clock);
        if let Some(recorder) = &mut self.recorder {
            recorder.clock(clock);
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.clock(clock);
        }
    }

    fn push_tick(&mut self, now: BootTime, last: bool) -> Result<(), OutputError> {
        self.push(Event::new(now, None, Default::default(), Body::Tick(Tick { last })))
    }

    /// Keeps the ledger and what the correlations have seen, if they have changed.
    async fn save(&mut self) {
        if let Some(ledger) = self.line.save_ledger() {
            let told = self.told(false);
            self.ledger.save(system::now(), move || Kept { ledger, told }).await;
        }
        if let Some(snapshot) = self.line.save_correlations() {
            self.correlations.save(system::now(), move || snapshot.saved()).await;
        }
    }
}
