//! Records about sockets: connects and flows.

use super::transfer::label;
use super::{Malformed, fixed};
use crate::event::{BootTime, Connect, Endpoints, Flow, FlowReason, Listen, Transport};
use sensor_common::record::{self, flow_flags};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

pub(super) fn connect(bytes: &[u8]) -> Result<Connect, Malformed> {
    let (connect, _) = fixed::<record::Connect>(bytes, "connect")?;
    let label = label(&connect.held);
    Ok(Connect { endpoints: endpoints(&connect.endpoints)?, socket_cookie: connect.cookie, label })
}

pub(super) fn listen(bytes: &[u8]) -> Result<Listen, Malformed> {
    let (listen, _) = fixed::<record::Listen>(bytes, "listen")?;
    let ends = &listen.endpoints;
    let address = peer_address(ends.family, &ends.local_address).ok_or(Malformed::Family(ends.family))?;
    Ok(Listen { address, port: Some(ends.local_port).filter(|port| *port != 0), socket_cookie: listen.cookie })
}

pub(super) fn flow(bytes: &[u8]) -> Result<Flow, Malformed> {
    let (flow, _) = fixed::<record::Flow>(bytes, "flow")?;
    let endpoints = endpoints(&flow.endpoints)?;
    Ok(Flow {
        socket_cookie: flow.cookie,
        bytes: flow.bytes,
        packets: flow.packets,
        first_time: BootTime(flow.first_time),
        reason: FlowReason::from_wire(flow.reason).ok_or(Malformed::Reason(flow.reason))?,
        initiated: flow.flags & flow_flags::INITIATED != 0 || endpoints.transport.is_unasked(),
        endpoints,
        owner_guessed: flow.flags & flow_flags::OWNER_GUESSED != 0,
        peers_merged: flow.flags & flow_flags::PEERS_MERGED != 0,
        label: label(&flow.held),
    })
}

/// An address as the kernel side writes it; `None` for a family that it does not write.
pub(in crate::kernel) fn peer_address(family: u16, octets: &[u8; 16]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(ipv4(octets)),
        AF_INET6 => Some(ipv6(octets)),
        _ => None,
    }
}

pub(super) fn endpoints(endpoints: &record::Endpoints) -> Result<Endpoints, Malformed> {
    let address = match endpoints.family {
        AF_INET => ipv4,
        AF_INET6 => ipv6,
        family => return Err(Malformed::Family(family)),
    };
    Ok(Endpoints {
        local_address: Some(address(&endpoints.local_address)).filter(|address| !address.is_unspecified()),
        local_port: Some(endpoints.local_port).filter(|port| *port != 0),
        peer_address: address(&endpoints.peer_address),
        peer_port: endpoints.peer_port,
        transport: Transport::from_protocol(endpoints.protocol),
    })
}

fn ipv4([a, b, c, d, ..]: &[u8; 16]) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d))
}

/// An IPv6 socket that talks IPv4 (`::ffff:a.b.c.d`) talks IPv4.
fn ipv6(octets: &[u8; 16]) -> IpAddr {
    Ipv6Addr::from(*octets).to_canonical()
}
