//! Names, from the bytes on the wire to the fields of flows.

mod channel;
mod hello;

use super::{Limits, Names, Resolvers, registered_domain};
use crate::event::{
    Body, BootTime, Connect, Dns, DnsDirection, Endpoints, Event, Flow, FlowReason, Hello, Label, NamedBy, Server,
    Transport, Workload,
};
use crate::kernel::decode::message;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::net::IpAddr;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
const RESOLVER: &str = "10.96.0.10";
const STRANGER: &str = "203.0.113.53";

/// Messages as hickory writes them.
fn query(id: u16, name: &str) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    message.to_vec().unwrap()
}

/// `records`: owner, ttl, and an address or an alias.
fn answer(id: u16, name: &str, records: &[(&str, u32, &str)]) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Response, OpCode::Query);
    message.metadata.response_code = ResponseCode::NoError;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    for (owner, ttl, value) in records {
        let data = match value.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => RData::A(A(address)),
            Ok(IpAddr::V6(address)) => RData::AAAA(address.into()),
            Err(_) => RData::CNAME(CNAME(Name::from_ascii(value).unwrap())),
        };
        message.add_answer(Record::from_rdata(Name::from_ascii(owner).unwrap(), *ttl, data));
    }
    message.to_vec().unwrap()
}

fn ends(peer: &str, port: u16, transport: Transport) -> Endpoints {
    let peer_address = peer.parse().unwrap();
    Endpoints { local_address: None, local_port: None, peer_address, peer_port: port, transport }
}

/// A line of one workload after another.
struct Scene {
    names: Names,
    workload: &'static str,
    now: u64,
}

impl Scene {
    fn new() -> Scene {
        let resolvers = Resolvers::new(["10.0.0.0/8".parse().unwrap(), "127.0.0.0/8".parse().unwrap()]);
        Scene { names: Names::with(resolvers, Limits::default()), workload: "container:a", now: SECOND }
    }

    fn push(&mut self, body: Body) -> Event {
        let mut event = Event::new(BootTime(self.now), None, Default::default(), body);
        event.workload = Some(Arc::new(Workload { id: self.workload.into(), ..Workload::default() }));
        self.names.trace(&mut event);
        event
    }

    fn dns(&mut self, cookie: u64, server: &str, direction: DnsDirection, bytes: &[u8]) -> Event {
        let size = u32::try_from(bytes.len()).unwrap();
        let message = message(bytes).map(Box::new);
        let endpoints = ends(server, 53, Transport::Udp);
        self.push(Body::Dns(Dns { endpoints, socket_cookie: cookie, direction, size, message, channel: None }))
    }

    /// Asks `server` for `name` and is told `address`.
    fn resolve(&mut self, server: &str, name: &str, address: &str) {
        self.dns(7, server, DnsDirection::Query, &query(1, name));
        self.dns(7, server, DnsDirection::Answer, &answer(1, name, &[(name, 60, address)]));
    }

    fn connect(&mut self, cookie: u64, peer: &str) -> Server {
        let endpoints = ends(peer, 443, Transport::Tcp);
        self.push(Body::Connect(Connect { endpoints, socket_cookie: cookie, label: Label::default() })).server.unwrap()
    }

    fn hello(&mut self, cookie: u64, endpoints: Endpoints, offset: u32, bytes: &[u8]) -> Option<Arc<str>> {
        let size = u32::try_from(bytes.len()).unwrap();
        let hello = Hello { endpoints, socket_cookie: cookie, offset, size, bytes: bytes.into(), server_name: None };
        match self.push(Body::Hello(hello)).body {
            Body::Hello(hello) => hello.server_name,
            _ => None,
        }
    }

    fn flow(&mut self, cookie: u64, endpoints: Endpoints, reason: FlowReason, initiated: bool) -> Server {
        let flow = Flow {
            endpoints,
            socket_cookie: cookie,
            bytes: 1,
            packets: 1,
            first_time: BootTime(0),
            reason,
            initiated,
            owner_guessed: false,
            peers_merged: false,
            label: Label::default(),
        };
        self.push(Body::Flow(flow)).server.unwrap()
    }
}

