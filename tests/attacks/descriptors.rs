//! Descriptors that change hands: who sends never opened the file, or never asked for the connection.

use super::theft;
use tests::board::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("descriptor_passed", "SCM_RIGHTS, closed before connect", |stage| {
        theft(stage, &["descriptor", "--place", "/tmp/s"])
    }),
    Scenario::new("descriptor_fetched", "pidfd_getfd", |stage| theft(stage, &["pidfd-getfd"])),
    Scenario::new("socket_inherited", "the parent connects, the child sends", |stage| {
        theft(stage, &["inherited-socket"])
    }),
    Scenario::new("socket_passed", "socket by SCM_RIGHTS to the holder", |stage| theft(stage, &["passed-socket"])),
];
