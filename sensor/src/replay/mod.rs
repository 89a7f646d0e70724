//! A recording through the line again: the same events and the same rules give the same alerts, bit for bit; other rules give what
//! they would have given.
//!
//! [`run`] prints what `weir run` would have; [`diff`] compares two rule sets on the same events. Nothing here looks at a clock but
//! to say how fast it went, and nothing is asked of the machine that it runs on.

mod diff;
mod notes;
mod progress;

#[cfg(test)]
mod tests;

pub use diff::Difference;

use crate::alert::Notice;
use crate::delivery::{Console, Format, OutputError};
use crate::detection::{Options, RuleSet, RulesError};
use crate::event::{BootTime, Event, WallClock};
use crate::evidence::recording::{Damage, Gap, Header, Reader, Record, RecordingError};
use crate::evidence::{archive, store};
use crate::line::{Limits, Line};
use crate::policy::{Policy, PolicyError};
use crate::provenance::{ClassTable, ClassesError};
use progress::Progress;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Most entries of each table, whatever a recording says: it can be anybody's.
const LIMIT_MAX: u32 = 1 << 20;

/// What to replay, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The recording, the directory of a store of evidence, or an archive of it.
    pub file: PathBuf,
    /// Rules beside the built-in ones.
    pub rules: Vec<PathBuf>,
    /// Another `classes.yml`.
    pub classes: Option<PathBuf>,
    /// What is declared; `None`: what [`crate::policy::FILE`] says, if it is there.
    pub policy: Option<PathBuf>,
    /// Alerts of these times are shown, nanoseconds since the Unix epoch. What was before is replayed all the same: it is what the
    /// alerts rest on. What is after is not read.
    pub span: RangeInclusive<u64>,
    /// Say on standard error how far it is.
    pub progress: bool,
}

/// Why a replay could not be begun, or not be ended.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum ReplayError {
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Classes(#[from] ClassesError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// What was replayed.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Events that went into the line.
    pub events: u64,
    /// Alerts and incidents that were told, revisions included.
    pub notices: u64,
    /// The times of the first event and of the last one.
    pub first: Option<BootTime>,
    /// See `first`.
    pub last: BootTime,
    /// Where the recording lacks events.
    pub gaps: Vec<Gap>,
    /// Gaps beyond those that are listed.
    pub more_gaps: u64,
    /// What of the file could not be read.
    pub damage: Damage,
}

/// Most gaps that a summary lists.
const GAPS_MAX: usize = 16;

impl Summary {
    fn see(&mut self, event: &Event) {
        self.events += 1;
        self.first.get_or_insert(event.time);
        self.last = self.last.max(event.time);
    }

    fn miss(&mut self, gap: Gap) {
        if self.gaps.len() < GAPS_MAX { self.gaps.push(gap) } else { self.more_gaps += 1 }
    }
}

/// Replays a recording, and writes to `out` what `weir run` would have.
///
/// # Errors
/// The rules, the classes, the recording or the output are not right.
pub fn run<W: Write>(settings: &Settings, format: Format, out: W) -> Result<Summary, ReplayError> {
    let rules = rules(settings, &settings.rules)?;
    let mut replay = Replay::open(settings)?;
    replay.compare(rules.digest());
    let mut console = Console::new(out, format, replay.clock);
    let mut line = replay.line(settings, rules)?;
    replay.progress.begin();
    while let Some(event) = replay.next()? {
        if replay.take_began() {
            line = replay.line(settings, self::rules(settings, &settings.rules)?)?;
        }
        console.set_clock(replay.clock);
        for notice in tell(&mut line, event) {
            if replay.shows(&notice) {
                console.notice(&notice)?;
                replay.summary.notices += 1;
            }
        }
    }
    Ok(replay.end())
}

/// Replays a recording with two rule sets, the one of `settings` and the one with `other` beside the built-in rules, and writes to
/// `out` where their alerts differ. Incidents follow from alerts and are not compared; but what adds nothing to an incident is not told,
/// so that an alert can come or go by another one of its incident.
///
/// # Errors
/// As [`run`].
pub fn diff<W: Write>(
    settings: &Settings,
    other: &[PathBuf],
    format: Format,
    out: W,
) -> Result<(Summary, Difference), ReplayError> {
    let (before, after) = (rules(settings, &settings.rules)?, rules(settings, other)?);
    let mut replay = Replay::open(settings)?;
    let mut lines = [replay.line(settings, before)?, replay.line(settings, after)?];
    let mut difference = Difference::new(format);
    replay.progress.begin();
    while let Some(event) = replay.next()? {
        if replay.take_began() {
            let [before, after] = [rules(settings, &settings.rules)?, rules(settings, other)?];
            lines = [replay.line(settings, before)?, replay.line(settings, after)?];
        }
        let events = [event.clone(), event];
        for (side, (line, event)) in lines.iter_mut().zip(events).enumerate() {
            for notice in tell(line, event) {
                if let Notice::Alert(alert) = &notice
                    && replay.shows(&notice)
                {
                    difference.add(side, alert, replay.clock);
                    replay.summary.notices += 1;
                }
            }
        }
    }
    difference.write(out)?;
    Ok((replay.end(), difference))
}

/// Rules beside the built-in ones, with the policy's lists. What Weir does not have is left out: a sensor that was not told to do so
/// did not run.
fn rules(settings: &Settings, paths: &[PathBuf]) -> Result<RuleSet, ReplayError> {
    let policy = Policy::find(settings.policy.as_deref())?;
    let options = Options { allow_unsupported: true, ..Options::default() }.with_policy(&policy);
    Ok(RuleSet::load_with(paths, &options)?)
}

