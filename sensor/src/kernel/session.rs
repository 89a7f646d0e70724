//! One by one into the kernel: each program is loaded, then attached; which family of hooks a concern gets is found by trying.
//!
//! Trampolines are tried first, since only what is watched pays for them and nothing gets by; a concern of which one program
//! does not load or attach falls back to the exits of system calls as a whole. What these are to look at is written when it is
//! known, and they are attached last.

use super::calls;
use super::classification::{TableError, Tables};
use super::concern::{Concern, Family, Hooks};
use super::explain::explain;
use super::load::{Attached, Coverage, Gap, LoadError, Told};
use super::plan::{self, Part, Place};
use super::sys::{self, Plain};
use aya::Ebpf;
use aya::maps::{Array, Map, MapData};
use aya::programs::links::FdLink;
use aya::programs::{CgroupAttachMode, CgroupSkbAttachType, Program, ProgramError};
use sensor_common::config::{Action, Watched, uring_shape};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;

const REBUILD: &str = "object and agent differ, rebuild both";

/// Programs on their way into the kernel.
pub(super) struct Session<'a> {
    ebpf: &'a mut Ebpf,
    told: &'a Told,
    btf: &'a aya::Btf,
    cgroup: &'a File,
    programs: Vec<Attached>,
    coverage: BTreeMap<Concern, Coverage>,
}

