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
    /// A field of Sigma's that Weir has nothing for.
    #[error("Sigma's field `{name}` has no like here: {why}")]
    SigmaField {
        /// As written.
        name: String,
        /// Why, and what to write instead if there is something.
        why: &'static str,
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
    /// The condition has more in it than can be parsed safely.
    #[error("the condition has {what}, more than the {limit} that it may have; give its parts names of their own")]
    ConditionTooDeep {
        /// Of what it has so many.
        what: String,
        /// What it may have.
        limit: usize,
    },
    /// A regular expression that cannot be used.
    #[error(
        "the regular expression cannot be used: {0}; correct it (its syntax is that of Rust's regex crate: no look-around, no back-references)"
    )]
    Expression(String),
    /// A regular expression that would take too much memory.
    #[error(
        "the regular expression goes beyond the size limit of {0} KiB when it is made ready; make its repetitions smaller"
    )]
    ExpressionTooLarge(usize),
    /// A list of values without a value.
    #[error("`{0}` has no value, so that it never matches; write one, or take it out")]
    NoValue(String),
    /// An empty text, that every value starts with, ends with and contains.
    #[error("`{0}` with an empty text matches always; write a text, or take it out")]
    EmptyValue(String),
    /// A value with more wildcards than are worth an expression.
    #[error("a value has {have} wildcards, more than the {limit} that it may have; make several values of it")]
    TooManyWildcards {
        /// What it has.
        have: usize,
        /// What it may have.
        limit: usize,
    },
    /// `|exists` with something else than yes or no.
    #[error("`{0}` says neither true nor false; write one of them")]
    NotFlag(String),
    /// A network for a field that is no address.
    #[error(
        "`{0}` is no address, so that no network matches it; take `|cidr` out, or name a field like network.peer.address"
    )]
    NotAddress(String),
    /// A selection without anything in it.
    #[error("the selection `{0}` is empty; write a field and a value into it, or take it out")]
    EmptySelection(String),
    /// `|expand` on values without a placeholder.
    #[error("`{0}` is no placeholder; write the list's name between percent signs, `%name%`, or leave `|expand` out")]
    NoPlaceholder(String),
    /// A placeholder without `|expand`.
    #[error("`%{0}%` is taken as it is written, although there is a list of that name; add `|expand` to the field")]
    NotExpanded(String),
    /// A filter that no rule is affected by.
    #[error("the filter never applies to `{rule}`, whose log source is another; correct `logsource` or `rules`")]
    FilterApart {
        /// The rule that it names.
        rule: String,
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

impl Fault {
    /// Whether nothing is wrong with the rule, but that it asks for what Weir does not have: another log source, another product's
    /// field, a part of Sigma that is not done. A name that looks like a misspelt one of ours is a mistake.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Fault::LogSource { nearest, .. } | Fault::UnknownField { nearest, .. } => nearest.is_none(),
            Fault::MissingKey { key, .. } => *key == "logsource.category",
            Fault::SigmaField { .. } | Fault::FieldNotCarried { .. } | Fault::Unsupported { .. } => true,
            _ => false,
        }
    }
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
