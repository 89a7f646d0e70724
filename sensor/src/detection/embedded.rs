//! The shipped rules and lists, as they are in `rules/`. A test fails if one of the files there is missing here.

use super::source::{Role, Source};

macro_rules! shipped {
    ($role:expr, $($path:literal),* $(,)?) => {
        [$(($role, concat!("weir:", $path), include_str!(concat!("../../../rules/", $path)))),*]
    };
}

const RULES: [(Role, &str, &str); 14] = shipped!(
    Role::Rules,
    "artefacts_changed.yml",
    "artefacts_replaced.yml",
    "credentials_read.yml",
    "dns_tunnel.yml",
    "egress_answers.yml",
    "egress_budget.yml",
    "egress_first_destination.yml",
    "exec_from_memory.yml",
    "model_server_shell.yml",
    "model_theft.yml",
    "sensor_reached.yml",
    "sensor_tampering.yml",
    "uncounted_path.yml",
    "weights_opened.yml",
);

const LISTS: [(Role, &str, &str); 8] = shipped!(
    Role::List,
    "lists/credential_readers.txt",
    "lists/declared_destinations.txt",
    "lists/local_domains.txt",
    "lists/model_loaders.txt",
    "lists/model_servers.txt",
    "lists/package_installers.txt",
    "lists/resolvers.txt",
    "lists/shells.txt",
);

/// All shipped files.
pub fn sources() -> Vec<Source> {
    let source = |(role, name, text): (Role, &str, &str)| Source { name: name.into(), role, text: text.to_owned() };
    RULES.into_iter().chain(LISTS).map(source).collect()
}