impl<'a> Session<'a> {
    pub(super) fn new(ebpf: &'a mut Ebpf, told: &'a Told, btf: &'a aya::Btf, cgroup: &'a File) -> Session<'a> {
        let empty = |concern| Coverage { concern, family: None, hooks: vec![], passed_over: None, gaps: vec![] };
        let coverage = Concern::ALL.into_iter().map(|concern| (concern, empty(concern))).collect();
        Session { ebpf, told, btf, cgroup, programs: Vec::new(), coverage }
    }

    /// What all kernels have: everything is loaded before anything is attached.
    pub(super) fn common(&mut self) -> Result<(), LoadError> {
        // Without the tracepoint the kernel is built without modules, and loads none (kernel/module/main.c has both).
        let modules = self.told.targets.get("on_module_load").is_some_and(Result::is_ok);
        let here = move |concern: &Concern| *concern != Concern::IoUring && (modules || *concern != Concern::Module);
        let parts = || Concern::ALL.into_iter().filter(here);
        let parts = || parts().flat_map(|concern| plan::parts(concern, None));
        let mut loaded = Vec::new();
        for part in parts() {
            match self.load(part) {
                Ok(()) => loaded.push(part),
                Err(gap) => self.refuse_or_note(part.concern, part, gap)?,
            }
        }
        for part in loaded {
            match self.attach(part) {
                Ok(attached) => self.take(part.concern, attached),
                Err(gap) => self.refuse_or_note(part.concern, part, gap)?,
            }
        }
        Ok(())
    }

    /// What there is a choice for.
    pub(super) fn families(
        &mut self,
        hooks: &Hooks,
        watched: &mut Watch,
        tables: &mut Tables,
    ) -> Result<(), LoadError> {
        let chosen = Concern::ALL.into_iter().filter(|concern| concern.has_families() || concern.portable_only());
        let mut portable = Vec::new();
        let mut trampolines = None;
        for concern in chosen {
            let wanted = hooks.wanted(concern);
            let refusal = match wanted {
                Some(Family::Portable) => None,
                _ if concern.portable_only() => None,
                _ => {
                    let possible = trampolines.get_or_insert_with(|| self.try_trampoline());
                    match possible.clone().and_then(|()| self.trampolines(concern)) {
                        Ok(()) => continue,
                        Err(gap) => Some(gap),
                    }
                }
            };
            match (wanted, refusal) {
                (Some(Family::Trampoline), Some(gap)) if concern.required() => {
                    return Err(LoadError::Required { concern, gap });
                }
                (Some(Family::Trampoline), Some(gap)) => {
                    let coverage = self.coverage(concern);
                    coverage.family = Some(Family::Trampoline);
                    coverage.gaps.push(gap);
                }
                (_, refusal) => {
                    self.coverage(concern).passed_over = refusal.map(|gap| gap.reason);
                    portable.push(concern);
                }
            }
        }
        self.portable(&portable, watched, tables)
    }

    /// What is attached, and how far each concern is watched.
    pub(super) fn finish(self) -> (Vec<Attached>, Vec<Coverage>) {
        let Session { programs, mut coverage, .. } = self;
        (programs, Concern::ALL.into_iter().filter_map(|concern| coverage.remove(&concern)).collect())
    }

    /// Whether this kernel has trampolines at all: a program that does nothing is attached by one and taken off.
    fn try_trampoline(&self) -> Result<(), Gap> {
        let refused = |reason| Gap { program: "a program on a kernel function", reason, mend: plan::NO_TRAMPOLINES };
        let Some(function) = self.told.sample else {
            return Err(refused(format!("this kernel has no function {}", plan::SAMPLE)));
        };
        sys::try_trampoline(function)
            .map_err(|(step, error)| refused(format!("the kernel refuses to {step} a trampoline ({error})")))
    }

    /// All programs of a concern on trampolines, or none.
    fn trampolines(&mut self, concern: Concern) -> Result<(), Gap> {
        let mut loaded = Vec::new();
        for part in plan::parts(concern, Some(Family::Trampoline)) {
            match self.load(part) {
                Ok(()) => loaded.push(part),
                Err(gap) if part.optional => tracing::debug!(program = part.program, reason = gap.reason, "not here"),
                Err(gap) => return Err(gap),
            }
        }
        let attached: Result<Vec<_>, _> = loaded.into_iter().map(|part| self.attach(part)).collect();
        self.coverage(concern).family = Some(Family::Trampoline);
        attached?.into_iter().for_each(|attached| self.take(concern, attached));
        Ok(())
    }

    /// The exits of system calls and the tracepoints of io_uring, for these concerns.
    fn portable(&mut self, concerns: &[Concern], watched: &mut Watch, tables: &mut Tables) -> Result<(), LoadError> {
        let actions: Vec<Action> = concerns.iter().flat_map(|concern| concern.actions()).copied().collect();
        let operations: Vec<u32> = concerns.iter().flat_map(|concern| concern.operations()).copied().collect();
        self.io_uring(&operations)?;
        if actions.is_empty() {
            return Ok(());
        }
        let (native, compat) = calls::sets(&actions);
        let io_uring = operations.iter().fold(0, |bits, operation| bits | 1u64 << operation);
        watched.set(Watched { native, compat, io_uring })?;
        if concerns.contains(&Concern::ProcessAccess) {
            tables.watch_process_memory()?;
        }
        let part = &plan::CALLS;
        match self.load(part).and_then(|()| self.attach(part)) {
            Ok(attached) => {
                for concern in concerns {
                    let coverage = self.coverage(*concern);
                    coverage.family = Some(Family::Portable);
                    coverage.hooks.push(part.hook);
                }
                self.programs.push(attached);
            }
            Err(gap) => {
                for concern in concerns {
                    self.coverage(*concern).family = Some(Family::Portable);
                    self.refuse_or_note(*concern, part, gap.clone())?;
                }
            }
        }
        Ok(())
    }

    /// The tracepoints of io_uring, where something is to be seen there that no trampoline sees.
    fn io_uring(&mut self, operations: &[u32]) -> Result<(), LoadError> {
        let concern = Concern::IoUring;
        if operations.is_empty() {
            self.coverage(concern).family = Some(Family::Trampoline);
            return Ok(());
        }
        self.coverage(concern).family = Some(Family::Portable);
        for part in plan::parts(concern, None) {
            let told = part.program != "on_uring_complete" || self.told.config.uring_shape != uring_shape::NONE;
            let attached = if told {
                self.load(part).and_then(|()| self.attach(part))
            } else {
                let reason = format!("this kernel's tracepoint {} does not tell what completes", part.hook);
                Err(gap(part, reason, concern.mend()))
            };
            match attached {
                Ok(attached) => self.take(concern, attached),
                Err(gap) if part.optional => tracing::debug!(program = part.program, reason = gap.reason, "not here"),
                Err(gap) => self.refuse_or_note(concern, part, gap)?,
            }
        }
        Ok(())
    }

    fn load(&mut self, part: &Part) -> Result<(), Gap> {
        let target = match self.told.targets.get(part.program) {
            Some(Ok(target)) => *target,
            Some(Err(reason)) => return Err(gap(part, reason.clone(), part.concern.mend())),
            None => None,
        };
        let btf = self.btf;
        let loaded = match (self.program(part)?, part.place, target) {
            (Program::BtfTracePoint(program), Place::Tracepoint(_), Some(target)) => program.load(target, btf),
            (Program::FEntry(program), Place::Entry(_), Some(target)) => program.load(target, btf),
            (Program::FExit(program), Place::Exit(_), Some(target)) => program.load(target, btf),
            (Program::CgroupSkb(program), Place::Cgroup | Place::Ingress, None) => program.load(),
            (Program::CgroupSockAddr(program), Place::Cgroup, None) => program.load(),
            (Program::CgroupSock(program), Place::Cgroup, None) => program.load(),
            _ => return Err(gap(part, "it is of another kind in this object".into(), REBUILD)),
        };
        loaded.map_err(|error| explain(part, &error))
    }

    fn attach(&mut self, part: &Part) -> Result<Attached, Gap> {
        let cgroup = self.cgroup;
        let program = self.program(part)?;
        let fail = |error: ProgramError| explain(part, &error);
        let link = link(program, part.place, cgroup).map_err(fail)?;
        let program = program.fd().map_err(fail)?.try_clone().map_err(|error| fail(error.into()))?;
        Ok(Attached { name: part.program, hook: part.hook, kind: part.kind, program, link: Some(link) })
    }

    fn program(&mut self, part: &Part) -> Result<&mut Program, Gap> {
        self.ebpf.program_mut(part.program).ok_or_else(|| gap(part, "it is not in the eBPF object".into(), REBUILD))
    }

    fn coverage(&mut self, concern: Concern) -> &mut Coverage {
        self.coverage.entry(concern).or_insert_with(|| Coverage {
            concern,
            family: None,
            hooks: Vec::new(),
            passed_over: None,
            gaps: Vec::new(),
        })
    }

    fn take(&mut self, concern: Concern, attached: Attached) {
        let hooks = &mut self.coverage(concern).hooks;
        if !hooks.contains(&attached.hook) {
            hooks.push(attached.hook);
        }
        self.programs.push(attached);
    }

    /// A gap in what is required ends the start; any other is remembered.
    fn refuse_or_note(&mut self, concern: Concern, part: &Part, gap: Gap) -> Result<(), LoadError> {
        if concern.required() {
            return Err(LoadError::Required { concern, gap });
        }
        tracing::debug!(program = part.program, reason = gap.reason, "cannot run");
        self.coverage(concern).gaps.push(gap);
        Ok(())
    }
}

