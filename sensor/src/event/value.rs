//! The value of a field.

use std::borrow::Cow;

/// What a field holds; borrowed from its event where it can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text. Written by whoever caused the event: escape it per output.
    Text(Cow<'a, str>),
    /// A whole number.
    Number(u64),
    /// A share or a ratio.
    Ratio(f64),
    /// Yes or no.
    Flag(bool),
    /// Several texts, in order.
    List(Vec<Cow<'a, str>>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::Number(u64::from(number))
    }
}

impl From<u16> for Value<'_> {
    fn from(number: u16) -> Self {
        Value::Number(u64::from(number))
    }
}
