//! Whether what the sensor put into the kernel is still there and as it left it.
//!
//! Whoever may use bpf(2) can get a descriptor of any map, program or link by its id. The programs tell who reaches for one of
//! ours (`OWN_OBJECTS`); here is looked what came of it, so that nothing that was missed there goes unnoticed either.

use super::classification::{TableError, Tables};
use super::counters::Totals;
use super::load::Attached;
use super::sys::{self, LinkInfo, Plain};
use crate::event::{BpfObject, Kind, Tamper};
use aya::maps::{HashMap, Map};
use sensor_common::config::OwnObject;
use sensor_common::count::Outcome;
use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};

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
    /// One of its own, so that nothing has to be looked up by id, which needs CAP_SYS_ADMIN.
    descriptor: OwnedFd,
    info: LinkInfo,
}

/// Looks from time to time whether all is as it was; says each thing once.
#[derive(Debug)]
pub struct Guard {
    links: Vec<Link>,
    said: HashSet<Box<str>>,
}

impl Guard {
    /// Of these programs. To be dropped before they are taken off, since it holds their links too.
    pub fn new(programs: &[Attached]) -> Guard {
        let mut own = sys::own_links().unwrap_or_else(|error| {
            tracing::warn!(%error, "/proc/self/fdinfo cannot be read: that somebody detaches a program goes unnoticed");
            Default::default()
        });
        let link = |attached: &Attached| {
            let descriptor = own.remove(&link_id(attached)?)?;
            let info = sys::link_info(descriptor.as_fd()).ok()?;
            Some(Link { program: attached.name, descriptor, info })
        };
        Guard { links: programs.iter().filter_map(link).collect(), said: HashSet::new() }
    }

    /// What is no longer as it was, and was not said before. Some two system calls an entry of the tables and one a link: well
    /// under a millisecond.
    pub fn check(&mut self, tables: &Tables, before: &Totals, now: &Totals) -> Vec<Tamper> {
        let mut found: Vec<(String, String)> = Vec::new();
        for link in &self.links {
            let what = match sys::link_info(link.descriptor.as_fd()) {
                Ok(info) if info == link.info => continue,
                Ok(info) if info.id != link.info.id => "its descriptor was replaced by another one's".to_owned(),
                Ok(info) if info.program != link.info.program => "it runs another program now".into(),
                Ok(_) => "it was detached: nothing is seen there any more".into(),
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
