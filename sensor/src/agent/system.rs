//! What the agent asks of the system that it runs on, apart from loading the programs.

use super::Settings;
use crate::event::{BootTime, Event, WallClock};
use crate::kernel::object::OVERRIDE;
use crate::kernel::{self, Classification, LoadError, Loaded, Pins, Request, Scope};
use crate::process::proc::{CgroupView, Reader};
use crate::workload::cgroupfs::{self, Hierarchies};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most processes, and most cgroups, that are read at the start; as many as the line's tables hold.
const FOUND_MAX: usize = 65_536;

/// Why the system does not do.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum SystemError {
    #[error(transparent)]
    Cgroups(#[from] cgroupfs::Error),
    #[error("--cgroup {}: {reason}; give a directory below {}, or its path from there", .path.display(), .root.display())]
    Scope { path: PathBuf, root: PathBuf, reason: String },
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Object(#[from] kernel::ObjectError),
    #[error(
        "the eBPF object {}, named by {OVERRIDE}: {reason}, or unset the variable to use the embedded one", .path.display()
    )]
    OtherObject { path: PathBuf, reason: LoadError },
}

/// The system, as far as it is known.
pub struct System {
    hierarchies: Hierarchies,
    scope: Option<Scope>,
    own_tgid: u32,
    reader: Reader,
}

impl System {
    /// Looks at the system.
    ///
    /// # Errors
    /// [`SystemError`] when something is missing without which the sensor cannot watch.
    pub fn find(settings: &Settings) -> Result<System, SystemError> {
        // First of all: whoever is not allowed to load programs is to hear that, and nothing else.
        let own_tgid = kernel::own_tgid()?;
        let hierarchies = Hierarchies::find()?;
        let scope = settings.cgroup.as_deref().map(|path| scope(path, &hierarchies.unified)).transpose()?;
        let (hierarchy, root) = hierarchies.identifying();
        let reader = Reader::new(Some(CgroupView { hierarchy, root: root.to_owned() }));
        Ok(System { hierarchies, scope, own_tgid, reader })
    }

    /// The agent's process id in the initial pid namespace.
    pub fn own_tgid(&self) -> u32 {
        self.own_tgid
    }

    /// Loads and attaches the programs.
    ///
    /// # Errors
    /// When the kernel refuses what the sensor cannot do without.
    pub fn load(
        &self,
        settings: &Settings,
        classification: &Classification,
        pins: Option<&Pins>,
    ) -> Result<Loaded, SystemError> {
        let other = std::env::var_os(OVERRIDE).map(PathBuf::from);
        let object = kernel::object::read(other.clone())?;
        let told = kernel::Settings {
            scope: self.scope,
            cgroup_v1_controller: self.hierarchies.legacy.as_ref().map(|legacy| legacy.controller.into()),
            flow_floor: settings.flow_floor,
            ..kernel::Settings::new(self.own_tgid)
        };
        let request = Request {
            object: &object,
            cgroup_root: &self.hierarchies.unified,
            settings: &told,
            classification,
            ring_bytes: settings.ring_bytes,
            carriers: settings.carriers,
            hooks: &settings.hooks,
            log_level: settings.kernel_log.as_deref(),
            pins,
        };
        let loaded = kernel::load(&request).map_err(|error| match (error, other) {
            (reason @ LoadError::Object(_), Some(path)) => SystemError::OtherObject { path, reason },
            (error, _) => error.into(),
        })?;
        for coverage in loaded.coverage.iter().filter(|coverage| !coverage.is_whole()) {
            for gap in &coverage.gaps {
                tracing::warn!(concern = coverage.concern.name(), program = gap.program, reason = gap.reason, gap.mend);
            }
        }
        say_fallback(&loaded);
        Ok(loaded)
    }

