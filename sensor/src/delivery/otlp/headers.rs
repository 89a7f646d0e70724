//! Lists `key=value,key=value` of the environment: headers and resource attributes, values percent-encoded (W3C Baggage, as the
//! OTLP exporter's specification has it).

use super::config::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// The pairs of a list. What is wrong is told without any value, because these are secrets.
pub(super) fn pairs(list: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (number, member) in (1..).zip(list.split(',')) {
        if member.trim().is_empty() {
            continue;
        }
        let Some((key, value)) = member.split_once('=') else {
            return Err(format!("its entry {number} has no `=`; write key=value,key=value, with %2C for a comma"));
        };
        let value = percent_decode_str(value.trim()).decode_utf8();
        let value =
            value.map_err(|_| format!("the value of its entry {number} is not UTF-8; mend its percent codes"))?;
        pairs.push((key.trim().to_owned(), value.into_owned()));
    }
    Ok(pairs)
}

/// Headers of a list of the environment.
pub(super) fn from_list(list: &str) -> Result<HeaderMap, String> {
    from_pairs(pairs(list)?.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// Headers of the file.
pub(super) fn from_map(map: &BTreeMap<String, Secret>) -> Result<HeaderMap, String> {
    from_pairs(map.iter().map(|(key, value)| (key.as_str(), value.reveal())))
}

/// What the protocols set themselves, and no one else may.
const OURS: [&str; 7] =
    ["content-type", "content-length", "content-encoding", "host", "te", "transfer-encoding", "grpc-timeout"];

fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (number, (key, value)) in (1..).zip(pairs) {
        // Not even the key is shown where it is none: it may be a token that somebody put on the wrong side.
        let name = HeaderName::try_from(key)
            .map_err(|_| format!("the name of its entry {number} cannot be a header; use letters, digits and `-`"))?;
        if OURS.contains(&name.as_str()) {
            return Err(format!("the header `{name}` is set by the protocol itself; take it out"));
        }
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            format!("the value of `{name}` has characters that a header cannot have; percent-encode it")
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}
