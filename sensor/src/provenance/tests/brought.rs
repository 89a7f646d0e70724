//! Who made a file that is opened for writing.

use crate::event::{
    Access, Actor, Body, BootTime, Change, Event, Field, File, FileChange, FileId, Open, Value, Workload,
};
use crate::policy;
use crate::provenance::{ClassTable, Limits, Tracer};
use std::sync::Arc;

/// What `weir.file.brought` says of an open by `workload`.
fn opened(tracer: &mut Tracer, workload: &str, inode: u64, access: Access, created: bool) -> Option<bool> {
    let file = File { id: Some(FileId { device: 1, inode }), path: "/m/x.gguf".into(), size: 9, ..File::default() };
    let open = Open { file, access, flags: 0, io_uring: false, candidate: false, carrier: false, created };
    let mut event = Event::new(BootTime(1), None, Actor::default(), Body::Open(open));
    event.workload = Some(Arc::new(Workload { id: workload.into(), ..Workload::default() }));
    tracer.trace(&mut event, &policy::Table::default());
    assert_eq!(Field::FileCreated.get(&event), Some(Value::Flag(created)));
    match Field::FileBrought.get(&event) {
        Some(Value::Flag(brought)) => Some(brought),
        _ => None,
    }
}

#[test]
fn a_file_is_brought_by_the_workload_that_made_it_last() {
    let classes = ClassTable::load(None).expect("the built-in file is right");
    let mut tracer = Tracer::new(classes, Limits::default());
    assert_eq!(opened(&mut tracer, "a", 1, Access::Write, false), Some(false), "it was there before the sensor");
    assert_eq!(opened(&mut tracer, "a", 2, Access::Write, true), Some(true));
    assert_eq!(opened(&mut tracer, "a", 2, Access::ReadWrite, false), Some(true), "its own, again");
    assert_eq!(opened(&mut tracer, "b", 2, Access::Write, false), Some(false), "another's");
    assert_eq!(opened(&mut tracer, "a", 2, Access::Write, false), Some(true), "who writes over it has not made it");
    assert_eq!(opened(&mut tracer, "a", 2, Access::Read, false), None, "reading is nobody's business here");
    assert_eq!(
        opened(&mut tracer, "b", 2, Access::Write, true),
        Some(true),
        "a new file that has the number of the old one"
    );
    assert_eq!(opened(&mut tracer, "a", 2, Access::Write, false), Some(false));
}

#[test]
fn who_cuts_or_deletes_a_file_is_told_from_who_made_it() {
    let classes = ClassTable::load(None).expect("the built-in file is right");
    let mut tracer = Tracer::new(classes, Limits::default());
    opened(&mut tracer, "a", 1, Access::Write, true);
    for (kind, workload, expected) in [
        (Change::Truncate, "a", Some(Value::Flag(true))),
        (Change::Unlink, "a", Some(Value::Flag(true))),
        (Change::Truncate, "b", Some(Value::Flag(false))),
        (Change::Unlink, "b", Some(Value::Flag(false))),
    ] {
        let file = File { id: Some(FileId { device: 1, inode: 1 }), path: "/m/x.gguf".into(), ..File::default() };
        let body = Body::FileChange(FileChange {
            change: kind,
            file,
            new_path: "".into(),
            new_size: None,
            io_uring: false,
            replaced: None,
        });
        let mut event = Event::new(BootTime(2), None, Actor::default(), body);
        event.workload = Some(Arc::new(Workload { id: workload.into(), ..Workload::default() }));
        tracer.trace(&mut event, &policy::Table::default());
        assert_eq!(Field::FileBrought.get(&event), expected, "{kind:?} by {workload}");
    }
}
