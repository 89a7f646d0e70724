//! Bytes that leave: as many as arrive, by whoever made the socket, whichever side asked for the connection.

use crate::watch::{Outcome, events_in, nothing_lost, of, skipped, the};
use serde_json::json;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use tests::scene::{Bind, Container, Directory, Network, Spec};
use tests::sink::{Sink, Transport};
use tests::wait::{PATIENCE, until};
use tests::{Place, actor_in, skip, weights};

const MIB: u64 = 1 << 20;
const BYTES: u64 = 64 * MIB;
/// The default of `--flow-floor`.
const FLOOR: u64 = 64 << 10;

/// Uploads out of a container, in every family that there is: what is reported is what the sink counted.
fn upload(transport: Transport, options: &[&str]) -> Outcome {
    if skipped("uploads out of a container") {
        return Ok(());
    }
    let network = Network::new()?;
    if let Some(why) = &network.no_ipv6 {
        skip::say(&format!("no IPv6: {why}"));
    }
    let container = Container::start(&Spec { network: Some(&network.inside), ..Spec::default() })?;
    for address in network.outside_addresses() {
        let sink = Sink::start(&[address], Some(&network.outside))?;
        let sensor = events_in(&container, &["--kind", "flow", "--kind", "connect"])?;
        let (to, bytes) = (sink.address(transport, address)?.to_string(), BYTES.to_string());
        let arguments = ["upload", "--to", &to, "--proto", transport.name(), "--bytes", &bytes];
        let actor = actor_in(Place::Container(&container), &[&arguments, options].concat())?;
        let pid = actor.pid();
        let mut truth = actor.truth()?;
        if skip::if_skipped(&truth) {
            return Ok(());
        }
        let events = sensor.stop()?.events;
        nothing_lost(&events);
        let received: u64 = sink.finish()?.iter().map(|peer| peer.bytes).sum();
        assert_eq!(received, BYTES, "the sink has all of it");

        truth["container.id"] = json!(container.id);
        truth["weir.connection.initiated"] = json!(true);
        let peer = ["network.transport", "network.type", "network.peer.address", "network.peer.port"];
        let who = ["process.vpid", "container.id", "weir.connection.initiated"];
        let connect = the(&events, "connect", pid, &"one connect, or the first of many unconnected sends")?;
        assert_eq!(connect.differences(&truth, &[&peer[..], &who].concat()), [""; 0]);
        let unconnected = options.contains(&"--unconnected");
        let hook = if unconnected { "cgroup_sendmsg" } else { "cgroup_connect" };
        assert_eq!(connect.text("weir.hook"), Some(hook));

        let reports = of(&events, "flow", pid);
        for report in &reports {
            // A socket that is not connected has no address of its own to ask for.
            let local = if unconnected {
                &["network.local.port"][..]
            } else {
                &["network.local.port", "network.local.address"]
            };
            assert_eq!(report.differences(&truth, &[&peer[..], &who, local].concat()), [""; 0]);
            assert_eq!(report.field("weir.socket.cookie"), connect.field("weir.socket.cookie"));
        }
        let bytes: Vec<u64> = reports.iter().filter_map(|report| report.number("weir.flow.bytes")).collect();
        assert!(bytes.is_sorted(), "{bytes:?}");
        let reasons: Vec<_> = reports.iter().filter_map(|report| report.text("weir.flow.reason")).collect();
        assert_eq!((reasons.first(), reasons.last()), (Some(&"first"), Some(&"closed")), "{reasons:?}");
        assert_eq!(reasons.iter().filter(|reason| **reason == "closed").count(), 1, "{reasons:?}");
        // The first byte, the floor, each doubling of it, the end.
        let most = 3 + (BYTES / FLOOR).ilog2() as usize;
        assert!(reports.len() <= most, "{} reports, at most {most} are due: {bytes:?}", reports.len());
        let told = bytes.last().copied().unwrap_or_default();
        println!(
            "{} {address} {options:?}: {received} bytes received, {told} told, {} reports",
            transport.name(),
            reports.len()
        );
        assert_eq!(told, received, "exactly, where one in a hundred would be allowed");
    }
    container.stop()?;
    Ok(())
}

#[test]
fn tcp() -> Outcome {
    upload(Transport::Tcp, &[])
}

#[test]
fn udp() -> Outcome {
    upload(Transport::Udp, &[])
}

#[test]
fn udp_without_connecting() -> Outcome {
    upload(Transport::Udp, &["--unconnected"])
}

#[test]
fn udp_in_datagrams_that_are_fragmented() -> Outcome {
    upload(Transport::Udp, &["--chunk", "60000"])
}

#[test]
fn tcp_and_udp_by_io_uring() -> Outcome {
    upload(Transport::Tcp, &["--io-uring"])?;
    upload(Transport::Udp, &["--io-uring"])
}

#[test]
fn what_answers_did_not_ask() -> Outcome {
    if skipped("a server in a container") {
        return Ok(());
    }
    const PORT: u16 = 7000;
    let models = Directory::new()?;
    let size = weights::safetensors(&models.path().join("model.safetensors"), 8, 1)?;
    let network = Network::new()?;
    let bind = Bind { source: models.path().into(), target: "/models".into(), read_only: true };
    let spec = Spec { network: Some(&network.inside), binds: vec![bind], ..Spec::default() };
    let container = Container::start(&spec)?;
    let mut addresses = vec![IpAddr::from(Network::INSIDE_V4)];
    match &network.no_ipv6 {
        None => addresses.push(Network::INSIDE_V6.into()),
        Some(why) => skip::say(&format!("no IPv6: {why}")),
    }
    for address in addresses {
        let server = SocketAddr::new(address, PORT);
        let sensor = events_in(&container, &["--kind", "flow", "--kind", "connect"])?;
        let bind = server.to_string();
        let arguments = ["answer", "--read", "/models/model.safetensors", "--bind", &bind];
        let actor = actor_in(Place::Container(&container), &arguments)?;
        let pid = actor.pid();
        let mut client =
            network.outside.enter(|| until(PATIENCE, "the server listens", || TcpStream::connect(server).ok()))??;
        let mut received = Vec::new();
        client.read_to_end(&mut received)?;
        drop(client);
        let mut truth = actor.truth()?;
        let events = sensor.stop()?.events;
        nothing_lost(&events);
        assert_eq!((received.len() as u64, truth["bytes_sent"].as_u64()), (size, Some(size)));
        assert!(of(&events, "connect", pid).is_empty(), "it connected to nobody");
        truth["network.local.address"] = json!(address.to_string());
        truth["network.local.port"] = json!(PORT);
        truth["container.id"] = json!(container.id);
        truth["weir.connection.initiated"] = json!(false);
        let reports = of(&events, "flow", pid);
        for report in &reports {
            let names = [
                "network.peer.address",
                "network.peer.port",
                "network.local.address",
                "network.local.port",
                "process.vpid",
                "container.id",
                "weir.connection.initiated",
            ];
            assert_eq!(report.differences(&truth, &names), [""; 0]);
        }
        let last = reports.last().ok_or("no flow")?;
        assert_eq!(last.text("weir.flow.reason"), Some("closed"));
        assert_eq!(last.number("weir.flow.bytes"), Some(size));
    }
    container.stop()?;
    Ok(())
}
