//! What `weir doctor` says of the container runtimes.

use super::client::Client;
use super::{Sockets, present};
use crate::kernel::probe::{Finding, State};
use std::path::Path;

/// Which runtimes answer. Takes some seconds at most.
pub fn finding(sockets: &Sockets) -> Finding {
    let found = |state, meaning, mend: Option<String>| Finding { name: "container runtimes", state, meaning, mend };
    let paths = present(sockets);
    if paths.is_empty() {
        let meaning = "no socket of a container runtime is there: containers go by their ids".to_owned();
        let mend = "where there are containers, mount their runtime's socket, or name it with --runtime-socket PATH";
        return found(State::Unused, meaning, Some(mend.to_owned()));
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let mend = "this is the system's refusal; try again".to_owned();
            return found(State::Degraded, format!("they cannot be asked ({error})"), Some(mend));
        }
    };
    let (mut answering, mut silent) = (Vec::new(), Vec::new());
    for path in &paths {
        match runtime.block_on(ask(path)) {
            Ok(line) => answering.push(line),
            Err(line) => silent.push(line),
        }
    }
    let meaning = match answering.as_slice() {
        [] => "none answers: containers go by their ids".to_owned(),
        answering => answering.join(", "),
    };
    if silent.is_empty() {
        found(State::Ok, meaning, None)
    } else {
        found(State::Degraded, meaning, Some(silent.join("; ")))
    }
}

async fn ask(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut client = Client::open(path).await.map_err(|unusable| format!("{shown}: {}", unusable.reason()))?;
    match client.list().await {
        Ok(list) => Ok(format!("{} answers at {shown} and has {} containers and pods", client.name(), list.len())),
        Err(error) => Err(format!("{shown}: {}", error.reason())),
    }
}
