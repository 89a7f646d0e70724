//! A cluster as far as the sensor sees it: an API server over TLS, with pods of which a test says what they are.
//!
//! Debian packages none, so it is played ([`played`]); `WEIR_TEST_APISERVER=DIRECTORY` names one with `etcd` and `kube-apiserver` in it, and
//! then these are asked ([`real`]), which has the same tests pass.

mod played;
mod real;

use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use tests::receiver::Authority;
use tests::scene::Directory;
use tests::sensor::Sensor;
use tests::{locate, skip};

/// The namespace of its pods.
pub const NAMESPACE: &str = "prod-llm";
/// The node on which the sensor is.
pub const NODE: &str = "node-a";

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// See the module's text; dropping it ends it.
pub struct Cluster {
    directory: Directory,
    authority: Authority,
    port: u16,
    server: Server,
}

enum Server {
    Played(played::Server),
    Real(Box<real::Server>),
}

impl Cluster {
    /// Starts one; nothing where it cannot be used, which is said.
    pub fn start() -> Result<Option<Cluster>> {
        if skip::unless_root("starting the sensor") || !has_kube()? {
            return Ok(None);
        }
        let directory = Directory::new()?;
        let authority = Authority::new(directory.path(), "cluster")?;
        // Free, most likely, also when it is started again.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let issued = authority.issue("127.0.0.1")?;
        let server = match std::env::var_os("WEIR_TEST_APISERVER") {
            Some(programs) => {
                let programs = Path::new(&programs);
                Server::Real(Box::new(real::Server::start(programs, directory.path(), &authority, &issued, port)?))
            }
            None => Server::Played(played::Server::start(&issued, port)?),
        };
        Ok(Some(Cluster { directory, authority, port, server }))
    }

    /// Whether it is played.
    pub fn is_played(&self) -> bool {
        matches!(self.server, Server::Played(_))
    }

    /// Makes a pod of this node, as a controller would, and says what its uid is.
    pub fn make(&self, name: &str, labels: &Value, owner: (&str, &str)) -> Result<String> {
        self.make_on(NODE, name, labels, owner)
    }

    /// Makes one of any node.
    pub fn make_on(&self, node: &str, name: &str, labels: &Value, (kind, owner): (&str, &str)) -> Result<String> {
        let reference = json!({ "apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": true,
            "uid": "5d0c8b2e-0000-4000-8000-000000000001" });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": NAMESPACE, "labels": labels, "ownerReferences": [reference],
                "annotations": { "kubernetes.io/description": "x".repeat(5000) } },
            "spec": { "nodeName": node, "serviceAccountName": "serving",
                "containers": [{ "name": "server", "image": "quay.io/x/vllm:v2" }] },
        });
        match &self.server {
            Server::Played(server) => server.make(pod),
            Server::Real(server) => server.make(&pod),
        }
    }

    /// A container of it was started, as its kubelet tells.
    pub fn runs(&self, pod: &str, container: &str) -> Result<()> {
        let state = json!({ "running": { "startedAt": "2026-11-22T00:00:00Z" } });
        let status = json!({ "status": { "phase": "Running", "podIP": "10.1.2.3", "containerStatuses": [{
            "name": "server", "image": "quay.io/x/vllm:v2", "imageID": format!("quay.io/x/vllm@sha256:{container}"),
            "containerID": format!("containerd://{container}"), "ready": true, "restartCount": 0,
            "state": state, "lastState": {},
        }] } });
        self.patch(&format!("{pod}/status"), &status)
    }

    /// Its kubelet tells of it what nobody wants to know, as it does again and again.
    pub fn beats(&self, pod: &str) -> Result<()> {
        self.patch(&format!("{pod}/status"), &json!({ "status": { "message": "still there" } }))
    }

    /// Somebody gives it another label.
    pub fn label(&self, pod: &str, key: &str, value: &str) -> Result<()> {
        self.patch(pod, &json!({ "metadata": { "labels": { key: value } } }))
    }

    fn patch(&self, path: &str, patch: &Value) -> Result<()> {
        match &self.server {
            Server::Played(server) => server.patch(path, patch),
            Server::Real(server) => server.patch(path, patch),
        }
    }

    /// Takes the sensor's right to look at pods away, or gives it back.
    pub fn allow(&self, may: bool) -> Result<()> {
        match &self.server {
            Server::Played(server) => server.allow(may),
            Server::Real(server) => server.allow(may)?,
        }
        Ok(())
    }

    /// Kills the API server, with all connections.
    pub fn stop(&mut self) -> Result<()> {
        match &mut self.server {
            Server::Played(server) => server.stop(),
            Server::Real(server) => server.stop()?,
        }
        Ok(())
    }

    /// Starts it again.
    pub fn again(&mut self) -> Result<()> {
        match &mut self.server {
            Server::Played(server) => server.again(),
            Server::Real(server) => server.again(),
        }
    }

    /// Has it forget what was before now, so that nobody can go on from there. Only where it is played.
    pub fn forget(&self) {
        if let Server::Played(server) = &self.server {
            server.forget();
        }
    }

    /// The token of the sensor's service account.
    pub fn token(&self) -> &str {
        match &self.server {
            Server::Played(server) => server.token(),
            Server::Real(server) => server.token(),
        }
    }

    /// A file that says where it is, with this token and trust in this authority.
    pub fn kubeconfig(&self, token: &str, authority: &Path) -> Result<PathBuf> {
        let path = self.directory.path().join("kubeconfig");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": { "server": self.url(), "certificate-authority": authority } }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
            "users": [{ "name": "u", "user": { "token": token } }],
        });
        fs::write(&path, text.to_string())?;
        Ok(path)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> &Path {
        &self.authority.certificate
    }

    /// Files of the test.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What `weir` needs in its environment, as `env` takes it.
    pub fn environment(&self) -> Result<Vec<String>> {
        let config = self.kubeconfig(self.token(), self.authority())?;
        Ok(vec![format!("NODE_NAME={NODE}"), format!("KUBECONFIG={}", config.display()), "WEIR_KUBE=1".to_owned()])
    }

    /// A sensor that asks it, and no runtime.
    pub fn sensor(&self, arguments: &[&str]) -> Result<Sensor> {
        sensor(&self.environment()?, &[arguments, &["--runtime-socket", "none"]].concat())
    }
}

/// A sensor with that in its environment.
pub fn sensor(environment: &[String], arguments: &[&str]) -> Result<Sensor> {
    let weir = locate::weir()?.display().to_string();
    let own = environment.iter().map(String::as_str).chain([&*weir]).chain(arguments.iter().copied());
    Ok(Sensor::start_program(Path::new("/usr/bin/env"), &own.collect::<Vec<_>>())?)
}

/// Whether `weir` was built with the feature; if not, that is said.
fn has_kube() -> Result<bool> {
    let output =
        std::process::Command::new(locate::weir()?).args(["events", "--kube"]).env_remove("NODE_NAME").output()?;
    let is_built = !String::from_utf8_lossy(&output.stderr).contains("was built without");
    if !is_built {
        skip::say("weir was built without the feature `kube`: `cargo build -p sensor --features kube`");
    }
    Ok(is_built)
}
