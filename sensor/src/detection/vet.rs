//! What the parser and the engine accept in silence although it can never do what its author meant.

pub mod condition;
mod values;

use super::document::Document;
use super::fault::{Fault, Place, Problem, most_like};
use super::taxonomy::{self, Meaning};
use super::{Category, example};
use crate::event::{Access, Class, DeclaredAs, Declares, Field, FlowReason, Role, WorkloadKind};
use ipnet::IpNet;
use rsigma_parser::{Detection, DetectionItem, Detections, LogSource, Modifier, SigmaValue};

/// The field of that name, ours or Sigma's.
pub fn field(name: &str) -> Result<Field, Fault> {
    match meaning(name, None)? {
        Meaning::Field(field) | Meaning::Values(field, _) => Ok(field),
        Meaning::Unsupported(why) => Err(Fault::SigmaField { name: name.to_owned(), why }),
    }
}

/// What a name, ours or Sigma's, means in events of `category`.
fn meaning(name: &str, category: Option<Category>) -> Result<Meaning, Fault> {
    let ours = Field::from_name(name).map(Meaning::Field);
    ours.or_else(|| taxonomy::meaning(name, category)).ok_or_else(|| Fault::UnknownField {
        name: name.to_owned(),
        nearest: most_like(name, Field::ALL.iter().map(|field| field.name()).chain(taxonomy::names())),
    })
}

/// Categories of Sigma's that Weir has no events of: not misspelt, whatever they look like.
const SIGMA_CATEGORIES: [&str; 17] = [
    "antivirus",
    "application",
    "create_remote_thread",
    "create_stream_hash",
    "dns",
    "file_block",
    "file_executable_detected",
    "firewall",
    "image_load",
    "pipe_created",
    "process_tampering",
    "process_termination",
    "proxy",
    "raw_access_thread",
    "registry_set",
    "webserver",
    "wmi_event",
];

/// The category that a log source means.
pub fn category(logsource: &LogSource) -> Result<Category, Fault> {
    const KNOWN: &str = "write one of process_creation, file_access, file_event, network_connection, network_flow";
    let refuse = |key, value: &str, nearest, mend: &str| {
        Err(Fault::LogSource { key, value: value.to_owned(), nearest, mend: mend.to_owned() })
    };
    if let Some(product) = &logsource.product
        && !product.eq_ignore_ascii_case("linux")
    {
        return refuse("product", product, None, "Weir's events are those of `product: linux`");
    }
    if let Some(service) = &logsource.service {
        return refuse("service", service, None, "Weir reads the kernel and no service's log; use a category instead");
    }
    match &logsource.category {
        None => Err(Fault::MissingKey { key: "logsource.category", mend: KNOWN }),
        Some(name) => match Category::from_name(name) {
            Some(category) => Ok(category),
            None => {
                let others = SIGMA_CATEGORIES.iter().any(|other| other.eq_ignore_ascii_case(name));
                let nearest = if others { None } else { most_like(name, Category::ALL.map(Category::name)) };
                refuse("category", name, nearest, KNOWN)
            }
        },
    }
}

/// `T1048`, `T1048.003`: a letter T, four digits and, in a sub-technique, a dot and three more.
pub fn is_technique(id: &str, digits: usize) -> bool {
    let number = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    match id.strip_prefix(['T', 't']).map(|id| id.split_once('.').unwrap_or((id, "000"))) {
        Some((technique, sub)) => number(technique, digits) && number(sub, 3),
        None => false,
    }
}

/// Everything about `detections` that would silently never, or always, match on events of `category`; of any category if
/// `None`.
pub fn detections(
    detections: &Detections,
    category: Option<Category>,
    document: &Document<'_>,
    problems: &mut Vec<Problem>,
) {
    if detections.timeframe.is_some() {
        let instead = "it has no effect on a single event; write a correlation with a `timespan`";
        let fault = Fault::Unsupported { what: "`timeframe` in a detection".to_owned(), instead };
        problems.push(Problem { place: document.key("timeframe"), fault });
    }
    let mut named: Vec<_> = detections.named.iter().collect();
    named.sort_by_key(|(name, _)| document.key(name));
    for (name, detection) in &named {
        if values::is_empty(detection) {
            problems.push(Problem { place: document.key(name), fault: Fault::EmptySelection((*name).clone()) });
        }
        self::detection(detection, category, document, problems);
    }
    for expression in &detections.conditions {
        condition::names(expression, detections, document, problems);
    }
}

