//! An event of each kind, with every field that such events can have: what the reference reads types and kinds from.
//!
//! What rules are held against comes from the builder of their examples, which refuses a rule that asks for a field that its events
//! never have; all others are here. A test fails where a kind or a field is missing.

use crate::detection::Category;
use crate::detection::example::full;
use crate::event::{
    Actor, Body, Carrier, Cgroup, CgroupKey, Change, Classes, ContentFinding, Direction, DnsDirection, EgressGrown,
    Event, Exit, File, FileId, Fork, Hello, Lost, ProcessFound, ProcessKey, Recognized, Reloaded, Tick, Transfer,
    Transport, WorkloadIdentified,
};
use std::collections::BTreeSet;

/// One or more of each kind.
pub fn all() -> Vec<Event> {
    let mut events: Vec<Event> = Category::ALL.into_iter().map(full).flat_map(variants).collect();
    let files = full(Category::FileAccess);
    let flow = full(Category::NetworkFlow);
    events.extend(processes().into_iter().map(|body| with(&files, body)));
    events.extend(network(&flow));
    events.extend(own().into_iter().map(by_the_agent));
    for event in &mut events {
        // Nobody acted of whom the kernel knows.
        if matches!(event.body, Body::Tamper(_) | Body::Egress(_)) {
            event.hook = None;
            event.process = None;
            event.actor = Actor { cgroup: event.actor.cgroup, ..Actor::default() };
        }
        if matches!(event.body, Body::Tamper(_)) {
            (event.workload, event.actor) = (None, Actor::default());
        }
    }
    events
}

/// The kinds of these.
pub fn kinds(events: &[Event]) -> BTreeSet<&'static str> {
    events.iter().map(|event| event.body.kind_name()).collect()
}

/// A change of a file is of several kinds, of which only some have all fields; a DNS message is a question or an answer.
fn variants(event: Event) -> Vec<Event> {
    if let Body::Dns(dns) = &event.body {
        let mut answer = dns.clone();
        (answer.direction, answer.channel) = (DnsDirection::Answer, None);
        if let Some(message) = &mut answer.message {
            (message.response, message.addresses) = (true, vec![([127, 0, 0, 1].into(), 60)]);
        }
        return vec![Event { body: Body::Dns(answer), ..event.clone() }, event];
    }
    let Body::FileChange(change) = &event.body else { return vec![event] };
    let kinds: &[Change] =
        if change.change == Change::Truncate { &[Change::Truncate, Change::Link] } else { &[change.change] };
    let of_kind = |kind: &Change| {
        let mut change = change.clone();
        change.change = *kind;
        match kind {
            Change::Truncate => change.new_path = "".into(),
            Change::Rename | Change::Link => change.new_size = None,
            Change::Unlink => (change.new_path, change.new_size) = ("".into(), None),
        }
        Event { body: Body::FileChange(change), ..event.clone() }
    };
    kinds.iter().map(of_kind).collect()
}

/// The same actor, doing something else.
fn with(event: &Event, body: Body) -> Event {
    let Event { time, hook, actor, process, workload, .. } = event.clone();
    Event { process, workload, ..Event::new(time, hook, actor, body) }
}

fn file() -> File {
    File {
        id: Some(FileId::default()),
        path: "/x.x".into(),
        classes: Classes(1),
        by_content: Classes(1),
        ..File::default()
    }
}

fn processes() -> Vec<Body> {
    vec![
        Body::Fork(Fork { child: ProcessKey { pid: 2, start_ticks: 1 }, child_vpid: 2 }),
        Body::Exit(Exit { code: Some(0), signal: Some(9) }),
        Body::Cgroup(Cgroup { key: CgroupKey::default(), path: "/x".into() }),
        Body::Transfer(Transfer {
            file: file(),
            carrier: Carrier::File,
            direction: Direction::Out,
            bytes: 1,
            until: 1,
            socket_cookie: Some(1),
            mapped: true,
            bound: true,
            io_uring: true,
            classes: Classes(1),
        }),
    ]
}

fn network(flow: &Event) -> Vec<Event> {
    let Body::Flow(body) = &flow.body else { return Vec::new() };
    let hello = Hello {
        endpoints: body.endpoints,
        socket_cookie: 1,
        offset: 0,
        size: 1,
        bytes: [].into(),
        server_name: Some("x".into()),
    };
    let grown = EgressGrown {
        peer: Some(body.endpoints.peer_address),
        transport: Transport::Tcp,
        initiated: true,
        bytes: 1,
        grown: 1,
    };
    let mut hello = with(flow, Body::Hello(hello));
    hello.server = None;
    vec![hello, Event { body: Body::Egress(grown), ..flow.clone() }]
}

fn own() -> Vec<Body> {
    let recognized = |finding| Body::Recognized(Recognized { file: file(), born_unix_nanos: None, finding });
    vec![
        Body::ProcessFound(ProcessFound::default()),
        Body::LedgerRestored(Box::default()),
        Body::CorrelationsRestored(Box::default()),
        recognized(ContentFinding::Format { name: "gguf".into(), confidence: "certain".into() }),
        recognized(ContentFinding::Unread("gone".into())),
        Body::Reloaded(Box::new(Reloaded {
            ruleset: "x".into(),
            policy: Some("x".into()),
            classes: "x".into(),
            ..Reloaded::default()
        })),
        Body::WorkloadIdentified(WorkloadIdentified { container_id: "x".into(), identity: Default::default() }),
        Body::Tick(Tick::default()),
        Body::Lost(Lost { since: Default::default(), kind: "open".into(), cause: "ring_full".into(), count: 1 }),
    ]
}

/// What the agent contributes itself: nobody's deed, but for a process that it found.
fn by_the_agent(body: Body) -> Event {
    let found = matches!(body, Body::ProcessFound(_));
    let exec = full(Category::ProcessCreation);
    let event = Event::new(exec.time, None, Actor::default(), body);
    if found { Event { process: exec.process, workload: exec.workload, actor: exec.actor, ..event } } else { event }
}
