//! What the agent has from its start on, each as the settings say.

use super::status::{self, Control};
use super::{AgentError, Settings};
use crate::delivery::outbox::Outbox;
use crate::detection::RuleSet;
use crate::event::WallClock;
use crate::evidence::recording::{self, Recorder};
use crate::line::Limits;
use crate::policy::Policy;
use crate::provenance::ClassTable;

/// What keeps and sends alerts, if there is a collector. Without a place to keep them they are not sent: they could be lost.
pub fn outbox(settings: &Settings) -> Result<Option<Outbox>, AgentError> {
    if settings.otlp.is_empty() {
        return Ok(None);
    }
    let directory = settings.state.as_deref().ok_or(AgentError::NoSpool)?.join("spool");
    Ok(Some(Outbox::open(&directory, settings.spool, &settings.otlp, settings.export_events)?))
}

/// The socket for `weir status`. Where what is kept cannot be used, which was said, or is another sensor's, there is none in it.
pub fn control(settings: &Settings, kept: bool) -> Control {
    match (&settings.control, &settings.state) {
        (Some(path), _) => Control::at(path.clone()),
        (None, Some(state)) if kept => Control::at(status::path_in(state)),
        _ => Control::nowhere(),
    }
}

/// What a replay needs to know.
pub fn header(rules: &RuleSet, policy: &Policy, classes: &ClassTable, clock: WallClock) -> recording::Header {
    recording::Header {
        format: recording::VERSION,
        sensor: env!("CARGO_PKG_VERSION").into(),
        clock,
        rules: (&**rules.digest()).into(),
        policy: policy.digest().map(|digest| (**digest).into()),
        classes: classes.version().into(),
        limits: Limits::default().into(),
    }
}

/// The recording, if one is asked for.
pub fn recorder(settings: &Settings, header: recording::Header) -> Result<Option<Recorder>, AgentError> {
    let Some(path) = &settings.record else { return Ok(None) };
    let recorder = Recorder::create(path, header);
    recorder.map(Some).map_err(|source| AgentError::Record { path: path.clone(), source })
}
