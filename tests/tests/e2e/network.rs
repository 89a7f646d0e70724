//! Bytes out are those that the receiver counted; connections and sends are seen as they are asked for.

use std::error::Error;
use std::net::IpAddr;
use tests::scene::{Container, Network, Spec};
use tests::sensor::{Event, Sensor};
use tests::sink::{Sink, Transport};
use tests::wait::PATIENCE;
use tests::{Place, actor_in, skip};

const BYTES: u64 = 64 << 20;

/// Uploads out of a container; what the sensor says must be what the sink counted.
fn upload(transport: Transport, family: fn(&IpAddr) -> bool, options: &[&str]) -> Result<(), Box<dyn Error>> {
    if skip::unless_root("a network of our own") {
        return Ok(());
    }
    let network = Network::new()?;
    let Some(outside) = network.outside_addresses().into_iter().find(family) else {
        skip::say("this kernel has no IPv6");
        return Ok(());
    };
    let sink = Sink::start(&[outside], Some(&network.outside))?;
    let container = Container::start(&Spec { network: Some(&network.inside), ..Spec::default() })?;
    let sensor = Sensor::start(&["events", "--kind", "flow", "--kind", "connect"])?;
    let to = sink.address(transport, outside)?;
    let bytes = BYTES.to_string();
    let upload = ["upload", "--to", &to.to_string(), "--proto", transport.name(), "--bytes", &bytes];
    let actor = actor_in(Place::Container(&container), &[&upload, options].concat())?;
    let pid = u64::from(actor.pid());
    let truth = actor.truth()?;
    if skip::if_skipped(&truth) {
        return Ok(());
    }
    let received = sink.wait_for(PATIENCE, |peers| peers.iter().map(|peer| peer.bytes).sum::<u64>() >= BYTES)?;
    let received: u64 = received.iter().map(|peer| peer.bytes).sum();

    let of_actor = |event: &Event, kind| {
        event.kind() == kind
            && event.pid() == Some(pid)
            && event.text("network.peer.address") == Some(&to.ip().to_string())
            && event.number("network.peer.port") == Some(to.port().into())
            && event.text("network.transport") == Some(transport.name())
    };
    let closed = sensor.wait_for("the flow's end", PATIENCE, |event| {
        of_actor(event, "flow") && event.text("weir.flow.reason") == Some("closed")
    })?;
    let told = closed.number("weir.flow.bytes").unwrap_or_default();
    println!("{} {outside} {options:?}: received {received}, told {told}", transport.name());
    assert!(told.abs_diff(received) * 100 <= received, "received {received}, told {told}");
    assert_eq!(closed.text("container.id"), Some(&*container.id));
    assert_eq!(closed.field("weir.connection.initiated"), Some(&true.into()));
    assert_eq!(closed.number("network.local.port"), truth["network.local.port"].as_u64());

    let events = sensor.stop()?.events;
    let reports = events.iter().filter(|event| of_actor(event, "flow")).count();
    // The first byte, 64 KiB, ten doublings to 64 MiB, the end.
    assert!((3..=14).contains(&reports), "{reports} reports of one flow");
    let connects = events.iter().filter(|event| of_actor(event, "connect")).count();
    assert_eq!(connects, 1, "one connect, or the first of many unconnected sends");
    Ok(())
}

#[test]
fn tcp_over_ipv4() -> Result<(), Box<dyn Error>> {
    upload(Transport::Tcp, IpAddr::is_ipv4, &[])
}

#[test]
fn tcp_over_ipv6() -> Result<(), Box<dyn Error>> {
    upload(Transport::Tcp, IpAddr::is_ipv6, &[])
}

#[test]
fn udp_over_ipv4() -> Result<(), Box<dyn Error>> {
    upload(Transport::Udp, IpAddr::is_ipv4, &[])
}

#[test]
fn udp_over_ipv6() -> Result<(), Box<dyn Error>> {
    upload(Transport::Udp, IpAddr::is_ipv6, &[])
}

#[test]
fn udp_without_connecting() -> Result<(), Box<dyn Error>> {
    upload(Transport::Udp, IpAddr::is_ipv4, &["--unconnected"])?;
    upload(Transport::Udp, IpAddr::is_ipv6, &["--unconnected"])
}

#[test]
fn by_io_uring() -> Result<(), Box<dyn Error>> {
    upload(Transport::Tcp, IpAddr::is_ipv4, &["--io-uring"])?;
    upload(Transport::Udp, IpAddr::is_ipv6, &["--io-uring"])
}
