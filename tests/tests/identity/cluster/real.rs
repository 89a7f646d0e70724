//! Real: etcd and kube-apiserver on the loopback, with RBAC, and a service account that may get, list and watch pods and nothing else.

use super::{NAMESPACE, Result};
use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tests::receiver::{Authority, Issued};
use tests::wait::{PATIENCE, until};
use tokio::runtime::Runtime;

/// See the module's text; dropping it ends both.
pub struct Server {
    tokio: Runtime,
    admin: kube::Client,
    token: String,
    etcd: Child,
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    server: Option<Child>,
}

const ADMIN: &str = "the-token-of-the-admin";

impl Server {
    pub fn start(
        programs: &Path,
        directory: &Path,
        authority: &Authority,
        issued: &Issued,
        port: u16,
    ) -> Result<Server> {
        let free = || Ok::<_, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let (client, peer) = (format!("http://127.0.0.1:{}", free()?), format!("http://127.0.0.1:{}", free()?));
        let log = directory.join("cluster.log");
        let mut etcd = Command::new(programs.join("etcd"));
        etcd.arg("--data-dir").arg(directory.join("etcd")).arg("--unsafe-no-fsync");
        etcd.args(["--listen-client-urls", &client, "--advertise-client-urls", &client, "--listen-peer-urls", &peer]);
        let etcd = start(etcd, &log)?;
        let tokens = directory.join("tokens.csv");
        fs::write(&tokens, format!("{ADMIN},admin,admin,system:masters\n"))?;
        // The keys by which it makes tokens of service accounts.
        let accounts = authority.issue("accounts")?;
        let path = |path: &Path| path.display().to_string();
        let arguments = [
            ("etcd-servers", client),
            ("bind-address", "127.0.0.1".to_owned()),
            ("secure-port", port.to_string()),
            ("tls-cert-file", path(&issued.certificate)),
            ("tls-private-key-file", path(&issued.key)),
            ("service-account-key-file", path(&accounts.certificate)),
            ("service-account-signing-key-file", path(&accounts.key)),
            ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
            ("authorization-mode", "RBAC".to_owned()),
            ("token-auth-file", path(&tokens)),
            ("service-cluster-ip-range", "10.0.0.0/24".to_owned()),
            // There is no controller that would make the service accounts of pods.
            ("disable-admission-plugins", "ServiceAccount".to_owned()),
            ("cert-dir", path(&directory.join("apiserver"))),
        ];
        let arguments = arguments.map(|(name, value)| format!("--{name}={value}")).into();
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let admin = tokio.block_on(admin(&format!("https://127.0.0.1:{port}"), &authority.certificate))?;
        let program = programs.join("kube-apiserver");
        let mut server = Server { tokio, admin, token: String::new(), etcd, program, arguments, log, server: None };
        server.again()?;
        server.furnish()?;
        Ok(server)
    }

    /// Namespaces, the service account, its rights and its token.
    fn furnish(&mut self) -> Result<()> {
        for namespace in [NAMESPACE, "weir"] {
            self.post("/api/v1/namespaces", &json!({ "metadata": { "name": namespace } }))?;
        }
        self.post("/api/v1/namespaces/weir/serviceaccounts", &json!({ "metadata": { "name": "weir" } }))?;
        let rule = json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"] });
        let role = json!({ "metadata": { "name": "weir" }, "rules": [rule] });
        self.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role)?;
        self.allow(true)?;
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
        let answer = self.post("/api/v1/namespaces/weir/serviceaccounts/weir/token", &request)?;
        self.token = answer["status"]["token"].as_str().ok_or("no token")?.to_owned();
        Ok(())
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn make(&self, pod: &Value) -> Result<String> {
        let made = self.post(&format!("/api/v1/namespaces/{NAMESPACE}/pods"), pod)?;
        Ok(made["metadata"]["uid"].as_str().ok_or("no uid")?.to_owned())
    }

    pub fn patch(&self, path: &str, patch: &Value) -> Result<()> {
        self.ask("PATCH", &format!("/api/v1/namespaces/{NAMESPACE}/pods/{path}"), patch).map(drop)
    }

    pub fn allow(&self, may: bool) -> Result<()> {
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        if !may {
            return self.ask("DELETE", &format!("{path}/weir"), &json!({})).map(drop);
        }
        let binding = json!({ "metadata": { "name": "weir" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "weir" },
            "subjects": [{ "kind": "ServiceAccount", "name": "weir", "namespace": "weir" }] });
        self.post(path, &binding).map(drop)
    }

    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            server.kill()?;
            server.wait()?;
        }
        Ok(())
    }

    pub fn again(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        self.server = Some(start(command, &self.log)?);
        let mut last = String::new();
        let ready = until(PATIENCE, "the API server is ready", || {
            let request = Request::get("/readyz").body(Vec::new()).ok()?;
            let answer = self.tokio.block_on(self.admin.request_text(request));
            answer.map_err(|error| last = error.to_string()).ok()
        });
        if let Err(error) = ready {
            let log = fs::read_to_string(&self.log)?;
            let words: Vec<&str> = log.lines().rev().take(20).collect();
            return Err(format!("{error} ({last}); its last words, the last first:\n{}", words.join("\n")).into());
        }
        Ok(())
    }

    fn post(&self, path: &str, object: &Value) -> Result<Value> {
        self.ask("POST", path, object)
    }

    fn ask(&self, method: &str, path: &str, object: &Value) -> Result<Value> {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        Ok(self.tokio.block_on(self.admin.request(request.body(object.to_string().into_bytes())?))?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = self.stop().and_then(|()| Ok(self.etcd.kill()?)).and_then(|()| Ok(self.etcd.wait()?));
        if let Err(error) = stopped {
            eprintln!("the cluster could not be ended: {error}");
        }
    }
}

/// A client that may do everything.
async fn admin(url: &str, authority: &Path) -> Result<kube::Client> {
    let config: Kubeconfig = serde_json::from_value(json!({
        "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": url, "certificate-authority": authority } }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
        "users": [{ "name": "u", "user": { "token": ADMIN } }],
    }))?;
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

fn start(mut command: Command, log: &Path) -> Result<Child> {
    let log = File::options().append(true).create(true).open(log)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // SAFETY: between fork and exec this makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
    }
    Ok(command.spawn()?)
}
