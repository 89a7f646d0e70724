//! The kernel's own counters of what leaves: as many bytes as arrive, whatever the reports of flows said.

use crate::watch::{Outcome, events_in, nothing_lost, skipped};
use tests::scene::{Container, Network, Spec};
use tests::sink::{Sink, Transport};
use tests::{Place, actor_in};

/// Far from a power of two and from any report of a flow.
const BYTES: u64 = 10_000_019;

#[test]
fn every_byte_is_counted_once() -> Outcome {
    if skipped("uploads out of a container") {
        return Ok(());
    }
    let network = Network::new()?;
    let container = Container::start(&Spec { network: Some(&network.inside), ..Spec::default() })?;
    let ways = [(Transport::Tcp, &[][..]), (Transport::Udp, &[]), (Transport::Udp, &["--unconnected"])];
    for address in network.outside_addresses() {
        for (transport, options) in ways {
            let sink = Sink::start(&[address], Some(&network.outside))?;
            let sensor = events_in(&container, &["--kind", "egress"])?;
            let (to, bytes) = (sink.address(transport, address)?.to_string(), BYTES.to_string());
            let arguments = ["upload", "--to", &to, "--proto", transport.name(), "--bytes", &bytes];
            let actor = actor_in(Place::Container(&container), &[&arguments, options].concat())?;
            let pid = actor.pid();
            actor.truth()?;
            let events = sensor.stop()?.events;
            nothing_lost(&events);
            let received: u64 = sink.finish()?.iter().map(|peer| peer.bytes).sum();
            assert_eq!(received, BYTES, "the sink has all of it");
            let peer = address.to_string();
            let is_ours = |event: &&tests::sensor::Event| event.text("network.peer.address") == Some(peer.as_str());
            let last = events.iter().rfind(is_ours).ok_or("no growth was told")?;
            let name = transport.name();
            assert_eq!(last.number("weir.egress.bytes"), Some(received), "{name} {address} {options:?}: {events:#?}");
            // The ledger charges what the flows or the counters say, whichever is more: neither is above the truth, nor both below.
            assert_eq!(
                last.number("weir.destination.bytes"),
                Some(received),
                "{name} {address} {options:?}: {events:#?}"
            );
            assert_eq!(last.text("weir.destination.id"), Some(peer.as_str()));
            assert_eq!(last.text("container.id"), Some(&*container.id));
            assert_eq!(last.text("network.transport"), Some(name));
            assert_eq!(last.pid(), Some(pid.into()), "whoever was last seen to send there");
        }
    }
    container.stop()?;
    Ok(())
}
