//! Programs into the kernel, and what comes of it: what is watched, by which hooks, and what is not.
//!
//! How each program gets there and which family of hooks is chosen is in `session`. What is attached hangs on links, which are
//! descriptors of this process, close-on-exec: however it ends, SIGKILL included, the kernel takes them off. Unless they are pinned
//! (`pins`): then they stay, and the next agent goes on from there.

use super::btf::{Btf, BtfError, VMLINUX};
use super::capability::lacked_to_load;
use super::classification::{Classification, TableError, Tables};
use super::concern::{Concern, Family, Hooks};
use super::counters::Counters;
use super::egress::EgressCounters;
use super::explain::{explain_object, not_permitted};
use super::flows::Flows;
use super::labels::Labels;
use super::layout::{self, LayoutError, Settings};
use super::pins::{Left, Lineage, PinError, Pins, Takeover};
use super::session::{Session, Watch};
use super::sys::{self, Plain};
use super::{guard, log, plan};
use crate::event::Kind;
use aya::maps::{Map, MapData, RingBuf};
use aya::programs::ProgramFd;
use aya::programs::links::FdLink;
use aya::{Ebpf, EbpfLoader};
use sensor_common::config::Agent;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Default size of the ring, bytes.
pub const RING_BYTES: u32 = 4 << 20;
/// `CGROUP2_SUPER_MAGIC` (linux/magic.h)
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// Why the sensor cannot start.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Not allowed to load programs at all.
    #[error("the kernel does not let weir load eBPF programs ({0}{lacked}); {mend}", lacked = lacked_to_load(), mend = not_permitted())]
    NotPermitted(io::Error),
    /// No type information.
    #[error(
        "cannot read {VMLINUX} ({0}); Weir needs a kernel with CONFIG_DEBUG_INFO_BTF=y, which distributions have since 2020"
    )]
    NoBtf(io::Error),
    /// Type information that cannot be understood.
    #[error("cannot understand {VMLINUX}: {0}")]
    Btf(#[from] BtfError),
    /// The kernel lacks something that the programs must know.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The object as a whole cannot be used.
    #[error("cannot load the eBPF object: {0}")]
    Object(String),
    /// Its maps cannot be used or filled.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The directory is no cgroup v2.
    #[error(
        "cannot attach to the cgroup {path}: {reason}; mount cgroup v2 (`mount -t cgroup2 none {path}`) or name the directory where it is"
    )]
    Cgroup {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nothing can be left in the kernel for the next agent.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Something without which the sensor would be blind.
    #[error("{program} cannot run, so that {without}: {reason}; {mend}", program = .gap.program, without = .concern.without(),
        reason = .gap.reason, mend = .gap.mend)]
    Required {
        /// What would not be watched.
        concern: Concern,
        /// Why.
        gap: Gap,
    },
}

/// What is to be loaded, and how.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The object ([`super::object::read`]).
    pub object: &'a [u8],
    /// The root of cgroup v2.
    pub cgroup_root: &'a Path,
    /// What the programs are told.
    pub settings: &'a Settings,
    /// What they classify.
    pub classification: &'a Classification,
    /// Size of the ring; raised to a power of two of at least a page.
    pub ring_bytes: u32,
    /// Most things that carry something of which the kernel side knows.
    pub carriers: u32,
    /// Which families of hooks may be used.
    pub hooks: &'a Hooks,
    /// From which level on the programs' own diagnostics are logged; `None`: not at all, and they cost nothing.
    pub log_level: Option<&'a str>,
    /// Where programs and maps stay when the agent ends, and where those of the one before are; its lock is taken. `None`: nothing
    /// stays.
    pub pins: Option<&'a Pins>,
}

/// The programs at work. They stay attached as long as `programs` lives.
pub struct Loaded {
    /// Where records come out.
    pub events: RingBuf<MapData>,
    /// What became of every event.
    pub counters: Counters,
    /// Flows of sockets with many peers.
    pub flows: Flows,
    /// Bytes out, by cgroup and peer.
    pub egress: EgressCounters,
    /// What is matched.
    pub tables: Tables,
    /// Who holds what, as the kernel side knows.
    pub labels: Labels,
    /// What is attached.
    pub programs: Vec<Attached>,
    /// What is watched and what is not, a line a concern.
    pub coverage: Vec<Coverage>,
    /// The generation of the programs; from 1.
    pub generation: u32,
    /// The maps that count, where they are pinned.
    pub lineage: Lineage,
    /// What an agent before has left, if its maps go on.
    pub left: Option<Left>,
}

/// A program and the link by which it is attached. Dropping it detaches it.
#[derive(Debug)]
pub struct Attached {
    /// The function's name in the object.
    pub name: &'static str,
    /// The kernel's name of the attach point.
    pub hook: &'static str,
    /// What it sends.
    pub kind: Kind,
    pub(super) program: ProgramFd,
    pub(super) link: Option<FdLink>,
}

