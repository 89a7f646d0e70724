//! The shipped rules and lists, as they are in `rules/`. A test fails if one of the files there is missing here.

use super::source::{Role, Source};

macro_rules! shipped {
    ($role:expr, $($path:literal),* $(,)?) => {
        [$(($role, concat!("weir:", $path), include_str!(concat!("../../../rules/", $path)))),*]
    };
}

const RULES: [(Role, &str, &str); 41] = shipped!(
    Role::Rules,
    "artefacts_changed.yml",
    "artefacts_removed.yml",
    "artefacts_replaced.yml",
    "credentials_read.yml",
    "credentials_sent.yml",
    "credentials_stolen.yml",
    "data_poisoning.yml",
    "data_theft.yml",
    "discovery.yml",
    "dns_tunnel.yml",
    "egress_answers.yml",
    "egress_budget.yml",
    "egress_disguised.yml",
    "egress_first_destination.yml",
    "escape.yml",
    "exec_from_memory.yml",
    "exec_from_temporary.yml",
    "floods.yml",
    "interpreter_children.yml",
    "listening.yml",
    "memory_access.yml",
    "mining.yml",
    "model_server_shell.yml",
    "model_theft.yml",
    "notebooks.yml",
    "package_installed.yml",
    "persistence.yml",
    "reverse_shell.yml",
    "roles.yml",
    "sensor_reached.yml",
    "sensor_stop_asked.yml",
    "sensor_tampering.yml",
    "setuid_started.yml",
    "shell_over_socket.yml",
    "shells_entered.yml",
    "staging.yml",
    "traces_removed.yml",
    "tunnels.yml",
    "uncounted_path.yml",
    "uploads.yml",
    "weights_opened.yml",
);

const LISTS: [(Role, &str, &str); 18] = shipped!(
    Role::List,
    "lists/container_runtimes.txt",
    "lists/credential_readers.txt",
    "lists/debuggers.txt",
    "lists/declared_destinations.txt",
    "lists/drop_domains.txt",
    "lists/gpu_users.txt",
    "lists/local_domains.txt",
    "lists/miners.txt",
    "lists/mining_domains.txt",
    "lists/model_loaders.txt",
    "lists/model_servers.txt",
    "lists/network_tools.txt",
    "lists/package_installers.txt",
    "lists/resolvers.txt",
    "lists/shells.txt",
    "lists/tunnel_domains.txt",
    "lists/tunnel_tools.txt",
    "lists/upload_tools.txt",
);

/// All shipped files.
pub fn sources() -> Vec<Source> {
    let source = |(role, name, text): (Role, &str, &str)| Source { name: name.into(), role, text: text.to_owned() };
    RULES.into_iter().chain(LISTS).map(source).collect()
}
