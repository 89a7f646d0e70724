//! weir.yml: how the sensor is set up, for those who would rather write a file than variables.
//!
//! One section a concern, each defined by the module that it is for. What is declared about workloads is the policy's (policy.yml), and
//! what is worth telling is the rules'; neither belongs here.

use crate::agent::runtime;
use crate::delivery::{otlp, spool};
use crate::event::text::most_like;
use crate::evidence::store;
use crate::place::Place;
use serde::Deserialize;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

/// Where the file is looked for when none is named.
pub const DEFAULT: &str = "/etc/weir/weir.yml";
/// Most bytes of it.
const BYTES_MAX: u64 = 256 * 1024;

/// What the file says; everything in it is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Delivery to a collector.
    pub otlp: otlp::Section,
    /// What is kept until it was delivered.
    pub spool: spool::Section,
    /// The sockets of container runtimes: a path, a list of paths, or `none`; without it they are looked for.
    pub runtimes: runtime::Section,
    /// Where evidence is kept, and how much of it.
    pub evidence: store::Section,
}

/// Why the file cannot be used. Says no value of it, because there may be secrets among them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{file} cannot be read ({reason}); check that it exists and that this user may read it")]
    Unreadable {
        /// Which.
        file: Arc<str>,
        /// What the kernel said.
        reason: String,
    },
    /// It is beyond the limit.
    #[error("{file} has more than the {BYTES_MAX} bytes that a configuration may have; is it the right file?")]
    TooLarge {
        /// Which.
        file: Arc<str>,
    },
    /// It is not UTF-8, not YAML, or not a configuration.
    #[error("{place}: {reason}")]
    Wrong {
        /// Where.
        place: Place,
        /// What is wrong with it, and the mend.
        reason: String,
    },
}

impl Config {
    /// What the file that was named says; without a name [`DEFAULT`], and if that is not there, nothing.
    ///
    /// # Errors
    /// A file that cannot be read or is wrong.
    pub fn load(named: Option<&Path>) -> Result<Config, ConfigError> {
        let path = named.unwrap_or(Path::new(DEFAULT));
        let file: Arc<str> = path.to_string_lossy().into();
        let unreadable = |error: io::Error| ConfigError::Unreadable { file: file.clone(), reason: error.to_string() };
        let mut text = Vec::new();
        // To open a named pipe would wait for its writer.
        match std::fs::metadata(path) {
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(error) => return Err(unreadable(error)),
            Ok(status) if !status.is_file() => return Err(unreadable(io::Error::other("it is no regular file"))),
            Ok(_) => {}
        }
        let opened = std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut text));
        opened.map_err(unreadable)?;
        if text.len() as u64 > BYTES_MAX {
            return Err(ConfigError::TooLarge { file });
        }
        let text = String::from_utf8(text).map_err(|_| ConfigError::Wrong {
            place: Place::file(&file),
            reason: "this is not UTF-8; save the file as UTF-8".to_owned(),
        })?;
        Config::parse(&text, &file)
    }

    /// The configuration in `text`; `file` is what errors call it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, file: &Arc<str>) -> Result<Config, ConfigError> {
        let nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#') || line == "---";
        if text.lines().all(nothing) {
            return Ok(Config::default());
        }
        yaml_serde::from_str::<Config>(text).map_err(|error| wrong(&error, file))
    }
}

fn wrong(error: &yaml_serde::Error, file: &Arc<str>) -> ConfigError {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let place = match error.location() {
        Some(at) => Place { file: file.clone(), line: number(at.line()), column: number(at.column()) },
        None => Place::file(file),
    };
    ConfigError::Wrong { place, reason: said(&error.to_string()) }
}

/// What the YAML library says, without the values that serde puts into its words (`invalid type: string "VALUE", expected ...`).
fn said(message: &str) -> String {
    // serde's words (`Error::unknown_field`), which its derive has had since its first version.
    if let Some((key, rest)) = message.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`')) {
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let hint = most_like(key, known.iter().copied()).map(|name| format!(" (did you mean `{name}`?)"));
        let (key, hint) = (key.escape_debug(), hint.unwrap_or_default());
        return format!("nothing reads the key `{key}`{hint}; it can be {}", known.join(", "));
    }
    match message.split_once("invalid type: ").or_else(|| message.split_once("invalid value: ")) {
        Some((before, rest)) => {
            let kind = rest.split([' ', ',']).next().unwrap_or("value");
            let expected = rest.rsplit_once("expected ").map_or(rest, |(_, expected)| expected);
            let expected = expected.split(" at line").next().unwrap_or(expected);
            let expected = if expected.starts_with("struct ") { "keys with values" } else { expected };
            format!("{before}this is a {kind} and has to be {expected}; quote text, and write numbers without quotes")
        }
        None => {
            let message = message.split(" at line").next().unwrap_or(message);
            let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("this is no configuration ({message}); mend the indentation, quotes or brackets here")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, &"weir.yml".into()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_section_of_delivery_is_read_with_its_secrets_hidden() {
        let text = "otlp:\n  endpoint: https://c:4317\n  headers: {authorization: Bearer hush}\n  logs: {timeout: 5}\n";
        let config = parse(text).unwrap();
        assert_eq!(config.otlp.endpoint.as_deref(), Some("https://c:4317"));
        assert_eq!(config.otlp.logs.timeout, Some(5));
        assert!(!format!("{config:?}").contains("hush"));
        assert_eq!(parse("spool: {bytes: 1}\n").unwrap().spool.limits().bytes, 64 << 10, "some segments have to fit");
        assert!(parse("# nothing\n---\n").unwrap().otlp.endpoint.is_none());
    }

    #[test]
    fn what_is_wrong_has_a_place_a_mend_and_no_secret() {
        let error = parse("otlp:\n  endpont: https://c\n").unwrap_err();
        assert!(error.starts_with("weir.yml:2:") && error.contains("did you mean `endpoint`?"), "{error}");
        let error = parse("otlp:\n  timeout: Bearer hush\n").unwrap_err();
        assert!(error.starts_with("weir.yml:2:") && error.contains("has to be u64"), "{error}");
        assert!(!error.contains("hush"), "{error}");
        let error = parse("otlp:\n  headers: Bearer hush\n").unwrap_err();
        assert!(error.contains("has to be a map") && !error.contains("hush"), "{error}");
        assert!(parse("otlp: [\n").unwrap_err().contains("has to be keys with values"));
        let error = parse("otlp:\n\tendpoint: x\n").unwrap_err();
        assert!(error.contains("mend"), "{error}");
    }

    #[test]
    fn a_file_that_was_named_has_to_be_there() {
        let error = Config::load(Some(Path::new("/nowhere/weir.yml"))).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/weir.yml cannot be read (No such file"), "{error}");
        assert!(Config::load(Some(Path::new("/dev/zero"))).unwrap_err().to_string().contains("no regular file"));
    }
}
