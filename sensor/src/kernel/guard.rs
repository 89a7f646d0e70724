//! Whether what the sensor put into the kernel is still there and as it left it.
//!
//! Whoever may use bpf(2) can get a descriptor of any map, program or link by its id. The programs tell who reaches for one of
//! ours (`OWN_OBJECTS`); here is looked what came of it, so that nothing that was missed there goes unnoticed either.

use super::classification::{TableError, Tables};
use super::counters::Totals;
use super::load::Attached;
use super::sys::{self, Plain};
use crate::event::{BpfObject, Kind, Tamper};
use aya::maps::{HashMap, Map};
use sensor_common::config::OwnObject;
use sensor_common::count::Outcome;
use std::collections::HashSet;
use std::os::fd::AsFd;

/// Tells the programs which objects are ours.
///
/// # Errors
/// [`TableError`] when the map cannot be filled.
pub(super) fn remember(map: Map, programs: &[Attached]) -> Result<(), TableError> {
    const NAME: &str = "OWN_OBJECTS";
    let mut map: HashMap<_, Plain<OwnObject>, u32> =
        HashMap::try_from(map).map_err(|error| TableError::Map { name: NAME, reason: error.to_string() })?;
    let mut objects = HashSet::new();
    for program in programs {
        match sys::program_objects(program.program.as_fd()) {
            Ok((id, maps)) => {
                objects.insert((BpfObject::Program, id));
                objects.extend(maps.into_iter().map(|id| (BpfObject::Map, id)));
            }
            Err(error) => tracing::warn!(program = program.name, %error, "a program's id cannot be read"),
        }
        objects.extend(link_id(program).map(|id| (BpfObject::Link, id)));
    }
    for (object, id) in objects {
        let key = OwnObject { object: object as u32, id };
        map.insert(Plain(key), 1, 0).map_err(|source| TableError::Refused { name: NAME, source })?;
    }
    Ok(())
}

fn link_id(program: &Attached) -> Option<u32> {
    program.link.as_ref().and_then(|link| link.info().ok()).map(|info| info.id())
}

/// A link as it was made.
#[derive(Debug)]
struct Link {
    program: &'static str,
    id: u32,
    program_id: u32,
    on_cgroup: bool,
}

/// Looks from time to time whether all is as it was; says each thing once.
#[derive(Debug)]
pub struct Guard {
    links: Vec<Link>,
    said: HashSet<Box<str>>,
}

impl Guard {
    /// Of these programs. Links whose id the kernel does not tell are not watched.
    pub fn new(programs: &[Attached]) -> Guard {
        let link = |attached: &Attached| {
            let id = link_id(attached)?;
            let info = sys::link_info(id).ok()?;
            Some(Link { program: attached.name, id, program_id: info.program, on_cgroup: info.cgroup != 0 })
        };
        Guard { links: programs.iter().filter_map(link).collect(), said: HashSet::new() }
    }

    /// What is no longer as it was, and was not said before. Some two system calls an entry of the tables and three a link: well
    /// under a millisecond.
    pub fn check(&mut self, tables: &Tables, before: &Totals, now: &Totals) -> Vec<Tamper> {
        let mut found: Vec<(String, String)> = Vec::new();
        for link in &self.links {
            let what = match sys::link_info(link.id) {
                Ok(info) if info.program != link.program_id => "it runs another program now".to_owned(),
                Ok(info) if link.on_cgroup && info.cgroup == 0 => {
                    "it was detached: nothing is seen there any more".into()
                }
                Ok(_) => continue,
                Err(error) => format!("it is gone ({error}): nothing is seen there any more"),
            };
            found.push((format!("link {}", link.program), what));
        }
        found.extend(tables.changed().into_iter().map(|(map, what)| (format!("map {map}"), what)));
        let back =
            |kind: Kind| Outcome::ALL.into_iter().any(|outcome| now.get(kind, outcome) < before.get(kind, outcome));
        found.extend(Kind::ALL.into_iter().filter(|kind| back(*kind)).map(|kind| {
            ("map COUNTERS".to_owned(), format!("counters of {} events went back: losses may be hidden", kind.name()))
        }));
        found.retain(|(object, _)| self.said.insert(object.as_str().into()));
        found.into_iter().map(|(object, what)| Tamper { object: object.into(), what: what.into() }).collect()
    }
}
