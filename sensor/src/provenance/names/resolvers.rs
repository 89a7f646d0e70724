//! Which resolvers are believed.

use ipnet::IpNet;
use std::net::IpAddr;

/// Resolvers whose answers name destinations. A workload can ask whomever it likes and so be told whatever it likes: the answers of
/// others are heard, and name nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolvers {
    networks: Vec<IpNet>,
}

impl Resolvers {
    /// Those in `networks`.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Resolvers {
        Resolvers { networks: networks.into_iter().collect() }
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}