impl Attached {
    /// The program's descriptor.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// How often it ran and how long that took, while the sysctl `kernel.bpf_stats_enabled` was 1 (5.1); zero otherwise.
    pub fn runs(&self) -> (u64, Duration) {
        let statistics = sys::program_statistics(self.descriptor()).unwrap_or_default();
        (statistics.run_count, Duration::from_nanos(statistics.run_time))
    }

    /// Has it stay on its hook, and where it can be found, when the agent ends.
    pub(super) fn pin(&mut self, programs: &Path, links: &Path) -> Result<(), PinError> {
        let (program, link) = (programs.join(self.name), links.join(self.name));
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |source| PinError::Refused { path, step: "nothing can be pinned there", source }
        };
        sys::pin(self.program.as_fd(), &program).map_err(refused(&program))?;
        self.link = match self.link.take().map(|own| own.pin(&link)) {
            Some(Ok(pinned)) => Some(pinned.into()),
            Some(Err(error)) => return Err(refused(&link)(io::Error::other(error))),
            None => None,
        };
        Ok(())
    }

    /// Takes it off its hook, unless it is pinned; what the kernel knows of it can still be read.
    pub fn detach(&mut self) {
        self.link = None;
    }
}

/// How far a concern is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// What.
    pub concern: Concern,
    /// The family of hooks that was chosen; `None` where there is no choice.
    pub family: Option<Family>,
    /// The hooks that are live.
    pub hooks: Vec<&'static str>,
    /// Why a better family was passed over, if one was and nobody asked for that.
    pub passed_over: Option<String>,
    /// What is missing; empty when all is well.
    pub gaps: Vec<Gap>,
}

impl Coverage {
    /// Nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// A program that does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The function's name in the object.
    pub program: &'static str,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub mend: &'static str,
}

/// The agent's process id in the initial pid namespace: what the kernel says; before 5.10, or where it refuses to run a
/// program on request, what `/proc` says, which is right unless the agent is in a pid namespace of its own. To be called before
/// [`load`]: it raises the limit that older kernels set to what is loaded.
///
/// # Errors
/// [`LoadError::NotPermitted`], which is best known first of all.
pub fn own_tgid() -> Result<u32, LoadError> {
    // Before 5.11 programs and maps count against RLIMIT_MEMLOCK, together with those that an agent before has left. If it may not be
    // raised, the kernel says so when the first does not fit.
    let unlimited = rustix::process::Rlimit { current: None, maximum: None };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Memlock, unlimited) {
        tracing::debug!(%error, "cannot raise RLIMIT_MEMLOCK");
    }
    match sys::own_tgid() {
        Ok(tgid) => Ok(tgid),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)) => {
            Err(LoadError::NotPermitted(error))
        }
        Err(error) => {
            tracing::debug!(%error, "cannot ask the kernel for the own process id, taking the one in this namespace");
            Ok(std::process::id())
        }
    }
}