fn by_dns(name: &str) -> Server {
    Server { name: Some(name.into()), by: NamedBy::Dns, tls: None, disagrees: false }
}

fn unnamed() -> Server {
    Server { name: None, by: NamedBy::Address, tls: None, disagrees: false }
}

#[test]
fn a_message_says_its_question_and_the_addresses_that_its_aliases_lead_to() {
    let records = [
        ("Models.Example.ORG.", 300, "edge.cdn.example.net."),
        ("edge.cdn.example.net.", 20, "192.0.2.1"),
        ("edge.cdn.example.net.", 60, "2001:db8::1"),
        ("bank.example.", 60, "192.0.2.66"),
    ];
    let said = message(&answer(9, "models.example.org.", &records)).unwrap();
    assert_eq!((said.id, said.response, said.code, said.kind), (9, true, 0, 1));
    assert_eq!(&*said.name, "models.example.org");
    let addresses = [("192.0.2.1", 20), ("2001:db8::1", 60)].map(|(a, ttl)| (a.parse::<IpAddr>().unwrap(), ttl));
    assert_eq!(said.addresses, addresses, "not what is said of somebody else's name");

    // The end of it did not fit.
    let bytes = answer(9, "a.example.", &[("a.example.", 60, "192.0.2.1"), ("a.example.", 60, "192.0.2.2")]);
    assert_eq!(message(&bytes[..bytes.len() - 3]).unwrap().addresses.len(), 1);
    assert!(message(&query(1, "a.example.")).is_some_and(|said| !said.response && said.name_bytes == 10));
    let odd = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x04a.\\\x80\x07Example\0\0\x01\0\x01";
    assert_eq!(&*message(odd).unwrap().name, r"a\046\092\128.example", "a dot within a label is none between labels");
    assert_eq!(message(b"ssh over port 53, for example"), None);
    assert_eq!(message(&[]), None);
}

#[test]
fn an_alias_that_leads_in_a_circle_ends() {
    let records = [("a.example.", 60, "b.example."), ("b.example.", 60, "a.example.")];
    assert_eq!(message(&answer(1, "a.example.", &records)).unwrap().addresses, []);
}

#[test]
fn what_was_asked_and_answered_names_the_address_for_that_workload_only() {
    let mut scene = Scene::new();
    scene.resolve(RESOLVER, "models.example.org.", "192.0.2.7");
    assert_eq!(scene.connect(1, "192.0.2.7"), by_dns("models.example.org"));
    assert_eq!(scene.connect(2, "192.0.2.8"), unnamed());
    scene.workload = "container:b";
    assert_eq!(scene.connect(3, "192.0.2.7"), unnamed());
}

#[test]
fn an_answer_that_nobody_asked_for_names_nothing() {
    let mut scene = Scene::new();
    let said = |name| answer(1, name, &[(name, 60, "192.0.2.7")]);
    scene.dns(7, RESOLVER, DnsDirection::Answer, &said("hub.example."));
    scene.dns(7, RESOLVER, DnsDirection::Query, &query(1, "other.example."));
    scene.dns(7, RESOLVER, DnsDirection::Answer, &said("hub.example."));
    scene.dns(8, RESOLVER, DnsDirection::Answer, &said("other.example."));
    scene.dns(7, RESOLVER, DnsDirection::Answer, &answer(2, "other.example.", &[("other.example.", 60, "192.0.2.7")]));
    assert_eq!(scene.connect(1, "192.0.2.7"), unnamed());
    assert_eq!(scene.names.counts().answers.unasked, 4);
    scene.dns(7, RESOLVER, DnsDirection::Answer, &said("other.example."));
    assert_eq!(scene.connect(1, "192.0.2.7"), by_dns("other.example"));
}

