//! Names asked for of a DNS server: the labels are the payload.

use super::datagram::udp_socket;
use super::{Sent, fill};
use crate::Context;
use std::io::{self, Read};
use std::net::SocketAddr;

/// Bytes of payload a question: two characters each, in labels of at most 63 (RFC 1035, 2.3.4).
const PAYLOAD: usize = 90;

/// One question after the other, each answered by "no such name".
pub fn dns(to: SocketAddr, domain: &str, from: &mut dyn Read) -> io::Result<Sent> {
    let socket = udp_socket(to)?;
    socket.connect(to).context(|| to.to_string())?;
    let mut sent = Sent::begin(vec![to])?;
    let (mut payload, mut names) = (0u64, 0u64);
    let mut buffer = [0; PAYLOAD];
    for number in 0u16.. {
        let read = fill(from, &mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        let text: Vec<u8> = part.iter().flat_map(|byte| [b'a' + (byte >> 4), b'a' + (byte & 15)]).collect();
        let mut labels: Vec<&[u8]> = text.chunks(60).collect();
        labels.extend(domain.split('.').map(str::as_bytes));
        let question = question(number, &labels);
        socket.send(&question)?;
        let mut answer = [0; 512];
        loop {
            let length = socket.recv(&mut answer).context(|| format!("question {number} is not answered"))?;
            if length >= 12 && answer.get(..2) == question.get(..2) {
                break;
            }
        }
        payload += read as u64;
        names += labels.iter().map(|label| label.len() as u64 + 1).sum::<u64>();
        sent.bytes += question.len() as u64;
    }
    sent.more.insert("payload_bytes".into(), payload.into());
    sent.more.insert("name_bytes".into(), names.into());
    Ok(sent)
}

#[derive(clap::Args)]
pub struct ResolveArgs {
    /// The DNS server.
    #[arg(long)]
    server: SocketAddr,
    /// The names, one after the other.
    #[arg(required = true)]
    names: Vec<String>,
}

/// Asks for the addresses of names, as resolvers do; how many the server knows.
pub fn resolve(args: &ResolveArgs) -> io::Result<serde_json::Value> {
    let socket = udp_socket(args.server)?;
    socket.connect(args.server).context(|| args.server.to_string())?;
    let (mut known, mut bytes) = (0, 0);
    for (id, name) in (0u16..).zip(&args.names) {
        let labels: Vec<&[u8]> = name.split('.').map(str::as_bytes).collect();
        bytes += socket.send(&question(id, &labels))?;
        let mut answer = [0; 512];
        socket.recv(&mut answer).context(|| format!("{name} is not answered"))?;
        // The number of answers (RFC 1035, 4.1.1).
        known += usize::from(answer[7] > 0);
    }
    Ok(
        serde_json::json!({ "asked": args.names.len(), "known": known, "bytes_sent": bytes, "process.vpid": std::process::id() }),
    )
}

/// A query for the address of a name (RFC 1035, 4.1).
pub fn question(id: u16, labels: &[&[u8]]) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    // Recursion desired; one question.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in labels {
        message.push(label.len() as u8);
        message.extend(*label);
    }
    // The root, type A, class IN.
    message.extend([0, 0, 1, 0, 1]);
    message
}
