//! What destinations are called: by the answer that the container received, by its ClientHello, by nothing.

use crate::watch::{Outcome, events_in, nothing_lost, of, skipped};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tests::resolver::Resolver;
use tests::scene::{Container, Network, Spec};
use tests::sensor::Event;
use tests::sink::{Sink, Transport};
use tests::{Place, actor_in};

const NAME: &str = "models.example.org";
/// In a private network, as a cluster's resolver is: declared by default (rules/lists/resolvers.txt).
const DECLARED: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

struct Stage {
    network: Network,
    container: Container,
    sink: Sink,
    _resolvers: Vec<Resolver>,
}

impl Stage {
    fn new() -> Result<Stage, Box<dyn std::error::Error>> {
        let network = Network::new()?;
        network.add_outside_address(DECLARED.into())?;
        let addresses = network.outside_addresses().into_iter().chain([DECLARED.into()]);
        let resolver = |address| Resolver::start(SocketAddr::new(address, 53), &network.outside, Network::OUTSIDE_V4);
        let resolvers = addresses.map(resolver).collect::<Result<_, _>>()?;
        let container = Container::start(&Spec { network: Some(&network.inside), ..Spec::default() })?;
        let sink = Sink::start(&[Network::OUTSIDE_V4.into()], Some(&network.outside))?;
        Ok(Stage { network, container, sink, _resolvers: resolvers })
    }

    /// Goes to the sink; what was reported of it.
    fn visit(&self, transport: Transport, options: &[&str]) -> Result<Vec<Event>, Box<dyn std::error::Error>> {
        let sensor = events_in(&self.container, &[])?;
        let port = self.sink.address(transport, Network::OUTSIDE_V4.into())?.port().to_string();
        let actor = actor_in(Place::Container(&self.container), &[&["visit", "--port", &port], options].concat())?;
        let pid = actor.pid();
        let truth = actor.truth()?;
        assert_eq!(truth["network.peer.address"], Network::OUTSIDE_V4.to_string());
        let events = sensor.stop()?.events;
        nothing_lost(&events);
        Ok(events.into_iter().filter(|event| event.pid() == Some(pid.into())).collect())
    }
}

/// What the server of each connect and flow to the sink goes by: name, by what, and the name in the hello.
fn servers<'a>(events: &'a [Event], kind: &str) -> Vec<[Option<&'a str>; 3]> {
    let to_sink = events.iter().filter(|event| {
        event.kind() == kind
            && event.text("network.peer.address") == Some("198.51.100.1")
            && event.number("network.peer.port") != Some(53)
    });
    let fields = ["server.address", "weir.destination.by", "weir.tls.server_name"];
    to_sink.map(|event| fields.map(|field| event.text(field))).collect()
}

#[test]
fn the_answer_that_a_container_received_names_its_server() -> Outcome {
    if skipped("names by DNS") {
        return Ok(());
    }
    let stage = Stage::new()?;
    let mut resolvers = vec![IpAddr::from(DECLARED)];
    resolvers.extend(stage.network.no_ipv6.is_none().then_some(IpAddr::from(Network::OUTSIDE_V6)));
    for resolver in resolvers {
        for more in [&[][..], &["--unconnected"]] {
            let resolver = SocketAddr::new(resolver, 53).to_string();
            let options = [&["--resolver", &resolver, "--hello", "other.example.net"], more].concat();
            let events = stage.visit(Transport::Tcp, &options)?;
            let dns: Vec<_> = events.iter().filter(|event| event.kind() == "dns").collect();
            let [query, answer] = dns.as_slice() else { return Err(format!("{resolver}: {dns:#?}").into()) };
            for (event, direction, hook) in [(query, "query", "cgroup_skb"), (answer, "answer", "cgroup_skb_ingress")] {
                assert_eq!(event.text("weir.dns.direction"), Some(direction));
                assert_eq!(event.text("weir.hook"), Some(hook));
                assert_eq!(event.text("dns.question.name"), Some(NAME));
                assert_eq!(event.number("network.peer.port"), Some(53));
                assert_eq!(event.text("container.id"), Some(&*stage.container.id));
            }
            assert_eq!(query.text("weir.dns.registered_domain"), Some("example.org"));
            assert!(query.number("weir.dns.query_bytes") >= Some(NAME.len() as u64), "{query:?}");
            assert_eq!(answer.list("dns.answers"), ["198.51.100.1"]);

            assert_eq!(servers(&events, "connect"), [[Some(NAME), Some("dns"), None]]);
            let flows = servers(&events, "flow");
            assert!(flows.len() >= 2, "{flows:?}");
            let said = [Some(NAME), Some("dns"), Some("other.example.net")];
            assert!(flows.iter().all(|server| *server == said), "what DNS says judges: {flows:?}");
            let flow = events.iter().rfind(|event| event.kind() == "flow").ok_or("no flow")?;
            assert_eq!(flow.field("weir.tls.disagrees").and_then(|value| value.as_bool()), Some(true));
        }
    }
    stage.container.stop()?;
    Ok(())
}

#[test]
fn a_resolver_that_is_not_declared_is_heard_and_not_believed() -> Outcome {
    if skipped("names by DNS") {
        return Ok(());
    }
    let stage = Stage::new()?;
    let resolver = SocketAddr::new(Network::OUTSIDE_V4.into(), 53).to_string();
    let events = stage.visit(Transport::Tcp, &["--resolver", &resolver, "--begin", "plain"])?;
    assert_eq!(events.iter().filter(|event| event.kind() == "dns").count(), 2);
    assert_eq!(events.iter().filter(|event| event.kind() == "hello").count(), 0);
    for kind in ["connect", "flow"] {
        let found = servers(&events, kind);
        assert!(!found.is_empty() && found.iter().all(|server| *server == [None, Some("address"), None]), "{found:?}");
    }
    stage.container.stop()?;
    Ok(())
}

#[test]
fn a_client_hello_names_its_server_where_nobody_was_asked() -> Outcome {
    if skipped("names by ClientHellos") {
        return Ok(());
    }
    let stage = Stage::new()?;
    let address = Network::OUTSIDE_V4.to_string();
    // In one packet, and cut into three.
    for (packets, more) in [(1, &[][..]), (3, &["--pieces", "700"])] {
        let events = stage.visit(Transport::Tcp, &[&["--address", &address][..], more].concat())?;
        let hellos: Vec<_> = events.iter().filter(|event| event.kind() == "hello").collect();
        assert_eq!(hellos.len(), packets, "{hellos:#?}");
        assert_eq!(hellos.last().and_then(|hello| hello.text("weir.tls.server_name")), Some(NAME));
        assert_eq!(servers(&events, "connect"), [[None, Some("address"), None]], "nothing was said yet");
        assert_eq!(servers(&events, "flow").last(), Some(&[Some(NAME), Some("tls"), Some(NAME)]));
    }
    let events = stage.visit(Transport::Udp, &["--address", &address, "--begin", "quic"])?;
    let quic = [Some("example.com"), Some("quic"), Some("example.com")];
    let flows = servers(&events, "flow");
    assert!(!flows.is_empty() && flows.iter().all(|server| *server == quic), "{flows:?}");
    assert_eq!(of(&events, "hello", events.first().and_then(Event::pid).unwrap_or_default() as u32).len(), 1);
    stage.container.stop()?;
    Ok(())
}
