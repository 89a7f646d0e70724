//! What a receiver does wrong.

use std::str::FromStr;
use std::time::Duration;

/// What is done with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is taken.
    None,
    /// "Unavailable": 503.
    Unavailable,
    /// The same, with how long to wait.
    RetryAfter(Duration),
    /// The last so many records are not taken.
    Partial(usize),
    /// "Invalid argument": 400.
    Refuse,
    /// "Unauthenticated": 401.
    Unauthenticated,
    /// The answer comes so late.
    Slow(Duration),
    /// The connection breaks within the answer.
    Cut,
    /// A page that a proxy would give, with 200.
    Page,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let (name, number) = text.split_once(':').unwrap_or((text, "0"));
        let number: u64 = number.parse().map_err(|_| format!("`{number}` is no number"))?;
        Ok(match name {
            "none" => Fault::None,
            "unavailable" => Fault::Unavailable,
            "retry-after" => Fault::RetryAfter(Duration::from_secs(number)),
            "partial" => Fault::Partial(usize::try_from(number).map_err(|error| error.to_string())?),
            "refuse" => Fault::Refuse,
            "unauthenticated" => Fault::Unauthenticated,
            "slow" => Fault::Slow(Duration::from_millis(number)),
            "cut" => Fault::Cut,
            "page" => Fault::Page,
            _ => return Err(format!("`{name}` is no fault")),
        })
    }
}
