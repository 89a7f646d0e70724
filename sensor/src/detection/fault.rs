//! What can be wrong with a rule set: each one sentence that names the thing and the mend, with its place.

pub(super) use crate::event::text::most_like;
pub use crate::place::Place;
use std::fmt;

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what to do about it.
    pub fault: Fault,
}

/// A rule set that cannot be used, with everything that is wrong with it, in the order of its files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RulesError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One problem a line.
impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// What is wrong, and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file or directory could not be read.
    #[error("it cannot be read ({0}); check that it exists and that this user may read it")]
    Unreadable(String),
    /// The file is beyond the limit.
    #[error("it has {bytes} bytes, more than the {limit} that a rule file may have; split it")]
    TooLarge {
        /// What it has.
        bytes: u64,
        /// What it may have.
        limit: u64,
    },
    /// The files of a directory are beyond the limit together.
    #[error("with it the files have more than {0} bytes together; give a directory that holds rules only")]
    TooLargeTogether(u64),
    /// There are more files than may be.
    #[error(
        "there are more than {0} files or 8 levels of directories; give a directory that holds rules only, without links in circles"
    )]
    TooMany(usize),
    /// The bytes are not text.
    #[error("this is not UTF-8 (byte {offset} of the file); save the file as UTF-8")]
    NotUtf8 {
        /// From the start of the file, from 0.
        offset: usize,
    },
    /// Not YAML.
    #[error("this is not YAML: {0}; mend the indentation, quotes or brackets here")]
    Yaml(String),
    /// Not a mapping.
    #[error("a rule must be a YAML mapping; start it with `title:`, or take this document out")]
    NotMapping,
    /// Sigma's old way to make several rules of one.
    #[error("`action:` makes several rules of one, which Sigma 2 no longer has; write each rule in full")]
    Action,
    /// A key that nobody reads.
    #[error("nothing reads the key `{key}` in {inside}{}; correct it or take it out", hint(.nearest))]
    UnknownKey {
        /// As written.
        key: String,
        /// The mapping that it is in.
        inside: &'static str,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A key is missing.
    #[error("the rule has no `{key}`; {mend}")]
    MissingKey {
        /// Which.
        key: &'static str,
        /// What to write.
        mend: &'static str,
    },
    /// The value of a key cannot be used.
    #[error("`{key}: {value}` cannot be used; {mend}")]
    InvalidValue {
        /// Which key.
        key: String,
        /// As written.
        value: String,
        /// What is expected.
        mend: String,
    },
    /// Two rules with one id.
    #[error("the id {id} is already that of {other}; give one of the two a new UUID")]
    DuplicateId {
        /// The id.
        id: String,
        /// Where the other one is.
        other: Place,
    },
    /// Two rules, or two lists, with one name.
    #[error("the name `{name}` is already that of {other}, so that rules cannot tell them apart; rename one")]
    DuplicateName {
        /// The name.
        name: String,
        /// Where the other one is.
        other: Place,
    },
    /// A log source that Weir does not fill.
    #[error("no events come from the log source `{key}: {value}`{}; {mend}", hint(.nearest))]
    LogSource {
        /// `category`, `product` or `service`.
        key: &'static str,
        /// As written.
        value: String,
        /// The known one that is most like it.
        nearest: Option<String>,
        /// What to write.
        mend: String,
    },
    /// A field that no event has.
    #[error("no event has the field `{name}`{}; docs/fields.md lists all of them", hint(.nearest))]
    UnknownField {
        /// As written.
        name: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// A field that these events never have.
    #[error(
        "events of `{category}` never have the field `{field}`, so this can never match; use another field or log source"
    )]
    FieldNotCarried {
        /// The field.
        field: &'static str,
        /// The log source's category.
        category: &'static str,
    },
    /// A value that the field never has.
    #[error("`{field}` is never `{value}`{}; it is one of: {known}", hint(.nearest))]
    UnknownValue {
        /// The field.
        field: &'static str,
        /// As written.
        value: String,
        /// The known one that is most like it.
        nearest: Option<String>,
        /// What it can be.
        known: String,
    },
    /// A modifier that Sigma does not have.
    #[error("Sigma has no modifier `{name}`{}; negation belongs into the condition", hint(.nearest))]
    UnknownModifier {
        /// As written.
        name: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// The condition cannot be parsed.
    #[error(
        "the condition cannot be understood: {0}; write names of the detection joined by and, or, not, or `1 of NAME_*`"
    )]
    Condition(String),
    /// The condition names nothing.
    #[error("the condition names `{name}`, which the detection does not define{}; define it or correct the name", hint(.nearest))]
    UnknownSelection {
        /// As written; a pattern may have a star.
        name: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// Sigma has it, Weir not.
    #[error("{what} cannot be used: {instead}")]
    Unsupported {
        /// What.
        what: String,
        /// Why, or what to write instead.
        instead: &'static str,
    },
    /// rsigma cannot compile it.
    #[error("the detection cannot be used: {0}; correct the value or its modifiers")]
    Detection(String),
    /// Not a network.
    #[error("`{0}` is not a network in CIDR notation; write one like 10.0.0.0/8 or fd00::/8")]
    NotNetwork(String),
    /// Not an entry of the declared destinations.
    #[error("`{value}` {reason}")]
    NotDestination {
        /// As written.
        value: String,
        /// What is wrong with it, and the mend.
        reason: crate::policy::EntryError,
    },
    /// A list that does not exist.
    #[error("there is no list `{name}`{}; put its values, one a line, into lists/{name}.txt beside the rules", hint(.nearest))]
    UnknownList {
        /// As written, without the percent signs.
        name: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// A list without values.
    #[error(
        "the list `{0}` is empty, so that a rule with it could never match; put a value into it, or take it out of the rule"
    )]
    EmptyList(String),
    /// A value with `|expand` that is not one placeholder.
    #[error("`{0}` has more than one placeholder; write one `%list%` a value")]
    Placeholder(String),
    /// A correlation or filter on a rule that does not exist.
    #[error("there is no rule with the name or id `{name}`{}; correct it, or load that rule too", hint(.nearest))]
    UnknownRule {
        /// As written.
        name: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// The sentence's template cannot be used.
    #[error("the sentence cannot be used: {0}")]
    Template(String),
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
