//! Patterns, as they are written in the policy, and the other single words in it.

use super::error::hint;
use crate::event::Role;
use crate::event::text::most_like;
use globset::{GlobBuilder, GlobMatcher};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Most bytes of a pattern.
const PATTERN_MAX: usize = 1024;
/// What begins a wildcard.
const WILDCARDS: [char; 3] = ['*', '?', '['];

/// What a text can be: `*` and `?` within a component, `**` for any number of components, `[ab]`. Case matters.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Box<str>,
    /// None, if it is a plain text: a matcher takes some kilobytes.
    matcher: Option<GlobMatcher>,
}

impl Pattern {
    /// Whether `text` is as the pattern says.
    pub fn matches(&self, text: &str) -> bool {
        match &self.matcher {
            // Most patterns fail by how they begin, and that costs next to nothing.
            Some(matcher) => text.starts_with(self.beginning()) && matcher.is_match(text),
            None => *self.text == *text,
        }
    }

    /// What is before its first wildcard.
    fn beginning(&self) -> &str {
        self.text.find(WILDCARDS).and_then(|at| self.text.get(..at)).unwrap_or_default()
    }

    /// Whether it is a plain text.
    pub fn is_plain(&self) -> bool {
        self.matcher.is_none()
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

/// Something in the policy that is written as one word.
pub(super) trait Word: Sized {
    /// What it is, for errors: `a pattern`.
    const WHAT: &'static str;

    /// Out of its text; the error says what is wrong with it, and the mend.
    fn word(text: &str) -> Result<Self, String>;
}

impl Word for Pattern {
    const WHAT: &'static str = "a pattern, in quotes if it is a number";

    fn word(text: &str) -> Result<Pattern, String> {
        let wrong = |problem: &str| Err(format!("the pattern `{}` {problem}", text.escape_debug()));
        if text.is_empty() {
            return wrong("is empty; take it out, or write `*` for anything");
        }
        if text.len() > PATTERN_MAX {
            return Err(format!("the pattern has {} bytes, more than {PATTERN_MAX}; shorten it by `*`", text.len()));
        }
        if text.chars().any(char::is_control) {
            return wrong("has a control character in it; take it out");
        }
        if text.contains(['{', '}']) {
            return wrong("has braces in it; write one pattern for each choice");
        }
        if !text.contains(WILDCARDS) {
            return Ok(Pattern { text: text.into(), matcher: None });
        }
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build();
        match glob {
            Ok(glob) => Ok(Pattern { text: text.into(), matcher: Some(glob.compile_matcher()) }),
            Err(error) => wrong(&format!("cannot be understood ({}); correct it", error.kind())),
        }
    }
}

/// The pattern of a path from the root on: what is not told from the root is anybody's choice.
#[derive(Clone, Debug)]
pub(super) struct PathPattern(pub Pattern);

impl Word for PathPattern {
    const WHAT: &'static str = "a pattern of a path that begins with `/`";

    fn word(text: &str) -> Result<PathPattern, String> {
        if !text.starts_with('/') {
            let text = text.escape_debug();
            return Err(format!(
                "the path `{text}` does not begin with `/`; write it from the root on, or `/**/{text}`"
            ));
        }
        Pattern::word(text).map(PathPattern)
    }
}

impl Word for Role {
    const WHAT: &'static str = "a role";

    fn word(text: &str) -> Result<Role, String> {
        one_of(text, "role", Role::ALL, Role::name)
    }
}

impl Word for super::Direction {
    const WHAT: &'static str = "a direction";

    fn word(text: &str) -> Result<super::Direction, String> {
        one_of(text, "direction", super::Direction::ALL, super::Direction::name)
    }
}

/// The one of `all` that is called so.
pub(super) fn one_of<T: Copy, const N: usize>(
    text: &str,
    what: &str,
    all: [T; N],
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    all.into_iter().find(|one| name(*one) == text).ok_or_else(|| {
        let nearest = hint(&most_like(text, all.map(name)));
        format!("`{}` is no {what}{nearest}; it is one of {}", text.escape_debug(), all.map(name).join(", "))
    })
}

/// A word in a place where only one may be. Its errors have the place of the word.
pub(super) struct One<T>(pub T);

/// One word, or a list of them.
pub(super) struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: Word> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<One<T>, D::Error> {
        deserializer.deserialize_any(Words(PhantomData)).map(One)
    }
}

impl<'de, T: Word> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OneOrMany<T>, D::Error> {
        deserializer.deserialize_any(Lists(PhantomData)).map(OneOrMany)
    }
}

struct Words<T>(PhantomData<T>);

impl<T: Word> Visitor<'_> for Words<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::word(text).map_err(E::custom)
    }
}

struct Lists<T>(PhantomData<T>);

impl<'de, T: Word> Visitor<'de> for Lists<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list of such", T::WHAT)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        T::word(text).map(|word| vec![word]).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut words = Vec::new();
        while let Some(One(word)) = items.next_element()? {
            words.push(word);
        }
        match words.is_empty() {
            true => Err(de::Error::custom("the list is empty, so that nothing could be in it; take its key out")),
            false => Ok(words),
        }
    }
}
