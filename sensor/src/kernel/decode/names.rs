//! Records about names. DNS messages are parsed here, since each says all that it says; of a ClientHello a record may be one part
//! of several, which are put together where things are remembered (`provenance::names`).

use super::net::endpoints;
use super::{Malformed, fixed, split};
use crate::event::{Dns, DnsDirection, DnsMessage, Hello};
use hickory_proto::op::{Header, MessageType, Query};
use hickory_proto::rr::{Name, RData, Record};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use sensor_common::record;
use std::net::IpAddr;

/// Most addresses of an answer that are kept. Servers seldom give more than 16; 2048 bytes have room for 127.
const ADDRESSES_MAX: usize = 64;
/// Most records of an answer that are read.
const RECORDS_MAX: u16 = 128;
/// Most aliases that are followed: resolvers give up before (BIND 16, unbound 12).
const ALIASES_MAX: usize = 16;

pub(super) fn dns(bytes: &[u8]) -> Result<Dns, Malformed> {
    let (dns, tail) = fixed::<record::Dns>(bytes, "dns")?;
    let (payload, _) = split(tail, usize::try_from(dns.length).unwrap_or(usize::MAX))?;
    let code = dns.direction;
    Ok(Dns {
        endpoints: endpoints(&dns.endpoints)?,
        socket_cookie: dns.cookie,
        direction: DnsDirection::from_wire(code).ok_or(Malformed::Code { what: "dns", code })?,
        size: dns.size,
        message: message(payload).map(Box::new),
        channel: None,
    })
}

pub(super) fn hello(bytes: &[u8]) -> Result<Hello, Malformed> {
    let (hello, tail) = fixed::<record::Hello>(bytes, "hello")?;
    let (payload, _) = split(tail, usize::try_from(hello.length).unwrap_or(usize::MAX))?;
    Ok(Hello {
        endpoints: endpoints(&hello.endpoints)?,
        socket_cookie: hello.cookie,
        offset: hello.offset,
        size: hello.size,
        bytes: payload.into(),
        server_name: None,
    })
}

/// The message in a datagram, as far as it can be read; `None` if not even its question can. Whatever follows the answers does
/// not matter, nor that the end of a long one is missing.
pub fn message(payload: &[u8]) -> Option<DnsMessage> {
    let mut decoder = BinDecoder::new(payload);
    let header = Header::read(&mut decoder).ok()?;
    if header.counts.queries == 0 {
        return None;
    }
    let query = Query::read(&mut decoder).ok()?;
    for _ in 1..header.counts.queries.min(RECORDS_MAX) {
        Query::read(&mut decoder).ok()?;
    }
    let mut records = Vec::new();
    for _ in 0..header.counts.answers.min(RECORDS_MAX) {
        match Record::<RData>::read(&mut decoder) {
            Ok(record) => records.push(record),
            Err(_) => break,
        }
    }
    let response = header.metadata.message_type == MessageType::Response;
    let name = query.name();
    Some(DnsMessage {
        id: header.metadata.id,
        response,
        code: header.metadata.response_code.low(),
        name: text(name),
        name_bytes: u16::try_from(name.len()).unwrap_or(u16::MAX),
        kind: query.query_type().into(),
        addresses: if response { addresses(name, &records) } else { Vec::new() },
    })
}

/// A name as text, in lower case, its labels between dots: a byte that is no visible character, a dot within a label and a
/// backslash are written `\DDD` (RFC 4343, section 2.1), so that each dot of the text is one between labels.
fn text(name: &Name) -> Box<str> {
    let mut text = String::with_capacity(name.len());
    for label in name.iter() {
        if !text.is_empty() {
            text.push('.');
        }
        for byte in label {
            match byte {
                b'.' | b'\\' => text.push_str(&format!("\\{byte:03}")),
                b'!'..=b'~' => text.push(byte.to_ascii_lowercase().into()),
                _ => text.push_str(&format!("\\{byte:03}")),
            }
        }
    }
    text.into()
}

/// The addresses of `name` by way of its aliases; what the answer says of other names is not believed.
fn addresses(name: &Name, records: &[Record]) -> Vec<(IpAddr, u32)> {
    let mut name = name;
    let mut ttl = u32::MAX;
    for _ in 0..ALIASES_MAX {
        let alias = records.iter().find_map(|record| match &record.data {
            RData::CNAME(alias) if record.name == *name => Some((&alias.0, record.ttl)),
            _ => None,
        });
        let Some((alias, alias_ttl)) = alias else { break };
        (name, ttl) = (alias, ttl.min(alias_ttl));
    }
    let own = records.iter().filter(|record| record.name == *name);
    let addresses = own.filter_map(|record| match &record.data {
        RData::A(address) => Some((IpAddr::V4(address.0), record.ttl.min(ttl))),
        RData::AAAA(address) => Some((address.0.to_canonical(), record.ttl.min(ttl))),
        _ => None,
    });
    addresses.take(ADDRESSES_MAX).collect()
}
