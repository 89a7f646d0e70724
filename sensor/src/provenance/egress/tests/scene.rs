//! A ledger and what happens to it.

use super::super::{Counts, Ledger, Limits};
use crate::event::{
    Actor, Body, BootTime, Connect, Egress, EgressGrown, Endpoints, Event, Flow, FlowReason, LedgerRestored,
    ProcessKey, SavedLedger, Transport, Workload,
};
use crate::policy::Declared;
use crate::provenance::holdings::Holding;
use std::net::IpAddr;
use std::sync::Arc;

pub const FAR: &str = "203.0.113.9";
pub const SECOND: u64 = 1_000_000_000;
pub const DAY: u64 = 86_400;
pub const MIB: u64 = 1 << 20;

/// A ledger, at a time; every workload named `holder...` holds.
pub struct Scene {
    pub ledger: Ledger,
    pub declared: Declared,
    /// Seconds since boot.
    pub now: u64,
}

impl Scene {
    pub fn new(limits: Limits) -> Scene {
        let lines = ["10.0.0.0/8", "10.9.0.0/16 unlimited", "192.0.2.0/24 1GB/day"];
        let declared = Declared::new(lines.map(|line| line.parse().expect("an entry")));
        Scene { ledger: Ledger::new(limits), declared, now: 0 }
    }

    /// Goes on from what was saved, at so many seconds since the epoch.
    pub fn restored(saved: SavedLedger, unix: u64) -> Scene {
        let mut scene = Scene::new(Limits::default());
        scene.now = 50;
        let boot_unix_nanos = i128::from(unix - scene.now) * i128::from(SECOND);
        let restored = LedgerRestored { boot_unix_nanos, counters: true, saved };
        scene.ledger.restore(&restored, BootTime(scene.now * SECOND));
        scene
    }

    pub fn happens(&mut self, workload: &str, body: Body) -> Event {
        let process = (!matches!(body, Body::Egress(_))).then_some(ProcessKey { pid: 7, start_ticks: 1 });
        let actor = Actor { process, ..Actor::default() };
        let mut event = Event::new(BootTime(self.now * SECOND), None, actor, body);
        if !workload.is_empty() {
            event.workload = Some(Arc::new(Workload { id: workload.into(), ..Workload::default() }));
        }
        let live = workload.starts_with("holder").then(holding);
        if let Some(live) = &live {
            self.ledger.hold(&event, live);
        }
        let holding = live.or_else(|| self.ledger.remembered(&event));
        self.ledger.charge(&mut event, holding.as_ref(), &self.declared);
        event
    }

    pub fn flow(&mut self, workload: &str, flow: Flow) -> Option<Box<Egress>> {
        self.happens(workload, Body::Flow(flow)).egress
    }

    pub fn grown(&mut self, workload: &str, peer: &str, grown: u64) -> Option<Box<Egress>> {
        self.happens(workload, grown_body(peer, grown)).egress
    }

    /// How it stands, with nothing sent: as a connect to FAR says it.
    pub fn stand(&mut self, workload: &str) -> Egress {
        *self.happens(workload, Body::Connect(connect())).egress.expect("connects to others say it")
    }

    /// Undeclared bytes of 30 days.
    pub fn sent(&mut self, workload: &str) -> Option<u64> {
        self.stand(workload).exfil.map(|exfil| exfil.bytes)
    }

    pub fn counts(&self) -> Counts {
        self.ledger.counts()
    }
}

pub fn holding() -> Holding {
    Holding { sources: 1, bytes: 16_000_000_000, largest: 16_000_000_000, paths: ["/m/x.gguf".into()].into() }
}

pub fn connect() -> Connect {
    Connect { endpoints: endpoints(FAR), socket_cookie: 1, label: crate::event::Label::default() }
}

pub fn endpoints(peer: &str) -> Endpoints {
    let peer_address: IpAddr = peer.parse().expect("an address");
    Endpoints { local_address: None, local_port: None, peer_address, peer_port: 443, transport: Transport::Tcp }
}

pub fn flow(cookie: u64, peer: &str, bytes: u64) -> Flow {
    Flow {
        endpoints: endpoints(peer),
        socket_cookie: cookie,
        bytes,
        packets: 1,
        first_time: BootTime(1),
        reason: FlowReason::Grown,
        initiated: true,
        owner_guessed: false,
        peers_merged: false,
        label: crate::event::Label::default(),
    }
}

pub fn grown_body(peer: &str, grown: u64) -> Body {
    let peer = (peer != "others").then(|| peer.parse().expect("an address"));
    Body::Egress(EgressGrown { peer, transport: Transport::Tcp, initiated: true, bytes: grown, grown })
}
