//! Destinations that bytes may go to.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Declared destinations, by address. By default loopback only.
///
/// Missing, and to come with policy: destinations by name (DNS answer, TLS server name), by workload or service, by direction,
/// and a budget for each; then what is declared is counted too, and not simply passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    networks: Vec<IpNet>,
}

impl Default for Declared {
    fn default() -> Declared {
        Declared::new([])
    }
}

impl Declared {
    /// Loopback, and `networks`.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Declared {
        Declared { networks: networks.into_iter().collect() }
    }

    /// Whether bytes to `address` go to a declared destination.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        // Connecting to the unspecified address connects to loopback (tcp_v4_connect, ip_route_output_key).
        let unspecified = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)].contains(&address);
        unspecified || address.is_loopback() || self.networks.iter().any(|network| network.contains(&address))
    }
}