/// An event through the line, and what is to be told of it, in the order in which the agent tells it.
pub fn tell(line: &mut Line, event: Event) -> Vec<Notice> {
    let (_, notices) = line.push(event);
    let derived = line.take_derived().into_iter().flat_map(|(_, notices)| notices);
    let told = derived.chain(notices).collect();
    // What the agent would have asked or told others by these, it did then; the answers are in the recording.
    line.take_unlooked();
    line.take_unknown();
    line.take_unidentified();
    line.take_marks();
    told
}

/// A file, or what a directory or archive of evidence has recorded; says whether it is the latter.
fn open(path: &Path) -> Result<(Reader<Box<dyn Read>>, bool), RecordingError> {
    let unopened = |source| RecordingError::Unopened { file: path.to_owned(), source };
    let reader = |source: Box<dyn Read>, size| Reader::new(source, path.to_owned(), size);
    let data = std::fs::metadata(path).map_err(unopened)?;
    if data.is_dir() {
        let store = store::Reader::open(path).map_err(|error| unopened(io::Error::other(error.reason)))?;
        return Ok((reader(Box::new(store.raw()), None)?, true));
    }
    if archive::is_archive(path) {
        // Whose signature it has, `weir evidence verify` says; one that is not whole is not read.
        let recorded = archive::recording(path, &[]).map_err(|error| unopened(io::Error::other(error.to_string())))?;
        let without = || unopened(io::Error::other("the archive has nothing in it of what went into the sensor"));
        return Ok((reader(Box::new(recorded.ok_or_else(without)?), None)?, true));
    }
    let file = File::open(path).map_err(unopened)?;
    let size = data.is_file().then_some(data.len());
    Ok((reader(Box::new(file), size)?, false))
}

/// A recording on its way through lines.
struct Replay {
    reader: Reader<Box<dyn Read>>,
    /// It is a store: one run of the sensor follows the other.
    is_store: bool,
    /// Another run begins here: what the line knew, it knew no more.
    began: bool,
    clock: WallClock,
    span: RangeInclusive<u64>,
    summary: Summary,
    progress: Progress,
}

impl Replay {
    fn open(settings: &Settings) -> Result<Replay, ReplayError> {
        let (reader, is_store) = open(&settings.file)?;
        let clock = reader.header().clock;
        let progress = Progress::new(settings.progress);
        let (span, summary) = (settings.span.clone(), Summary::default());
        let replay = Replay { reader, is_store, began: false, clock, span, summary, progress };
        notes::version(replay.header());
        Ok(replay)
    }

    fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Says whether the rules are those that were in effect then.
    fn compare(&self, rules: &str) {
        notes::digest("rules", &self.header().rules, rules);
    }

    fn line(&self, settings: &Settings, rules: RuleSet) -> Result<Line, ReplayError> {
        let policy = Policy::find(settings.policy.as_deref())?;
        let digest = |digest: Option<&str>| digest.unwrap_or("none").to_owned();
        let now = digest(policy.digest().map(|digest| &**digest));
        notes::digest("policy", &digest(self.header().policy.as_deref()), &now);
        let classes = ClassTable::load(settings.classes.as_deref())?.watching(rules.watched())?;
        notes::digest("classes", &self.header().classes, classes.version());
        let limits = self.header().limits;
        let limit = |limit: u32| limit.clamp(1, LIMIT_MAX) as usize;
        let limits = Limits { processes: limit(limits.processes), workloads: limit(limits.workloads) };
        let mut line = Line::new(rules, classes, limits);
        line.set_policy(policy);
        Ok(line)
    }

    /// The next event, if it is one that is to be replayed.
    fn next(&mut self) -> Result<Option<Event>, ReplayError> {
        loop {
            self.progress.say(self.summary.events, self.reader.progress());
            match self.reader.next()? {
                None => return Ok(None),
                Some(Record::Event(event)) if self.wall(event.time) > *self.span.end() => return Ok(None),
                Some(Record::Event(event)) => {
                    self.summary.see(&event);
                    return Ok(Some(*event));
                }
                Some(Record::Clock(clock)) => self.clock = clock,
                Some(Record::Gap(gap)) => self.summary.miss(gap),
                Some(Record::Recording(header)) if self.is_store => {
                    self.clock = header.clock;
                    self.began = true;
                }
                // Two recordings in one file: the machine was started anew, or it is another one.
                Some(Record::Recording(_)) => notes::second_header(),
            }
        }
    }

    /// Whether the event that came last is the first one of another run.
    fn take_began(&mut self) -> bool {
        std::mem::take(&mut self.began)
    }

    fn wall(&self, time: BootTime) -> u64 {
        self.clock.unix_nanos(time)
    }

    fn shows(&self, notice: &Notice) -> bool {
        let time = match notice {
            Notice::Alert(alert) => alert.time,
            Notice::Incident(incident) => incident.time,
            Notice::Enrichment(enrichment) => enrichment.time(),
        };
        self.span.contains(&self.wall(time))
    }

    fn end(mut self) -> Summary {
        self.progress.clear();
        self.summary.damage = self.reader.damage();
        notes::missing(&self.summary, self.clock);
        notes::speed(&self.summary, self.progress.elapsed());
        self.summary
    }
}
