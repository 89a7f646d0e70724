//! Which renames take a name from another file, where the kernel side sees only the words of a rename.
//!
//! Trampolines tell the inode that loses its name. The exits of system calls do not; so the names are remembered here under which files
//! were opened that are worth replacing, by mount namespace. A rename to such a name replaces that file. A file that nobody opened
//! under the name since the sensor started is not known, and so are names that lead there by another way (a symbolic link, a bind mount, a
//! directory's descriptor).

use crate::bounded::{Bounded, Evictions};
use crate::event::{Body, Change, Class, Classes, Event, FileChange, FileId, Replaced as Told};
use std::time::Duration;

/// Names that are remembered, and bytes that they may have together; the least recently used goes first.
const NAMES: usize = 16_384;
const BYTES: usize = 4 << 20;
/// What is worth replacing: what it does decides over what others will run or learn.
const WORTH: Classes = Classes(Class::Weights as u32 | Class::Dataset as u32 | Class::StartupCode as u32);

/// A mount namespace, and an absolute path in it.
type Name = (u32, Box<str>);

/// See the module's text.
#[derive(Debug)]
pub struct Replaced {
    names: Bounded<Name, Known>,
}

/// A file that has a name.
#[derive(Clone, Debug)]
struct Known {
    /// Which one, if somebody opened it.
    id: Option<FileId>,
    classes: Classes,
    /// The workload that gave it its name, of a file that was in no class before.
    by: Option<Box<str>>,
}

impl Replaced {
    /// No names yet.
    pub fn new() -> Replaced {
        Replaced { names: Bounded::new(NAMES, Duration::ZERO).with_budget(BYTES) }
    }

    /// Learns names from opens and changes of names; of a rename that is told in words it says what is replaced, and whether the workload
    /// itself had put it there. Expects files to have their classes, and process and workload to be known. `before`: the classes that the
    /// file of a change was in before.
    pub fn trace(&mut self, event: &mut Event, before: Classes) {
        match &event.body {
            Body::Open(open) if Classes(open.file.classes.0 & WORTH.0).is_empty() || open.file.path_cut => {}
            Body::Open(open) => {
                let Some(name) = name(event, &open.file.path) else { return };
                let (id, classes) = (open.file.id, open.file.classes);
                match self.names.get(&name) {
                    Some(known) if known.id == id => known.classes = classes,
                    _ => self.keep(name, Known { id, classes, by: None }),
                }
            }
            Body::FileChange(change) if change.change != Change::Truncate => self.change(event, before),
            _ => {}
        }
    }

    /// Names that were forgotten.
    pub fn evictions(&self) -> Evictions {
        self.names.evictions()
    }

    fn change(&mut self, event: &mut Event, before: Classes) {
        let Body::FileChange(change) = &event.body else { return };
        let old = Some(change).filter(|change| !change.file.path_cut).and_then(|change| name(event, &change.file.path));
        let known = match (&old, change.change) {
            (Some(old), Change::Rename | Change::Unlink) => self.names.remove(old),
            (Some(old), _) => self.names.get(old).cloned(),
            (None, _) => None,
        };
        let Some(new) = name(event, &change.new_path) else { return };
        let workload = event.workload.as_ref().map(|workload| workload.id.clone());
        let classes = change.file.classes;
        let file =
            known.unwrap_or(Known { id: change.file.id, classes, by: workload.clone().filter(|_| before.is_empty()) });
        let id = file.id;
        let replaced = self.names.remove(&new).filter(|known| known.id.is_none() || known.id != id);
        if !Classes(classes.0 & WORTH.0).is_empty() {
            self.keep(new, Known { classes, ..file });
        }
        if let (Body::FileChange(FileChange { change: Change::Rename, file, replaced: told, .. }), Some(known)) =
            (&mut event.body, replaced)
            && file.id.is_none()
        {
            *told = Some(Told { id: known.id });
            file.classes = Classes(file.classes.0 | known.classes.0);
            event.brought = Some(known.by.is_some() && known.by == workload);
        }
    }

    fn keep(&mut self, name: Name, known: Known) {
        let bytes = name.1.len();
        self.names.set(name, known, bytes);
    }
}

/// A path as the event's process means it, absolute and without detours; `None` where its working directory is not known, or there is no
/// path. A process that went elsewhere since its program was started is thought to be where it was.
fn name(event: &Event, path: &str) -> Option<Name> {
    let directory = match path.starts_with('/') {
        true => "",
        false => &*event.process.as_ref()?.working_directory,
    };
    if path.is_empty() || !(path.starts_with('/') || directory.starts_with('/')) {
        return None;
    }
    let mut components: Vec<&str> = Vec::new();
    for component in directory.split('/').chain(path.split('/')) {
        match component {
            "" | "." => {}
            ".." => {
                components.pop();
            }
            name => components.push(name),
        }
    }
    Some((event.actor.mount_namespace, format!("/{}", components.join("/")).into()))
}