/// Loads and attaches everything.
///
/// Takes about half a second, most of it in the verifier: what every kernel has is loaded before any of it is attached, then the
/// families of hooks are tried, the best first. Memory that it needs on the way (two times the kernel's type
/// information, 50 MB) is given back. To be called within a runtime if `log_level` is given: a task then logs.
///
/// # Errors
/// [`LoadError`] when the sensor would be blind; nothing is attached then. What it can do without is in
/// [`Loaded::coverage`].
pub fn load(request: &Request<'_>) -> Result<Loaded, LoadError> {
    let cgroup = open_cgroup(request.cgroup_root)?;
    let mut told = Told::resolve(request.settings)?;
    let sizes = [("EVENTS", request.ring_bytes), ("CARRIERS", request.carriers)];
    let takeover = request.pins.map(|pins| Takeover::prepare(pins, request.object, &sizes)).transpose()?;
    told.config.generation = takeover.as_ref().map_or(1, |takeover| takeover.generation);
    let mut ebpf = create(request, &told, takeover.as_ref())?;

    let map =
        |ebpf: &mut Ebpf, name| ebpf.take_map(name).ok_or(TableError::Map { name, reason: "it is missing".into() });
    let broken = |name| move |error: aya::maps::MapError| TableError::Map { name, reason: error.to_string() };
    let events = RingBuf::try_from(map(&mut ebpf, "EVENTS")?).map_err(broken("EVENTS"))?;
    let counters = Counters::new(map(&mut ebpf, "COUNTERS")?).map_err(broken("COUNTERS"))?;
    let flows = Flows::new(map(&mut ebpf, "FLOWS")?).map_err(broken("FLOWS"))?;
    let egress = (map(&mut ebpf, "EGRESS")?, map(&mut ebpf, "EGRESS_REST")?);
    let mut tables = Tables::take(|name| ebpf.take_map(name))?;
    tables.replace(request.classification)?;
    let labels = Labels::take(|name| ebpf.take_map(name))?;

    if request.log_level.is_some()
        && let Err(error) = log::start(&mut ebpf)
    {
        tracing::warn!(%error, "the programs' own diagnostics are not logged");
    }
    let mut watched = Watch::new(map(&mut ebpf, "WATCHED_CALLS")?)?;
    let own = map(&mut ebpf, "OWN_OBJECTS")?;
    let agent = map(&mut ebpf, "AGENT")?;

    // Not before it is needed, nor together with the two copies before it: it is the largest thing in memory here.
    let btf = aya::Btf::from_sys_fs().map_err(|error| LoadError::Object(error.to_string()))?;
    let mut session = Session::new(&mut ebpf, &told, &btf, &cgroup);
    session.common()?;
    session.families(request.hooks, &mut watched, &mut tables)?;
    let (mut programs, coverage) = session.finish();
    drop(btf);
    guard::remember(own, &programs)?;
    if let Some(takeover) = &takeover {
        let (program, link) = takeover.places()?;
        programs.iter_mut().try_for_each(|attached| attached.pin(&program, &link))?;
    }
    let generation = told.config.generation;
    begin(&agent, Agent { generation, tgid: request.settings.own_tgid })?;
    let lineage = takeover.as_ref().map(Takeover::lineage).unwrap_or_default();
    let left = takeover.map(Takeover::finish).transpose()?.flatten();
    // Not earlier: to the programs before, whoever changed their maps would have been a stranger.
    let egress = EgressCounters::new(egress.0, egress.1).map_err(broken("EGRESS"))?;
    // The programs' instructions, and what the loader still knows of the maps; links and maps live on by themselves.
    drop(ebpf);
    sys::release_memory();
    Ok(Loaded { events, counters, flows, egress, tables, labels, programs, coverage, generation, lineage, left })
}

/// Puts the programs to work.
fn begin(map: &Map, agent: Agent) -> Result<(), TableError> {
    const NAME: &str = "AGENT";
    let failed = |reason: String| TableError::Map { name: NAME, reason };
    let Map::Array(data) = map else { return Err(failed("it is no array".into())) };
    sys::set_agent(data.fd().as_fd(), agent).map_err(|error| failed(error.to_string()))
}

/// What is taken from the kernel's type information; the information itself is dropped again.
pub(super) struct Told {
    offsets: sensor_common::config::Offsets,
    pub(super) config: sensor_common::config::Config,
    /// For each program, what it attaches to here, or why there is nothing.
    pub(super) targets: HashMap<&'static str, Result<Option<&'static str>, String>>,
    /// The id of a function that every kernel has with BPF LSM hooks compiled in, to try a trampoline on.
    pub(super) sample: Option<u32>,
}

impl Told {
    fn resolve(settings: &Settings) -> Result<Told, LoadError> {
        let bytes = std::fs::read(VMLINUX).map_err(LoadError::NoBtf)?;
        let btf = Btf::parse(&bytes)?;
        Ok(Told {
            offsets: layout::offsets(&btf)?,
            config: layout::config(&btf, settings)?,
            targets: plan::all().map(|part| (part.program, part.target(&btf))).collect(),
            sample: btf.function(plan::SAMPLE),
        })
    }
}

fn open_cgroup(path: &Path) -> Result<File, LoadError> {
    let refuse = |reason: String| LoadError::Cgroup { path: path.to_owned(), reason };
    let directory = File::open(path).map_err(|error| refuse(error.to_string()))?;
    match rustix::fs::fstatfs(&directory) {
        Ok(found) if u64::try_from(found.f_type) == Ok(CGROUP2_MAGIC) => Ok(directory),
        Ok(_) => Err(refuse("it is not in a cgroup v2 file system".into())),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// The object's maps, made in the kernel, and its programs, ready to be loaded.
fn create(request: &Request<'_>, told: &Told, takeover: Option<&Takeover<'_>>) -> Result<Ebpf, LoadError> {
    let (offsets, config) = (Plain(told.offsets), Plain(told.config));
    let log_level = log::level(request.log_level);
    let mut loader = EbpfLoader::new();
    for (name, path) in takeover.into_iter().flat_map(Takeover::maps) {
        loader.map_pin_path(name, path);
    }
    loader
        // There are no CO-RE relocations in the object (Rust emits none).
        .btf(None)
        .override_global("OFFSETS", &offsets, true)
        .override_global("CONFIG", &config, true)
        .override_global(log::LEVEL, &log_level, false)
        .map_max_entries("EVENTS", request.ring_bytes)
        .map_max_entries("CARRIERS", request.carriers)
        .allow_unsupported_maps()
        .load(request.object)
        .map_err(|error| explain_object(&error))
}

#[cfg(test)]
mod tests;
