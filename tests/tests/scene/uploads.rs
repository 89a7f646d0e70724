//! The sink counts exactly what the actor sent.

use std::error::Error;
use std::net::IpAddr;
use tests::scene::Network;
use tests::sink::{Sink, Transport};
use tests::wait::PATIENCE;
use tests::{Place, actor_in, skip};

/// Not a multiple of any chunk.
const BYTES: u64 = (8 << 20) + 12_345;

fn uploads(transport: Transport, like: impl Fn(&IpAddr) -> bool, options: &[&str]) -> Result<(), Box<dyn Error>> {
    if skip::unless_root("uploads across namespaces") {
        return Ok(());
    }
    let network = Network::new()?;
    let Some(address) = network.outside_addresses().into_iter().find(like) else {
        skip::say(&format!("no IPv6: {}", network.no_ipv6.unwrap_or_default()));
        return Ok(());
    };
    let sink = Sink::start(&[address], Some(&network.outside))?;
    let to = sink.address(transport, address)?.to_string();
    let bytes = BYTES.to_string();
    let upload = ["upload", "--to", &to, "--proto", transport.name(), "--bytes", &bytes];
    let truth = actor_in(Place::Namespace(&network.inside), &[&upload, options].concat())?.truth()?;
    if skip::if_skipped(&truth) {
        return Ok(());
    }
    assert_eq!(truth["bytes_sent"], BYTES);
    let received = sink.wait_for(PATIENCE, |received| received.iter().map(|peer| peer.bytes).sum::<u64>() >= BYTES)?;
    let [peer] = received.as_slice() else { panic!("one peer sent, the sink has {received:?}") };
    assert_eq!((peer.transport, peer.bytes), (transport, BYTES));
    let local = truth["network.local.port"].as_u64();
    assert_eq!(local, Some(u64::from(peer.peer.port())));
    match transport {
        Transport::Tcp => assert!(peer.closed, "the actor waits for an orderly end"),
        Transport::Udp => assert!(peer.datagrams > 1),
    }
    assert_eq!(sink.finish()?, received, "nothing comes after the end");
    Ok(())
}

#[test]
fn tcp_over_ipv4() -> Result<(), Box<dyn Error>> {
    uploads(Transport::Tcp, IpAddr::is_ipv4, &[])
}

#[test]
fn tcp_over_ipv6() -> Result<(), Box<dyn Error>> {
    uploads(Transport::Tcp, IpAddr::is_ipv6, &[])
}

#[test]
fn udp_over_ipv4() -> Result<(), Box<dyn Error>> {
    uploads(Transport::Udp, IpAddr::is_ipv4, &[])
}

#[test]
fn udp_over_ipv6() -> Result<(), Box<dyn Error>> {
    uploads(Transport::Udp, IpAddr::is_ipv6, &[])
}

#[test]
fn udp_in_datagrams_that_are_fragmented() -> Result<(), Box<dyn Error>> {
    uploads(Transport::Udp, IpAddr::is_ipv4, &["--chunk", "60000"])?;
    uploads(Transport::Udp, IpAddr::is_ipv6, &["--chunk", "60000"])
}

#[test]
fn udp_without_connecting() -> Result<(), Box<dyn Error>> {
    uploads(Transport::Udp, IpAddr::is_ipv4, &["--unconnected"])?;
    uploads(Transport::Udp, IpAddr::is_ipv6, &["--unconnected"])
}

#[test]
fn tcp_and_udp_by_io_uring() -> Result<(), Box<dyn Error>> {
    uploads(Transport::Tcp, IpAddr::is_ipv4, &["--io-uring"])?;
    uploads(Transport::Udp, IpAddr::is_ipv6, &["--io-uring"])
}

#[test]
fn several_senders_at_once_are_told_apart() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("uploads across namespaces") {
        return Ok(());
    }
    let network = Network::new()?;
    let sink = Sink::start(&network.outside_addresses(), Some(&network.outside))?;
    let mut running = Vec::new();
    for (index, address) in network.outside_addresses().into_iter().cycle().take(4).enumerate() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let (to, bytes) = (sink.address(transport, address)?.to_string(), (100_000 * (index + 1)).to_string());
            let arguments = ["upload", "--to", &to, "--proto", transport.name(), "--bytes", &bytes];
            running.push((transport, actor_in(Place::Namespace(&network.inside), &arguments)?));
        }
    }
    let mut sent = Vec::new();
    for (transport, actor) in running {
        let truth = actor.truth()?;
        let field = |name: &str| truth[name].as_u64().unwrap_or_default();
        sent.push((transport, field("network.local.port"), field("bytes_sent")));
    }
    let mut received: Vec<_> =
        sink.finish()?.iter().map(|peer| (peer.transport, u64::from(peer.peer.port()), peer.bytes)).collect();
    sent.sort();
    received.sort();
    assert_eq!(received, sent);
    Ok(())
}

#[test]
fn an_outside_address_is_reached_by_the_default_route() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("uploads across namespaces") {
        return Ok(());
    }
    let network = Network::new()?;
    let far: IpAddr = "203.0.113.7".parse()?;
    network.add_outside_address(far)?;
    let sink = Sink::start(&[far], Some(&network.outside))?;
    let to = sink.address(Transport::Tcp, far)?.to_string();
    let truth = actor_in(Place::Namespace(&network.inside), &["upload", "--to", &to, "--bytes", "10"])?.truth()?;
    assert_eq!(truth["bytes_sent"], 10);
    assert_eq!(sink.finish()?.iter().map(|peer| peer.bytes).sum::<u64>(), 10);
    Ok(())
}