#[test]
fn a_resolver_that_is_not_declared_names_nothing() {
    let mut scene = Scene::new();
    scene.resolve(STRANGER, "huggingface.co.", "192.0.2.66");
    // Nor one that only answers in place of the one that was asked, or the other way round.
    for (asked, answers) in [(RESOLVER, STRANGER), (STRANGER, RESOLVER)] {
        scene.dns(7, asked, DnsDirection::Query, &query(1, "huggingface.co."));
        let said = answer(1, "huggingface.co.", &[("huggingface.co.", 60, "192.0.2.66")]);
        scene.dns(7, answers, DnsDirection::Answer, &said);
    }
    assert_eq!(scene.connect(1, "192.0.2.66"), unnamed());
    assert_eq!(scene.names.counts().answers.undeclared, 3);
    // A question that was sent on by a rule of netfilter: both are declared.
    scene.dns(7, "10.244.3.4", DnsDirection::Query, &query(1, "huggingface.co."));
    let said = answer(1, "huggingface.co.", &[("huggingface.co.", 60, "192.0.2.1")]);
    scene.dns(7, RESOLVER, DnsDirection::Answer, &said);
    assert_eq!(scene.connect(1, "192.0.2.1"), by_dns("huggingface.co"));
}

#[test]
fn a_name_ends_with_its_time_but_not_for_flows_that_began_before() {
    let mut scene = Scene::new();
    let said = answer(1, "a.example.", &[("a.example.", 1800, "192.0.2.7")]);
    scene.dns(7, RESOLVER, DnsDirection::Query, &query(1, "a.example."));
    scene.dns(7, RESOLVER, DnsDirection::Answer, &said);
    let ends = ends("192.0.2.7", 443, Transport::Tcp);
    scene.now = 1800 * SECOND;
    assert_eq!(scene.connect(1, "192.0.2.7"), by_dns("a.example"));
    scene.now = 1802 * SECOND;
    assert_eq!(scene.connect(2, "192.0.2.7"), unnamed());
    scene.now = 1_000_000 * SECOND;
    assert_eq!(scene.flow(1, ends, FlowReason::Closed, true), by_dns("a.example"));
    scene.now = 1_000_031 * SECOND;
    assert_eq!(scene.flow(1, ends, FlowReason::Grown, true), unnamed(), "forgotten after its end");
}

#[test]
fn who_asked_in_has_no_name() {
    let mut scene = Scene::new();
    scene.resolve(RESOLVER, "a.example.", "192.0.2.7");
    let ends = ends("192.0.2.7", 40_000, Transport::Tcp);
    assert_eq!(scene.flow(5, ends, FlowReason::First, false), unnamed());
    assert_eq!(scene.flow(6, ends, FlowReason::First, true), by_dns("a.example"), "a socket older than the sensor");
}

#[test]
fn a_socket_that_connects_anew_is_named_anew() {
    let mut scene = Scene::new();
    scene.resolve(RESOLVER, "hub.example.", "192.0.2.7");
    assert_eq!(scene.connect(1, "192.0.2.7"), by_dns("hub.example"));
    assert_eq!(scene.connect(1, "192.0.2.66"), unnamed());
    assert_eq!(scene.flow(1, ends("192.0.2.66", 443, Transport::Tcp), FlowReason::First, true), unnamed());
}

#[test]
fn names_that_no_room_is_left_for_are_counted() {
    let mut scene = Scene::new();
    for number in 0..300u32 {
        let address = format!("198.18.{}.{}", number / 256, number % 256);
        scene.resolve(RESOLVER, &format!("n{number}.example."), &address);
    }
    assert_eq!(scene.names.counts().answers.addresses_evicted, 300 - 256);
    assert_eq!(scene.connect(1, "198.18.0.0"), unnamed());
    assert_eq!(scene.connect(2, "198.18.1.43"), by_dns("n299.example"));
}

#[test]
fn whose_a_name_is() {
    for (name, domain) in [
        ("cas-server.xethub.hf.co", "hf.co"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("stolen.s3.amazonaws.com", "stolen.s3.amazonaws.com"),
        ("evil.github.io", "evil.github.io"),
        ("kubernetes.default.svc.cluster.local", "cluster.local"),
        ("localhost", "localhost"),
        ("", ""),
        ("co.uk", "co.uk"),
    ] {
        assert_eq!(registered_domain(name), domain);
    }
}
