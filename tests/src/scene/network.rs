//! Network namespaces without names, joined by a veth pair; by `ip` of iproute2.

use crate::{Context, wait};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;

/// A network namespace of our own; it goes when this and everything in it are gone.
#[derive(Debug)]
pub struct NetNs {
    fd: OwnedFd,
}

impl NetNs {
    /// A new one, its loopback interface up.
    pub fn new() -> io::Result<NetNs> {
        let fd = in_thread(|| {
            // SAFETY: NEWNET does not touch the table of descriptors, the one thing that the function is unsafe for.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.context(|| "making a network namespace".into())?;
            File::open("/proc/thread-self/ns/net").context(|| "/proc/thread-self/ns/net".into())
        })?;
        let namespace = NetNs { fd: fd.into() };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Calls `act` in a thread in this namespace. Sockets that it makes and processes that it starts stay there.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> io::Result<T> {
        in_thread(|| {
            move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network))
                .context(|| "entering a network namespace".into())?;
            Ok(act())
        })
    }

    /// Where another process of root finds it, as long as this lives.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.fd.as_raw_fd()).into()
    }

    /// Runs `ip` with these arguments, separated by blanks; what it prints.
    pub fn ip(&self, arguments: &str) -> io::Result<String> {
        let output = self
            .enter(|| Command::new("ip").args(arguments.split_whitespace()).output())?
            .context(|| "running `ip` (package iproute2)".into())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("ip {arguments}: {}", complaint.trim())))
    }
}

/// Two namespaces, joined: `inside` is where the container is, `outside` the rest of the world, where sinks are.
#[derive(Debug)]
pub struct Network {
    /// The container's side.
    pub inside: NetNs,
    /// The world's side; the default route of `inside` leads here.
    pub outside: NetNs,
    /// Why there is no IPv6, if there is none.
    pub no_ipv6: Option<String>,
}

impl Network {
    /// The address of `inside` (TEST-NET-2, RFC 5737).
    pub const INSIDE_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
    /// The address of `outside`.
    pub const OUTSIDE_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
    /// The address of `inside` (unique local, RFC 4193).
    pub const INSIDE_V6: Ipv6Addr = Ipv6Addr::new(0xfd5e, 0xed, 0, 0, 0, 0, 0, 2);
    /// The address of `outside`.
    pub const OUTSIDE_V6: Ipv6Addr = Ipv6Addr::new(0xfd5e, 0xed, 0, 0, 0, 0, 0, 1);

    /// Makes both and joins them; ready to carry packets when this returns.
    pub fn new() -> io::Result<Network> {
        let mut network = Network { inside: NetNs::new()?, outside: NetNs::new()?, no_ipv6: None };
        let outside = network.outside.path();
        network.inside.ip(&format!("link add eth0 type veth peer name eth0 netns {}", outside.display()))?;
        network.inside.ip(&format!("address add {}/24 dev eth0", Self::INSIDE_V4))?;
        network.outside.ip(&format!("address add {}/24 dev eth0", Self::OUTSIDE_V4))?;
        network.no_ipv6 = network.add_ipv6().err().map(|error| error.to_string());
        for namespace in [&network.inside, &network.outside] {
            namespace.ip("link set eth0 up")?;
        }
        for namespace in [&network.inside, &network.outside] {
            // Until then packets are thrown away without a word.
            wait::until(wait::PATIENCE, "the veth pair carries packets", || {
                namespace.ip("-o link show eth0").ok().filter(|line| line.contains("state UP"))
            })?;
        }
        network.inside.ip(&format!("route add default via {}", Self::OUTSIDE_V4))?;
        if network.no_ipv6.is_none() {
            network.inside.ip(&format!("-6 route add default via {}", Self::OUTSIDE_V6))?;
        }
        Ok(network)
    }

    /// The address of `outside` in each family that there is.
    pub fn outside_addresses(&self) -> Vec<IpAddr> {
        let mut addresses = vec![IpAddr::from(Self::OUTSIDE_V4)];
        addresses.extend(self.no_ipv6.is_none().then_some(IpAddr::from(Self::OUTSIDE_V6)));
        addresses
    }

    /// Gives `outside` one more address, which `inside` reaches by its default route.
    pub fn add_outside_address(&self, address: IpAddr) -> io::Result<()> {
        let length = if address.is_ipv4() { 32 } else { 128 };
        self.outside.ip(&format!("address add {address}/{length} dev lo")).map(drop)
    }

    fn add_ipv6(&self) -> io::Result<()> {
        // nodad: an address that waits for the detection of duplicates cannot be used yet.
        self.inside.ip(&format!("-6 address add {}/64 dev eth0 nodad", Self::INSIDE_V6))?;
        self.outside.ip(&format!("-6 address add {}/64 dev eth0 nodad", Self::OUTSIDE_V6)).map(drop)
    }
}

/// Calls `act` in a thread of its own, whose namespaces nobody else has to live with.
fn in_thread<T: Send>(act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| match scope.spawn(act).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