fn detection(detection: &Detection, category: Option<Category>, document: &Document<'_>, problems: &mut Vec<Problem>) {
    match detection {
        Detection::AllOf(items) => {
            for item in items {
                self::item(item, category, document, problems);
            }
        }
        Detection::AnyOf(parts) | Detection::And(parts) => {
            for part in parts {
                self::detection(part, category, document, problems);
            }
        }
        Detection::Keywords(_) => {}
        Detection::ArrayMatch { field, .. } => {
            let what = format!("a block on the elements of `{field}`");
            let instead = "lists hold texts here, and a plain `field: value` matches if any element does";
            problems.push(Problem { place: document.text(field), fault: Fault::Unsupported { what, instead } });
        }
        Detection::Conditional { named, .. } => {
            for part in named.values() {
                self::detection(part, category, document, problems);
            }
        }
    }
}

fn item(item: &DetectionItem, category: Option<Category>, document: &Document<'_>, problems: &mut Vec<Problem>) {
    let Some(name) = &item.field.name else { return };
    let mut push = |place: Place, fault| {
        let problem = Problem { place, fault };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    };
    let (found, values) = match meaning(name, category) {
        Ok(Meaning::Field(field)) => (field, None),
        Ok(Meaning::Values(field, values)) => (field, Some(values)),
        Ok(Meaning::Unsupported(why)) => {
            return push(document.key(name), Fault::SigmaField { name: name.clone(), why });
        }
        Err(fault) => return push(document.key(name), fault),
    };
    if let Some((place, fault)) = values::mistake(item, name, found, document) {
        push(place, fault);
    }
    if let Some(values) = values {
        let plain = item.field.modifiers.iter().all(|m| matches!(m, Modifier::All | Modifier::Cased | Modifier::Neq));
        for value in item.values.iter().filter(|value| !plain || values.translate(value).is_none()) {
            let shown = values::shown(value);
            let what = format!("`{name}: {shown}`");
            push(document.text(&shown), Fault::Unsupported { what, instead: values.others });
        }
    }
    if let Some(category) = category
        && !example::carries(category, found)
    {
        push(document.key(name), Fault::FieldNotCarried { field: found.name(), category: category.name() });
    }
    let plain = |value: &SigmaValue| match value {
        SigmaValue::String(text) => text.as_plain(),
        _ => None,
    };
    if item.field.has_modifier(Modifier::FieldRef) {
        for reference in item.values.iter().filter_map(plain) {
            if let Err(fault) = field(&reference) {
                push(document.text(&reference), fault);
            }
        }
    } else if item.field.has_modifier(Modifier::Cidr) && !item.field.has_modifier(Modifier::Expand) {
        for value in item.values.iter().filter_map(plain).filter(|value| value.parse::<IpNet>().is_err()) {
            push(document.text(&value), Fault::NotNetwork(value));
        }
    } else if item
        .field
        .modifiers
        .iter()
        .all(|modifier| matches!(modifier, Modifier::All | Modifier::Cased | Modifier::Neq))
        && values.is_none()
        && let Some(known) = values_of(found)
    {
        for value in item.values.iter().filter_map(plain) {
            if !known.iter().any(|name| name.eq_ignore_ascii_case(&value)) {
                let nearest = most_like(&value, known.iter().copied());
                let place = document.text(&value);
                push(place, Fault::UnknownValue { field: found.name(), value, nearest, known: known.join(", ") });
            }
        }
    }
}

/// What a field can be, where that is a closed set.
fn values_of(field: Field) -> Option<Vec<&'static str>> {
    use crate::event::{Access::*, FlowReason::*, WorkloadKind::*};
    Some(match field {
        Field::FileClass => Class::ALL.map(Class::name).to_vec(),
        Field::FileAccess => [Read, Write, ReadWrite, Access::None].map(Access::name).to_vec(),
        Field::FlowReason => [First, Grown, Closed].map(FlowReason::name).to_vec(),
        Field::WorkloadRole => Role::ALL.map(Role::name).to_vec(),
        Field::WorkloadDeclares => Declares::NAMES.to_vec(),
        Field::ProcessDeclared => DeclaredAs::NAMES.to_vec(),
        Field::WorkloadKind => [Container, SlurmJob, SystemdUnit, Host].map(WorkloadKind::name).to_vec(),
        Field::NetworkType => vec!["ipv4", "ipv6"],
        _ => return Option::None,
    })
}
