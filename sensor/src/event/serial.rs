//! How parts that serde does not know are written: what is shared with the kernel side by its name, bytes in hexadecimal.
//!
//! For `#[serde(with = "serial")]`. Names, so that a number that comes to mean something else changes no recording, and one that
//! nobody knows is an error that says so.

use sensor_common::label::{Carrier, Direction};
use sensor_common::record::{AccessHow, BpfObject, DnsDirection, FlowReason, Hook, MountHow, NamespaceHow, Stream};
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// One of a few, each of which has a name.
pub trait Named: Copy + 'static {
    /// What one of them is called in an error.
    const WHAT: &'static str;
    /// Every one.
    const EVERY: &'static [Self];
    /// Its name.
    fn named(self) -> &'static str;
}

/// Declares what is [`Named`].
macro_rules! named {
    ($($what:literal: $type:ident = $every:expr, $name:expr;)*) => { $(
        impl Named for $type {
            const WHAT: &'static str = $what;
            const EVERY: &'static [Self] = &$every;
            fn named(self) -> &'static str {
                $name(self)
            }
        }
    )* };
}

named! {
    "hook": Hook = Hook::ALL, Hook::name;
    "reason of a flow": FlowReason = [FlowReason::First, FlowReason::Grown, FlowReason::Closed], FlowReason::name;
    "way of access": AccessHow = AccessHow::ALL, AccessHow::name;
    "object of bpf": BpfObject = BpfObject::ALL, bpf_object;
    "way of mounting": MountHow = MountHow::ALL, MountHow::name;
    "way into namespaces": NamespaceHow = NamespaceHow::ALL, NamespaceHow::name;
    "direction of DNS": DnsDirection = [DnsDirection::Query, DnsDirection::Answer], DnsDirection::name;
    "stream": Stream = Stream::ALL, Stream::name;
    "carrier": Carrier = Carrier::ALL, Carrier::name;
    "direction": Direction = [Direction::In, Direction::Out, Direction::Both], Direction::name;
}

fn bpf_object(object: BpfObject) -> &'static str {
    match object {
        BpfObject::None => "none",
        BpfObject::Program => "program",
        BpfObject::Map => "map",
        BpfObject::Link => "link",
    }
}

pub fn serialize<T: Named, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.named())
}

pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_str(Name(PhantomData))
}

struct Name<T>(PhantomData<T>);

impl<T: Named> Visitor<'_> for Name<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name of a {}", T::WHAT)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        let found = T::EVERY.iter().copied().find(|value| value.named() == name);
        found.ok_or_else(|| E::custom(format_args!("unknown {} {name:?}", T::WHAT)))
    }
}

/// The same, where there may be none.
pub mod option {
    use super::{Name, Named};
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};
    use std::fmt;
    use std::marker::PhantomData;

    pub fn serialize<T: Named, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_some(value.named()),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(Perhaps(PhantomData))
    }

    struct Perhaps<T>(PhantomData<T>);

    impl<'de, T: Named> Visitor<'de> for Perhaps<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "the name of a {}, or nothing", T::WHAT)
        }

        fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
            deserializer.deserialize_str(Name(PhantomData)).map(Some)
        }
    }
}

/// Three of them.
pub mod three {
    use super::Named;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::borrow::Cow;

    pub fn serialize<T: Named, S: Serializer>(values: &[T; 3], serializer: S) -> Result<S::Ok, S::Error> {
        values.map(Named::named).serialize(serializer)
    }

    pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<[T; 3], D::Error> {
        let [first, second, third] = <[Cow<'de, str>; 3]>::deserialize(deserializer)?;
        let find = |name: Cow<'_, str>| {
            let found = T::EVERY.iter().copied().find(|value| value.named() == name);
            found.ok_or_else(|| D::Error::custom(format_args!("unknown {} {name:?}", T::WHAT)))
        };
        Ok([find(first)?, find(second)?, find(third)?])
    }
}

/// Bytes as hexadecimal text: a third of what a list of numbers takes.
pub mod hexadecimal {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};
    use std::fmt;

    struct Text<'a>(&'a [u8]);

    impl fmt::Display for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Text(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[u8]>, D::Error> {
        deserializer.deserialize_str(Digits)
    }

    struct Digits;

    impl Visitor<'_> for Digits {
        type Value = Box<[u8]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes in hexadecimal")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Box<[u8]>, E> {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let byte = |pair: &[u8]| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            };
            let bytes: Option<Box<[u8]>> = text.as_bytes().chunks(2).map(byte).collect();
            bytes.ok_or_else(|| E::custom("these are no bytes in hexadecimal"))
        }
    }
}