    /// Cgroups and processes that were there before, as events; cgroups first, so that processes find theirs.
    pub fn found(&self) -> Vec<Event> {
        let time = now();
        let unified = cgroupfs::scan(&self.hierarchies.unified, 0, time, FOUND_MAX);
        let legacy = self.hierarchies.legacy.as_ref();
        let legacy = legacy.map(|legacy| cgroupfs::scan(&legacy.root, legacy.hierarchy, time, FOUND_MAX));
        let mut events = unified.events;
        events.extend(legacy.into_iter().flat_map(|scan| scan.events));
        match self.reader.all(time, FOUND_MAX) {
            Ok(found) => {
                if found.left_out > 0 {
                    tracing::warn!(left_out = found.left_out, "more processes than the sensor keeps");
                }
                events.extend(found.events);
            }
            Err(error) => tracing::warn!(%error, "/proc cannot be listed: processes already running have no names"),
        }
        events
    }

    /// A process that an event named and nobody has told of, if it still is there.
    pub fn process(&self, pid: u32) -> Option<Event> {
        self.reader.one(pid, now())
    }
}

/// The cgroup at `path`: a directory, or a path below `root`.
fn scope(path: &Path, root: &Path) -> Result<Scope, SystemError> {
    let error = |reason: String| SystemError::Scope { path: path.to_owned(), root: root.to_owned(), reason };
    let directory =
        if path.starts_with(root) { path.to_owned() } else { root.join(path.strip_prefix("/").unwrap_or(path)) };
    let below = directory.strip_prefix(root).map_err(|_| error("it is not below the cgroup v2 root".into()))?;
    let data = std::fs::metadata(&directory).map_err(|reason| error(reason.to_string()))?;
    if !data.is_dir() || below.components().any(|part| matches!(part, std::path::Component::ParentDir)) {
        return Err(error("it is not a cgroup".into()));
    }
    let level = u32::try_from(below.components().count()).map_err(|_| error("it is too deep".into()))?;
    if level == 0 {
        return Err(error("that is everything: leave the option away".into()));
    }
    Ok(Scope { id: data.ino(), level })
}

/// Which boot of the kernel this is: a random id (drivers/char/random.c, `proc_do_uuid`; since 2.3). Empty if it cannot be read.
pub fn boot() -> Box<str> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().into()
}

/// `CLOCK_BOOTTIME`.
pub fn now() -> BootTime {
    let time = clock_gettime(ClockId::Boottime);
    let nanos = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    BootTime(u64::try_from(nanos).unwrap_or(0))
}

/// How the two clocks stand to each other now.
pub fn wall_clock() -> WallClock {
    let time = clock_gettime(ClockId::Realtime);
    WallClock::new(i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec), now())
}

/// Whether standard output is a pipe that nobody reads any more, or a terminal that is gone.
pub fn reader_has_gone() -> bool {
    let stdout = std::io::stdout();
    // No events are asked for: errors and hang-ups are told always.
    let mut output = [PollFd::new(&stdout, PollFlags::empty())];
    let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut output, Some(&now)), Ok(1..))
}

/// Says once what is watched by less than the best hooks, and why.
fn say_fallback(loaded: &Loaded) {
    let fallback = || loaded.coverage.iter().filter_map(|c| Some((c.concern.name(), c.passed_over.as_deref()?)));
    let Some((_, reason)) = fallback().next() else { return };
    let concerns: Vec<_> = fallback().map(|(concern, _)| concern).collect();
    tracing::info!(
        concerns = concerns.join(" "),
        reason,
        "watched by the exits of system calls instead of kernel functions: each system call costs a little more"
    );
}

/// Says on `descriptor` that everything is attached.
pub fn notify(descriptor: Option<RawFd>) {
    let Some(descriptor) = descriptor.filter(|descriptor| *descriptor > 2) else { return };
    // SAFETY: whoever started the agent with this option passed the descriptor for it to use and close; the agent has not
    // opened it, since it is asked for before anything is opened under a number of one's own choosing.
    let mut pipe = unsafe { File::from_raw_fd(descriptor) };
    if let Err(error) = pipe.write_all(b"ready\n") {
        tracing::warn!(%error, descriptor, "cannot say that the sensor is ready");
    }
}
