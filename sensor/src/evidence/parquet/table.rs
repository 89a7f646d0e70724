//! The tables, and the columns of each: the schema that is promised (`docs/evidence.md`).

use super::columns;
use crate::event::Field;
use ::parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::errors::Result;
use ::parquet::schema::types::{Type, TypePtr};
use std::sync::Arc;

/// The version of the schema, in each file's metadata as `weir.schema`. Columns are added under the same version; what a column means
/// does not change under it.
pub const VERSION: u32 = 1;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// INT64, TIMESTAMP (nanoseconds, UTC).
    Time,
    /// INT64.
    Number,
    /// DOUBLE.
    Ratio,
    /// BOOLEAN.
    Flag,
    /// BYTE_ARRAY, STRING.
    Text,
    /// BYTE_ARRAY, JSON.
    Json,
    /// LIST of STRING.
    List,
}

impl Kind {
    /// As the docs call it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Time => "TIMESTAMP",
            Kind::Number => "INT64",
            Kind::Ratio => "DOUBLE",
            Kind::Flag => "BOOLEAN",
            Kind::Text => "STRING",
            Kind::Json => "JSON",
            Kind::List => "LIST of STRING",
        }
    }
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Every row has it.
    pub required: bool,
    /// What it says, for the docs.
    pub says: &'static str,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// What was seen.
    Events,
    /// What was told of it, one row a revision.
    Alerts,
    /// The same of incidents.
    Incidents,
    /// What was watched in an interval, and what was not.
    Coverage,
    /// What is missing.
    Gaps,
}

const HOST: Column = has("host.name", Kind::Text, "The machine.");
const SEGMENT: Column =
    has("weir.segment", Kind::Number, "The segment of its store; without a gap, or segments are missing.");
const UID: Column = can("log.record.uid", Kind::Text, "The same each time that the same is told.");
const INCIDENT: Column = can("weir.incident.id", Kind::Text, "The incident that it is, or is part of.");
const LEVEL: Column = can("weir.incident.level", Kind::Text, "How bad that is.");
const SEVERITY: Column = can("severity_text", Kind::Text, "OpenTelemetry's severity.");
const BODY: Column = can("body", Kind::Text, "What it says, one sentence.");
const RECORD: Column = has("record", Kind::Json, "All of it, as `weir run --format json` prints it.");

const ALERTS: &[Column] = &[
    has("time", Kind::Time, "When what decided it happened."),
    HOST,
    SEGMENT,
    UID,
    can("weir.alert.uid", Kind::Text, "The same for all revisions of an alert."),
    can("weir.alert.revision", Kind::Number, "The last one tells what the others do."),
    INCIDENT,
    LEVEL,
    SEVERITY,
    BODY,
    can("security_rule.uuid", Kind::Text, "The rule's id."),
    can("security_rule.name", Kind::Text, "Its title."),
    can("security_rule.version", Kind::Text, "The version of the rule set."),
    can("weir.rule.name", Kind::Text, "Its name."),
    can("weir.rule.level", Kind::Text, "Its level."),
    can("weir.attack.ids", Kind::List, "Techniques of ATT&CK."),
    can("weir.atlas.ids", Kind::List, "Techniques of ATLAS."),
    can("weir.workload.id", Kind::Text, "Whose it is."),
    can("container.id", Kind::Text, "The container."),
    can("container.image.name", Kind::Text, "Its image."),
    can("k8s.namespace.name", Kind::Text, "The pod's namespace."),
    can("k8s.pod.name", Kind::Text, "The pod."),
    can("weir.process.id", Kind::Text, "The process."),
    can("process.executable.path", Kind::Text, "Its program."),
    can("file.path", Kind::Text, "The file that it is about."),
    can("weir.destination.id", Kind::Text, "The destination that it is about."),
    can("network.peer.address", Kind::Text, "Its address."),
    can("weir.exfil.bytes", Kind::Number, "Bytes sent to undeclared destinations by then."),
    RECORD,
];

const INCIDENTS: &[Column] = &[
    has("time", Kind::Time, "When it last grew."),
    HOST,
    SEGMENT,
    UID,
    INCIDENT,
    can("weir.incident.revision", Kind::Number, "The last one tells what the others do."),
    LEVEL,
    SEVERITY,
    BODY,
    can("weir.incident.alerts", Kind::Number, "Alerts in it."),
    can("weir.incident.bytes", Kind::Number, "Bytes that left in it."),
    can("weir.incident.rules", Kind::List, "Names of their rules."),
    can("weir.incident.workloads", Kind::List, "Whose they are."),
    can("weir.incident.sources", Kind::List, "The files that it began with."),
    can("weir.incident.processes", Kind::List, "The processes."),
    can("weir.incident.destinations", Kind::List, "Where it went."),
    RECORD,
];

