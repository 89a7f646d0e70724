//! The ledger's sums of an event, out of fields.

use super::build::{list, number, text};
use crate::event::{Body, DestinationSums, Egress, Exfil, Field};
use yaml_serde::Value;

/// Whether events like it can say what the workload holds.
pub(super) fn holds(body: &Body) -> bool {
    matches!(
        body,
        Body::Flow(_)
            | Body::Connect(_)
            | Body::Egress(_)
            | Body::Socket(_)
            | Body::Open(_)
            | Body::Dns(_)
            | Body::Exec(_)
            | Body::Transfer(_)
            | Body::ProcessAccess(_)
    )
}

/// Sums of which every field can be had.
pub(super) fn full() -> Box<Egress> {
    let exfil = Exfil { largest: 1, sources: ["/x".into()].into(), ..Exfil::default() };
    let destination = DestinationSums {
        id: "x".into(),
        declared: true,
        usual_day_bytes: Some(1),
        budget_day_bytes: Some(1),
        ..DestinationSums::default()
    };
    Box::new(Egress { exfil: Some(exfil), destination })
}

/// Sets a field; `false` if it is none of these. What follows from others is left; the caller compares.
pub(super) fn set(field: Field, value: &Value, egress: &mut Egress) -> bool {
    let Egress { exfil, destination } = egress;
    let flag = value.as_bool() == Some(true);
    match field {
        Field::DestinationId => destination.id = text(value).into(),
        Field::DestinationDeclared => destination.declared = flag,
        Field::DestinationPublic => destination.public = flag,
        Field::DestinationFirst => destination.first = flag,
        Field::DestinationBytes => destination.bytes = number(value),
        Field::DestinationDayBytes => destination.day_bytes = number(value),
        Field::DestinationUsualDayBytes => destination.usual_day_bytes = Some(number(value)),
        Field::DestinationBudgetDayBytes => destination.budget_day_bytes = Some(number(value)),
        Field::DestinationAcceptedDayBytes => destination.accepted_day_bytes = number(value),
        // They follow from others.
        Field::DestinationOverBudget => {}
        Field::DestinationAcceptedFraction | Field::ExfilFraction => drop(exfil.get_or_insert_default()),
        _ => {
            let exfil = match field {
                Field::ExfilBytes
                | Field::ExfilBurstBytes
                | Field::ExfilDayBytes
                | Field::ExfilAcceptedBytes
                | Field::ExfilSources => exfil.get_or_insert_default(),
                _ => return false,
            };
            match field {
                Field::ExfilBytes => exfil.bytes = number(value),
                Field::ExfilBurstBytes => exfil.burst_bytes = number(value),
                Field::ExfilDayBytes => exfil.day_bytes = number(value),
                Field::ExfilAcceptedBytes => exfil.accepted_bytes = number(value),
                _ => exfil.sources = list(value).into_iter().map(Box::from).collect(),
            }
        }
    }
    true
}