fn gap(part: &Part, reason: String, mend: &'static str) -> Gap {
    Gap { program: part.program, reason, mend }
}

/// The map `WATCHED_CALLS`: what the portable programs look at.
pub(super) struct Watch {
    map: Array<MapData, Plain<Watched>>,
}

impl Watch {
    const NAME: &str = "WATCHED_CALLS";

    /// On that map. To be kept until all programs are loaded that use it.
    pub(super) fn new(map: Map) -> Result<Watch, TableError> {
        let map = Array::try_from(map);
        Ok(Watch { map: map.map_err(|error| TableError::Map { name: Watch::NAME, reason: error.to_string() })? })
    }

    fn set(&mut self, watched: Watched) -> Result<(), TableError> {
        let set = self.map.set(0, Plain(watched), 0);
        set.map_err(|source| TableError::Refused { name: Watch::NAME, source })
    }
}

/// On a cgroup: `Single` is no flags, which a link needs: the kernel refuses the mode's flags there (EINVAL), and a link
/// always shares its cgroup with other programs and links (`cgroup_bpf_link_attach`, 5.7: BPF_F_ALLOW_MULTI). So those of
/// systemd or a network plugin stay; each program runs, and a packet passes if all of them say so. Ours always do.
fn link(program: &mut Program, place: Place, cgroup: &File) -> Result<FdLink, ProgramError> {
    let mode = CgroupAttachMode::Single;
    Ok(match program {
        Program::BtfTracePoint(program) => {
            let link = program.attach()?;
            program.take_link(link)?.into()
        }
        Program::FEntry(program) => {
            let link = program.attach()?;
            program.take_link(link)?.into()
        }
        Program::FExit(program) => {
            let link = program.attach()?;
            program.take_link(link)?.into()
        }
        Program::CgroupSkb(program) => {
            let way = match place {
                Place::Ingress => CgroupSkbAttachType::Ingress,
                _ => CgroupSkbAttachType::Egress,
            };
            let link = program.attach(cgroup, way, mode)?;
            program.take_link(link)?.try_into().map_err(io::Error::other)?
        }
        Program::CgroupSockAddr(program) => {
            let link = program.attach(cgroup, mode)?;
            program.take_link(link)?.try_into().map_err(io::Error::other)?
        }
        Program::CgroupSock(program) => {
            let link = program.attach(cgroup, mode)?;
            program.take_link(link)?.try_into().map_err(io::Error::other)?
        }
        _ => return Err(ProgramError::UnexpectedProgramType),
    })
}