const COVERAGE: &[Column] = &[
    has("time", Kind::Time, "When the interval ended."),
    HOST,
    SEGMENT,
    UID,
    SEVERITY,
    BODY,
    can("service.instance.id", Kind::Text, "The run of the sensor."),
    can("weir.coverage.sequence", Kind::Number, "Rises by one within a run."),
    can("weir.coverage.occasion", Kind::Text, "Why it was made."),
    can("weir.coverage.interval", Kind::Number, "Seconds that one is to be."),
    can("weir.coverage.whole", Kind::Flag, "All was watched, nothing was lost, the canary came out."),
    can("weir.coverage.seen", Kind::Number, "Events that hooks saw."),
    can("weir.coverage.sent", Kind::Number, "Of these, sent to the agent."),
    can("weir.coverage.filtered", Kind::Number, "Of these, nobody's business."),
    can("weir.coverage.dropped", Kind::Number, "Of these, lost."),
    can("weir.coverage.evicted", Kind::Number, "Rows of tables that were forgotten for want of room."),
    can("weir.coverage.tampered", Kind::Flag, "Somebody changed the sensor's own programs or tables."),
    RECORD,
];

const GAPS: &[Column] = &[
    has("from", Kind::Time, "From when on something can be missing."),
    has("to", Kind::Time, "Until when. Partitions (`date`) go by this: it is when it was known."),
    HOST,
    SEGMENT,
    has("place", Kind::Text, "Where it was lost: `kernel`, `store`, `sensor` (no sensor ran)."),
    has("cause", Kind::Text, "Why."),
    can("weir.event.kind", Kind::Text, "The kind of event; absent: any."),
    can("count", Kind::Number, "How many; absent: not known."),
];

impl Table {
    /// Every one.
    pub const ALL: [Table; 5] = [Table::Events, Table::Alerts, Table::Incidents, Table::Coverage, Table::Gaps];

    /// Its directory.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Events => "events",
            Table::Alerts => "alerts",
            Table::Incidents => "incidents",
            Table::Coverage => "coverage",
            Table::Gaps => "gaps",
        }
    }

    /// Its columns, in order.
    pub fn columns(self) -> Vec<Column> {
        match self {
            Table::Events => events(),
            Table::Alerts => ALERTS.to_vec(),
            Table::Incidents => INCIDENTS.to_vec(),
            Table::Coverage => COVERAGE.to_vec(),
            Table::Gaps => GAPS.to_vec(),
        }
    }

    /// They, as Parquet has them.
    ///
    /// # Errors
    /// The library's, if two are called the same.
    pub fn schema(self) -> Result<TypePtr> {
        let fields = self.columns().iter().map(Column::parquet).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Type::group_type_builder(self.name()).with_fields(fields).build()?))
    }
}

/// Columns of `events` that are no field.
pub const ATTRIBUTES: Column =
    can("attributes", Kind::Json, "What fits in no column: fields of a later Weir, numbers from 2^63 on.");

/// The time, whose and which segment's it is; every field of the vocabulary that does not follow from others; and what is left.
fn events() -> Vec<Column> {
    let time = has("time", Kind::Time, "When it happened; no two of a store have the same.");
    let own = [time, HOST, SEGMENT];
    let field = |field: Field| can(field.name(), columns::kind(field), field.doc());
    own.into_iter().chain(columns::fields().map(field)).chain([ATTRIBUTES]).collect()
}

const fn has(name: &'static str, kind: Kind, says: &'static str) -> Column {
    Column { name, kind, required: true, says }
}

const fn can(name: &'static str, kind: Kind, says: &'static str) -> Column {
    Column { name, kind, required: false, says }
}

impl Column {
    fn parquet(&self) -> Result<TypePtr> {
        let repetition = if self.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let primitive = |name: &str, physical, logical: Option<LogicalType>, repetition| -> Result<TypePtr> {
            let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
            Ok(Arc::new(builder.with_logical_type(logical).build()?))
        };
        let (physical, logical) = match self.kind {
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
            Kind::Number => (Physical::INT64, None),
            Kind::Ratio => (Physical::DOUBLE, None),
            Kind::Flag => (Physical::BOOLEAN, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
            Kind::List => {
                // The three levels that the format asks for (LogicalTypes.md, "Lists").
                let text = Some(LogicalType::String);
                let element = primitive("element", Physical::BYTE_ARRAY, text, Repetition::REQUIRED)?;
                let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED);
                let list = Arc::new(list.with_fields(vec![element]).build()?);
                let whole = Type::group_type_builder(self.name).with_repetition(repetition);
                let whole = whole.with_logical_type(Some(LogicalType::List)).with_fields(vec![list]);
                return Ok(Arc::new(whole.build()?));
            }
        };
        primitive(self.name, physical, logical, repetition)
    }
}
