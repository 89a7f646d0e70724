//! Declared destinations.

use crate::event::NamedBy::{Address, Dns, Quic, Tls};
use crate::policy::{Budget, Declared, DeclaredEntry, Direction, EntryError, REQUESTS};

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
fn of_what_is_only_downloaded_from_requests_go_there() {
    let budget = |direction, budget| DeclaredEntry::new("a.example.org", budget, direction).map(|entry| entry.budget);
    assert_eq!(budget(Direction::Download, None), Ok(Budget::PerDay(REQUESTS)), "and it does not follow what is usual");
    assert_eq!(budget(Direction::Download, Some("1GB/day")), Ok(Budget::PerDay(1_000_000_000)));
    assert_eq!(budget(Direction::Upload, None), Ok(Budget::Usual));
    assert_eq!(budget(Direction::Both, Some("unlimited")), Ok(Budget::Unlimited));
}

#[test]
fn of_two_that_declare_the_same_the_first_counts() {
    let lines = ["10.0.0.0/8 1GB/day", "a.example.org 1GB/day", "10.0.0.0/8 unlimited", "a.example.org unlimited"];
    let declared = Declared::new(lines.map(|line| entry(line).unwrap()));
    let one = Some(Budget::PerDay(1_000_000_000));
    let budget = |name, address: Option<&str>| {
        declared.find(name, Dns, address.map(|address| address.parse().unwrap())).map(|entry| entry.budget)
    };
    assert_eq!((budget(None, Some("10.1.1.1")), budget(Some("a.example.org"), None)), (one, one));
}
