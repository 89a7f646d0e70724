//! What `weir doctor` says of the API server.

#[cfg(feature = "kube")]
use super::client::{Client, Unusable};
use super::{KubeError, Settings};
use crate::kernel::probe::{Finding, State};

/// Whether it answers. Takes half a minute at most.
pub fn finding(settings: Result<Settings, KubeError>) -> Finding {
    let found = |state, meaning: String, mend| Finding { name: "API server", state, meaning, mend };
    match settings.map_err(|error| error.to_string()).and_then(|settings| answer(&settings)) {
        Ok(meaning) => found(State::Ok, meaning, None),
        Err(mend) => {
            let meaning = "it does not answer: pods go by what the container runtime says".to_owned();
            found(State::Degraded, meaning, Some(mend))
        }
    }
}

#[cfg(not(feature = "kube"))]
fn answer(_: &Settings) -> Result<String, String> {
    Err(KubeError::NotBuilt.to_string())
}

#[cfg(feature = "kube")]
fn answer(settings: &Settings) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| format!("it cannot be asked ({error}): this is the system's refusal; try again"))?;
    runtime.block_on(ask(settings)).map_err(|unusable| match unusable {
        Unusable::Away(reason) => reason,
        Unusable::Gone => "it has just forgotten what it told: try again".to_owned(),
    })
}

#[cfg(feature = "kube")]
async fn ask(settings: &Settings) -> Result<String, Unusable> {
    let client = Client::open(settings).await?;
    let (pods, version) = client.list().await?;
    // Whether it may be watched is another right.
    client.watch(version).await?;
    Ok(format!("{} answers and has {} pods on node {}", client.server, pods.len(), settings.node))
}
