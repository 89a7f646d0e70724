//! The agent's part in keeping evidence: where, and what was told.

use super::Settings;
use crate::alert::Notice;
use crate::evidence::recording::Header;
use crate::evidence::source::ToldKind;
use crate::evidence::store::Store;
use std::io;

/// The store of evidence, if one is wanted. One in the state directory goes with that: where it cannot be used, which was said, or is
/// another sensor's (`kept` is false), there is none. `goes_on`: nothing was missed since the sensor before this one ended.
///
/// # Errors
/// No thread can be started.
pub fn open(settings: &Settings, kept: bool, goes_on: bool, header: Header) -> io::Result<Option<Store>> {
    let Some(own) = &settings.evidence else { return Ok(None) };
    let in_state = settings.state.as_ref().is_some_and(|state| own.directory.starts_with(state));
    if in_state && !kept {
        return Ok(None);
    }
    let mut store = Store::open(own.clone(), header)?;
    if goes_on {
        store.goes_on();
    }
    Ok(Some(store))
}

/// Keeps what is told.
pub fn keep(store: &mut Store, notices: &[Notice]) {
    for notice in notices {
        match notice {
            Notice::Alert(alert) => store.told(ToldKind::Alert, alert.time, |clock| alert.to_json(clock)),
            Notice::Incident(incident) => {
                // Names for keys and plain values: it cannot fail.
                let record = |clock| serde_json::to_value(incident.record(clock)).unwrap_or_default();
                store.told(ToldKind::Incident, incident.time, record);
            }
            // What it says is the runtime's answer, which is kept as the event that it is.
            Notice::Enrichment(_) => {}
        }
    }
}
