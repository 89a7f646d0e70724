//! Descriptors that change hands: who sends never opened the file, or never asked for the connection.

use super::theft;
use tests::board::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "descriptor_passed",
        about: "SCM_RIGHTS, closed before connect",
        play: |stage| theft(stage, &["descriptor"]),
    },
    Scenario { name: "descriptor_fetched", about: "pidfd_getfd", play: |stage| theft(stage, &["pidfd-getfd"]) },
    Scenario {
        name: "socket_inherited",
        about: "the parent connects, the child sends",
        play: |stage| theft(stage, &["inherited-socket"]),
    },
    Scenario {
        name: "socket_passed",
        about: "socket by SCM_RIGHTS to the holder",
        play: |stage| theft(stage, &["passed-socket"]),
    },
];
