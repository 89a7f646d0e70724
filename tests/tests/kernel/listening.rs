//! Sockets that wait for connections.

use crate::watch::{Outcome, events_in, nothing_lost, of, skipped, the};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use tests::scene::{Container, Spec};
use tests::skip;

#[test]
fn who_listens_where() -> Outcome {
    if skipped("sockets that wait for connections") {
        return Ok(());
    }
    let scope = Container::start(&Spec::default())?;
    let cgroup = scope.cgroup_directories.first().ok_or("no cgroup")?;
    let sensor = events_in(&scope, &["--kind", "listen", "--kind", "exec"])?;
    let mut all = Vec::new();
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
        let address: SocketAddr = address.parse()?;
        for is_bound in [true, false] {
            let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = socket(family, SocketType::STREAM, None)?;
            if is_bound {
                match bind(&socket, &address) {
                    Err(Errno::ADDRNOTAVAIL) => {
                        skip::say(&format!("this machine has no address {}: listening there", address.ip()));
                        continue;
                    }
                    bound => bound?,
                }
            }
            let local = SocketAddr::try_from(getsockname(&socket)?)?;
            let mut command = Command::new("/bin/sh");
            command.args(["-c", ":"]).stdin(Stdio::null());
            let mut procs = OpenOptions::new().write(true).open(cgroup.join("cgroup.procs"))?;
            // SAFETY: between fork and exec this makes system calls and allocates nothing. The second call of listen(2) changes the
            // length of the queue only.
            unsafe {
                command.pre_exec(move || {
                    procs.write_all(b"0")?;
                    listen(&socket, 1)?;
                    Ok(listen(&socket, 2)?)
                })
            };
            let mut child = command.spawn()?;
            assert!(child.wait()?.success());
            all.push((child.id(), local, is_bound));
        }
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    for (pid, local, is_bound) in all {
        let event = the(&events, "listen", pid, &local)?;
        let truth = json!({
            "network.local.address": local.ip().to_string(),
            "network.local.port": local.port(),
            "network.transport": "tcp",
            "network.type": if local.is_ipv4() { "ipv4" } else { "ipv6" },
            "weir.hook": "inet_sock_set_state",
        });
        let names = ["network.local.address", "network.transport", "network.type", "weir.hook"];
        assert_eq!(event.differences(&truth, &names), [""; 0]);
        // The kernel chooses a port after it has told, if nobody has.
        let port = Some(u64::from(local.port())).filter(|_| is_bound);
        assert_eq!(event.number("network.local.port"), port);
        assert_eq!(event.field("network.peer.address"), None);
        assert_eq!(of(&events, "exec", pid).len(), 1);
    }
    scope.stop()?;
    Ok(())
}
