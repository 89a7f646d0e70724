//! DNS as a way out.

use super::{RESOLVER, SECOND, Scene, query};
use crate::event::{Body, DnsChannel, DnsDirection};

impl Scene {
    fn asks(&mut self, name: &str) -> DnsChannel {
        self.asks_with(&query(1, name))
    }

    fn asks_with(&mut self, bytes: &[u8]) -> DnsChannel {
        match self.dns(7, RESOLVER, DnsDirection::Query, bytes).body {
            Body::Dns(dns) => dns.channel.unwrap(),
            _ => unreachable!("it was a query"),
        }
    }
}

/// Names of 40 bytes, all different.
fn name(number: u32) -> String {
    format!("{number:024}.tunnel.example.")
}

#[test]
fn bytes_and_names_are_summed_for_each_registered_domain() {
    let mut scene = Scene::new();
    for number in 0..1000 {
        let channel = scene.asks(&name(number));
        assert_eq!(&*channel.registered_domain, "tunnel.example");
        assert_eq!(channel.query_bytes, u64::from(number + 1) * 40);
        let (told, true_) = (channel.distinct_labels as f64, f64::from(number + 1));
        assert!((told - true_).abs() <= 3.0 + true_ * 0.08, "{told} for {true_}");
    }
    let other = scene.asks("huggingface.co.");
    assert_eq!((other.query_bytes, other.distinct_labels), (15, 1));
    assert_eq!(scene.asks("huggingface.co.").distinct_labels, 1, "the same name again");
    scene.workload = "container:b";
    assert_eq!(scene.asks("huggingface.co.").query_bytes, 15);
}

#[test]
fn an_hour_passes() {
    let mut scene = Scene::new();
    scene.asks(&name(1));
    scene.now += 3599 * SECOND;
    assert_eq!(scene.asks(&name(2)).query_bytes, 80);
    scene.now += 4801 * SECOND;
    let channel = scene.asks(&name(3));
    assert_eq!((channel.query_bytes, channel.distinct_labels), (40, 1));
    // Time that goes back a little, as between CPUs.
    scene.now -= 1;
    assert_eq!(scene.asks(&name(4)).query_bytes, 80);
}

#[test]
fn asking_for_many_other_domains_does_not_hide_one() {
    let mut scene = Scene::new();
    let mut told = DnsChannel { registered_domain: "".into(), query_bytes: 0, distinct_labels: 0 };
    for number in 0..500u32 {
        told = scene.asks(&name(number));
        for other in 0..20 {
            scene.asks(&format!("other{number}x{other}.example."));
        }
    }
    assert_eq!(&*told.registered_domain, "tunnel.example");
    assert!(told.query_bytes >= 20_000, "{told:?}");
    assert!(told.distinct_labels > 460, "{told:?}");
    // What is new is told to have been asked for more than it was, by no more than the others' share of a place.
    let share = 500 * 20 * 24 / 64;
    let new = scene.asks("new.example.");
    assert!((11..=share + 1_000).contains(&new.query_bytes), "{new:?}, {share}");
    // It is over with the hour.
    scene.now += 4801 * SECOND;
    assert_eq!(scene.asks("newer.example.").query_bytes, 14);
}

#[test]
fn a_domain_that_lost_its_place_is_never_told_less_than_it_asked_for() {
    let mut scene = Scene::new();
    let mut sent = 0;
    for round in 0..50u32 {
        sent += 40;
        assert!(scene.asks(&name(round)).query_bytes >= sent, "round {round}");
        for other in 0..200 {
            scene.asks(&format!("{round:020}{other:020}.{round}x{other}.example."));
        }
    }
}

#[test]
fn what_a_query_carries_beside_its_name_is_counted() {
    let mut scene = Scene::new();
    let mut padded = query(1, "a.example.");
    padded.resize(1200, 0x41);
    assert_eq!(scene.asks_with(&padded).query_bytes, 1200);
    let raw = scene.asks_with(b"this is no message of DNS");
    assert_eq!((&*raw.registered_domain, raw.query_bytes), (RESOLVER, 25));
}
