//! Declared destinations.

use crate::event::NamedBy::{Address, Dns, Quic, Tls};
use crate::provenance::declared::{Budget, is_public, stays_here};
use crate::provenance::{Declared, DeclaredEntry, EntryError};

fn entry(line: &str) -> Result<DeclaredEntry, EntryError> {
    line.parse()
}

#[test]
fn an_entry_is_a_network_or_a_name_and_may_have_a_budget() {
    for (line, id, budget) in [
        ("10.0.0.0/8", "10.0.0.0/8", Budget::Usual),
        ("10.0.0.0/8 unlimited", "10.0.0.0/8", Budget::Unlimited),
        ("203.0.113.0/24 500GB/day", "203.0.113.0/24", Budget::PerDay(500_000_000_000)),
        ("203.0.113.7\t1.5 GiB/day", "203.0.113.7", Budget::PerDay(3 << 29)),
        ("2001:db8::/32   0 B/day", "2001:db8::/32", Budget::PerDay(0)),
        ("storage.example.org 7kB/day", "storage.example.org", Budget::PerDay(7_000)),
        ("*.Example.org", "*.Example.org", Budget::Usual),
    ] {
        let entry = entry(line).unwrap_or_else(|error| panic!("{line} {error}"));
        assert_eq!((&*entry.id, entry.budget), (id, budget), "{line}");
    }
    for line in [
        "",
        "10.0.0.0/33",
        "192.0.2.300/24",
        "localhost",
        "*",
        "*.org",
        "a..org",
        "300.1.2.3",
        "a.*.org",
        "ex ample.org",
    ] {
        assert!(entry(line).is_err(), "{line}");
    }
    for budget in
        ["much", "500GB", "GB/day", "1.2.3 GB/day", "-1GB/day", "1e99TB/day", "5 gb/day", "99999999TB/day", "NaN/day"]
    {
        assert_eq!(entry(&format!("10.0.0.0/8 {budget}")), Err(EntryError::Budget), "{budget}");
    }
}

#[test]
fn the_nearest_entry_counts_and_a_hello_alone_declares_nothing() {
    let lines = [
        "10.0.0.0/8 unlimited",
        "10.1.0.0/16 1GB/day",
        "*.example.org 2GB/day",
        "*.bucket.example.org 3GB/day",
        "api.example.org 4GB/day",
    ];
    let declared = Declared::new(lines.map(|line| entry(line).unwrap()));
    let far = Some("203.0.113.9".parse().unwrap());
    let find = |name, by, address: Option<_>| declared.find(name, by, address).map(|entry| entry.budget);
    let giga = |n: u64| Some(Budget::PerDay(n * 1_000_000_000));
    assert_eq!(find(None, Address, Some("10.2.3.4".parse().unwrap())), Some(Budget::Unlimited));
    assert_eq!(find(None, Address, Some("::ffff:10.1.3.4".parse().unwrap())), giga(1));
    assert_eq!(find(None, Address, far), None);
    assert_eq!(find(None, Address, None), None);
    for (name, budget) in [
        ("a.example.org", giga(2)),
        ("A.B.Example.ORG.", giga(2)),
        ("x.bucket.example.org", giga(3)),
        ("bucket.example.org", giga(2)),
        ("api.example.org", giga(4)),
        ("example.org", None),
        ("notexample.org", None),
        ("example.org.attacker.net", None),
        (".example.org", None),
    ] {
        assert_eq!(find(Some(name), Dns, far), budget, "{name}");
        assert_eq!(find(Some(name), Tls, far), None, "{name}: whoever sends writes it");
        assert_eq!(find(Some(name), Quic, far), None, "{name}");
    }
    assert_eq!(find(Some("attacker.net"), Dns, Some("10.1.1.1".parse().unwrap())), giga(1), "by its address then");
}

#[test]
fn what_is_public_and_what_stays_here() {
    let address = |text: &str| text.parse().unwrap();
    for public in ["8.8.8.8", "203.0.113.9", "2001:db8::9", "100.128.0.1", "172.32.0.1", "::ffff:8.8.8.8"] {
        assert!(is_public(address(public)) && !stays_here(address(public)), "{public}");
    }
    for private in
        ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "fe80::1", "fd00::1"]
    {
        assert!(!is_public(address(private)) && !stays_here(address(private)), "{private}");
    }
    for here in ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"] {
        assert!(!is_public(address(here)) && stays_here(address(here)), "{here}");
    }
}
