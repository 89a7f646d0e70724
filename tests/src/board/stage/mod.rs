//! Where one scenario is played: containers, a network, the world outside, and weights of its own.

mod files;
mod watch;
mod world;

pub use files::MODEL;
pub use world::{Listener, World};

use watch::Watch;

use super::expected::{Expected, Trouble};
use crate::scene::{Container, Directory, Network, Runtime, Spec};
use crate::sink::sum;
use crate::{Place, Running, actor_in};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A stage. It has one container, more if asked for; the model is not in the second unless it is mounted.
pub struct Stage {
    /// The container of the deed.
    pub container: Container,
    /// Further ones, in the order in which they were asked for.
    pub others: Vec<Container>,
    /// The network of the container, and the world outside.
    pub network: Network,
    /// The inode of the weights file, as text.
    pub inode: String,
    /// Its content. (Nobody but the scenario's own processes reads the file.)
    pub model: Vec<u8>,
    files: Directory,
    watch: Watch,
    runtime: Option<Runtime>,
    /// Ids of the runtime's containers.
    foreign: Vec<String>,
}

/// What one more container has besides the shared directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// Nothing.
    Nothing,
    /// The models.
    Models,
    /// The processes of the first container (`shareProcessNamespace: true`).
    Processes,
}

impl Stage {
    /// The address of the world outside at which thieves listen, on [`Stage::PORT`].
    pub const OUTSIDE: Ipv4Addr = Network::OUTSIDE_V4;
    /// Where thieves listen.
    pub const PORT: u16 = 443;
    /// The own object store: declared in the small policy, as are all of 192.0.2.0/24.
    pub const BUCKET: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
    /// The own collector of logs and metrics: declared.
    pub const COLLECTOR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
    /// A pod on another node: declared.
    pub const POD: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 3);
    /// The cluster's DNS server: declared.
    pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
    /// A hub of models: not declared.
    pub const HUB: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);

    /// Sets it; `seed` makes the weights its own. Needs root.
    pub fn set(seed: u64) -> Result<Stage, Trouble> {
        let files = Directory::new()?;
        let (model, inode) = files::write(files.path(), seed)?;
        let network = Network::new()?;
        for address in [Self::BUCKET, Self::COLLECTOR, Self::POD, Self::RESOLVER, Self::HUB] {
            network.add_outside_address(address.into())?;
        }
        let container = Container::start(&Spec {
            binds: files::binds(files.path(), true),
            network: Some(&network.inside),
            overlay: true,
            processes_of: None,
        })?;
        let watch = Watch::start();
        watch.container(&container);
        Ok(Stage {
            container,
            others: Vec::new(),
            network,
            inode,
            model,
            files,
            watch,
            runtime: None,
            foreign: Vec::new(),
        })
    }

    /// One more container on the same network, with the shared directory. Its number among the others.
    pub fn another(&mut self, has: Has) -> Result<usize, Trouble> {
        let container = Container::start(&Spec {
            binds: files::binds(self.files.path(), has == Has::Models),
            network: Some(&self.network.inside),
            overlay: true,
            processes_of: (has == Has::Processes).then_some(&self.container),
        })?;
        self.watch.container(&container);
        self.others.push(container);
        Ok(self.others.len() - 1)
    }

    /// The container of the deed, or one of the others.
    pub fn place(&self, other: Option<usize>) -> Result<&Container, Trouble> {
        match other {
            None => Ok(&self.container),
            Some(number) => Ok(self.others.get(number).ok_or("no such container")?),
        }
    }

    /// A path in the shared directory, as containers see it.
    pub fn shared(&self, name: &str) -> String {
        format!("{}/{name}", files::SHARED)
    }

    /// The shared directory on the host.
    pub fn shared_on_host(&self) -> PathBuf {
        self.files.path().join("shared")
    }

    /// The service account's token.
    pub fn token(&self) -> String {
        format!("{}/token", files::ACCOUNT)
    }

    /// The world outside, listening with TCP and UDP on port 443 of all its addresses, these further ones included, and answering as a
    /// DNS server.
    pub fn world(&self, more: &[Ipv4Addr]) -> Result<World, Trouble> {
        let mut addresses = self.network.outside_addresses();
        for address in more {
            self.network.add_outside_address((*address).into())?;
        }
        let own = [Self::BUCKET, Self::COLLECTOR, Self::POD, Self::HUB];
        addresses.extend(own.iter().chain(more).copied().map(IpAddr::from));
        World::open(&self.network, &addresses)
    }

    /// An actor's deed in the container; the lines that it said.
    pub fn act(&self, arguments: &[&str]) -> Result<Vec<Value>, Trouble> {
        self.act_in(None, arguments)
    }

    /// The same in one of the others.
    pub fn act_in(&self, other: Option<usize>, arguments: &[&str]) -> Result<Vec<Value>, Trouble> {
        lines(actor_in(Place::Container(self.place(other)?), arguments)?)
    }

    /// The same, without waiting for its end.
    pub fn begin(&self, arguments: &[&str]) -> io::Result<Running> {
        actor_in(Place::Container(&self.container), arguments)
    }

    /// The copy of the actor at `program` does it, whatever its name is.
    pub fn act_as(&self, program: &str, arguments: &[&str]) -> Result<Vec<Value>, Trouble> {
        lines(self.spawn(program, arguments)?)
    }

    /// Starts a program in the container.
    pub fn spawn(&self, program: &str, arguments: &[&str]) -> io::Result<Running> {
        Place::Container(&self.container).spawn(OsStr::new(program), arguments)
    }

    /// Runs a program in the container to its end, which has to be a good one.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>, Trouble> {
        let output = self.spawn(program, arguments)?.output()?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(format!("{program} {arguments:?}: {}", output.status).into())
    }

    /// A shell script in the container; the lines of truth that the actors in it said. The actor is `$A`.
    pub fn script(&self, script: &str) -> Result<Vec<Value>, Trouble> {
        lines(self.spawn("/bin/sh", &["-ec", &format!("A={}; {script}", Container::ACTOR)])?)
    }

    /// The actor under another name, in the container; its path there.
    pub fn actor_called<'a>(&self, path: &'a str) -> Result<&'a str, Trouble> {
        let directory = Path::new(path).parent().and_then(Path::to_str).ok_or("no directory")?;
        self.run("/bin/mkdir", &["-p", directory])?;
        self.run("/bin/cp", &[Container::ACTOR, path])?;
        Ok(path)
    }

    /// The truth of an attack: what the actors said, which has to be what came out of the world. `verbatim`: what left are the bytes
    /// of the file, unchanged.
    pub fn truth_of(
        &self,
        lines: &[Value],
        sender: Option<usize>,
        world: World,
        verbatim: bool,
    ) -> Result<Expected, Trouble> {
        self.truth_in(lines, &self.place(sender)?.id, world, verbatim, 0)
    }

    /// The same, where so many bytes had left before, rightly.
    pub fn truth_after(&self, lines: &[Value], world: World, before: u64) -> Result<Expected, Trouble> {
        self.truth_in(lines, &self.container.id, world, false, before)
    }

    /// The same, with the sender in the container of this id.
    pub fn truth_in(
        &self,
        lines: &[Value],
        id: &str,
        world: World,
        verbatim: bool,
        before: u64,
    ) -> Result<Expected, Trouble> {
        let mut expected = Expected::of(lines, &[id])?;
        expected.inodes = vec![self.inode.clone()];
        expected.verbatim = verbatim;
        let (bytes, sum) = world.finish()?.all();
        self.check(&expected, lines, (bytes.saturating_sub(before), sum))?;
        Ok(expected)
    }

    /// That what was said is what came, and that it was the weights.
    pub fn check(&self, expected: &Expected, lines: &[Value], (bytes, its_sum): (u64, u64)) -> Result<(), Trouble> {
        let told = lines.iter().filter(|line| line["role"] == "reader").filter_map(|line| line["file.inode"].as_str());
        if let Some(other) = told.into_iter().find(|inode| *inode != self.inode) {
            return Err(format!("the reader opened inode {other}, not {}", self.inode).into());
        }
        if expected.readers.is_empty() || expected.senders.is_empty() || expected.destinations.is_empty() {
            return Err(format!("the actors do not say who did it: {lines:?}").into());
        }
        if expected.sent() != bytes || bytes == 0 {
            return Err(format!("{} bytes were sent, and {bytes} came", expected.sent()).into());
        }
        let taken = self.model.get(..usize::try_from(bytes)?).map(sum);
        if expected.verbatim && taken != Some(its_sum) {
            return Err(format!("what came ({bytes} bytes) are not the weights").into());
        }
        Ok(())
    }

    /// Starts the actor, under the name `program`, in a container of containerd and runc; with its id.
    pub fn begin_in_runtime(&mut self, program: &str, arguments: &[&str]) -> Result<(Running, String), Trouble> {
        let runtime = match &mut self.runtime {
            Some(runtime) => runtime,
            place => place.insert(Runtime::start()?.map_err(Skip)?),
        };
        let binds = files::binds(self.files.path(), true);
        let (running, id) = runtime.run(&self.network.inside, &binds, program, arguments)?;
        self.foreign.push(id.clone());
        Ok((running, id))
    }

    /// Starts an actor in the world outside, as a process of the host.
    pub fn begin_outside(&self, arguments: &[&str]) -> io::Result<Running> {
        actor_in(Place::Namespace(&self.network.outside), arguments)
    }

    /// Runs a program in one of the containers to its end, which has to be a good one.
    pub fn program_in(&self, other: Option<usize>, program: &str, arguments: &[&str]) -> Result<(), Trouble> {
        let output = Place::Container(self.place(other)?).spawn(OsStr::new(program), arguments)?.output()?;
        if output.status.success() { Ok(()) } else { Err(format!("{program} {arguments:?}: {}", output.status).into()) }
    }

    /// The lines of a deed that was begun, when it has ended.
    pub fn lines_of(&self, running: Running) -> Result<Vec<Value>, Trouble> {
        lines(running)
    }

    /// The inode of a file in the container, as text.
    pub fn inode_of(&self, path: &str) -> Result<String, Trouble> {
        Ok(fs::metadata(self.container.host_path(Path::new(path)))?.ino().to_string())
    }

    /// Connects from outside to a server in the container, once it is there, says `request`, and takes all that comes: how many bytes,
    /// and their sum.
    pub fn fetch(&self, at: &str, request: &[u8]) -> Result<(u64, u64), Trouble> {
        world::fetch(&self.network, at, request)
    }

    /// Listens outside, for one that will be told what to do.
    pub fn listen(&self, address: IpAddr, port: u16) -> Result<Listener, Trouble> {
        Listener::bind(&self.network, address, port)
    }

    /// Ids of all containers.
    pub fn ids(&self) -> Vec<String> {
        let own = std::iter::once(&self.container).chain(&self.others).map(|container| container.id.clone());
        own.chain(self.foreign.iter().cloned()).collect()
    }

    /// Takes it down.
    pub fn strike(self) -> Result<(), Trouble> {
        drop(self.runtime);
        // Those that share the first one's processes first.
        for container in self.others.into_iter().rev() {
            container.stop()?;
        }
        Ok(self.container.stop()?)
    }
}

/// What was said, line by line. A status other than success is an error.
fn lines(running: Running) -> Result<Vec<Value>, Trouble> {
    let output = running.output()?;
    if !output.status.success() {
        return Err(format!("the actor failed: {}", output.status).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect::<Result<Vec<Value>, Trouble>>()?;
    match lines.iter().find_map(|line| line.get("skipped")?.as_str()) {
        Some(why) => Err(Skip(why.to_owned()).into()),
        None => Ok(lines),
    }
}

/// The machine does not offer what the scenario takes.
#[derive(Debug)]
pub struct Skip(pub String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}
