//! What is told of an address.

use super::super::destination::{is_public, stays_here};

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
