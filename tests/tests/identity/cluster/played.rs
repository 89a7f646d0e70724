//! Played: what an API server does for who lists and watches pods. Lists, watches, versions, forgetting (410), tokens (401) and rights (403)
//! are as in Kubernetes' documentation ("API concepts").

use super::super::fake::Frames;
use super::Result;
use http::{Request, Response, StatusCode};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tests::receiver::{Issued, acceptor};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

/// See the module's text.
pub struct Server {
    cluster: Arc<Cluster>,
    tls: TlsAcceptor,
    port: u16,
    runtime: Option<Runtime>,
}

struct Cluster {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Everything that happened, with the version that it made: `ADDED` or `MODIFIED`, and the pod.
    events: Vec<(u64, &'static str, Value)>,
    pods: Vec<Value>,
    version: u64,
    forgotten: u64,
    forbidden: bool,
}

const TOKEN: &str = "the-token-of-the-sensor";

impl Server {
    pub fn start(issued: &Issued, port: u16) -> Result<Server> {
        let cluster = Cluster { state: Mutex::default(), changed: watch::Sender::new(0) };
        let tls = acceptor(&issued.certificate, &issued.key, None)?;
        let mut server = Server { cluster: Arc::new(cluster), tls, port, runtime: None };
        server.again()?;
        Ok(server)
    }

    pub fn again(&mut self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", self.port)))?;
        runtime.spawn(serve(listener, self.tls.clone(), Arc::clone(&self.cluster)));
        self.runtime = Some(runtime);
        Ok(())
    }

    pub fn stop(&mut self) {
        self.runtime = None;
    }

    pub fn token(&self) -> &str {
        TOKEN
    }

    pub fn allow(&self, may: bool) {
        self.cluster.lock().forbidden = !may;
    }

    pub fn forget(&self) {
        let mut state = self.cluster.lock();
        state.forgotten = state.version;
    }

    pub fn make(&self, mut pod: Value) -> Result<String> {
        let number = self.cluster.lock().pods.len();
        let uid = format!("7c0d1234-0000-4000-8000-{number:012}");
        pod["metadata"]["uid"] = json!(uid);
        self.cluster.tell("ADDED", pod);
        Ok(uid)
    }

    pub fn patch(&self, path: &str, patch: &Value) -> Result<()> {
        let name = path.split('/').next().unwrap_or_default();
        let pods = self.cluster.lock().pods.clone();
        let mut pod = pods.into_iter().find(|pod| pod["metadata"]["name"] == name).ok_or("no such pod")?;
        merge(&mut pod, patch);
        self.cluster.tell("MODIFIED", pod);
        Ok(())
    }
}

/// JSON merge patch (RFC 7396), without removing.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            patch.iter().for_each(|(key, value)| merge(into.entry(key.clone()).or_insert(Value::Null), value));
        }
        (into, patch) => *into = patch.clone(),
    }
}

impl Cluster {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, what: &'static str, mut pod: Value) {
        let mut state = self.lock();
        state.version += 1;
        let version = state.version;
        pod["metadata"]["resourceVersion"] = json!(version.to_string());
        state.pods.retain(|own| own["metadata"]["name"] != pod["metadata"]["name"]);
        state.pods.push(pod.clone());
        state.events.push((version, what, pod));
        drop(state);
        self.changed.send_replace(version);
    }

    /// Its answer; the rest of a watch comes later.
    fn answer(self: &Arc<Cluster>, request: &Request<Incoming>) -> (StatusCode, Frames) {
        let (frames, body) = mpsc::unbounded_channel();
        let say = |code: StatusCode, value: Value| {
            let _ = frames.send(Frame::data(value.to_string().into()));
            code
        };
        let status = |code: u16, message: &str| json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message });
        let token = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let state = self.lock();
        let code = if token != Some(&format!("Bearer {TOKEN}")) {
            say(StatusCode::UNAUTHORIZED, status(401, "Unauthorized"))
        } else if state.forbidden {
            say(StatusCode::FORBIDDEN, status(403, "pods is forbidden: User \"weir\" cannot list resource \"pods\""))
        } else if request.uri().path() != "/api/v1/pods" {
            say(StatusCode::NOT_FOUND, status(404, "not found"))
        } else {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let asked = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
            let node = asked("fieldSelector=spec.nodeName%3D").to_owned();
            if asked("watch=").is_empty() {
                let items: Vec<&Value> = state.pods.iter().filter(|pod| is_on(pod, &node)).collect();
                let version = state.version.to_string();
                let list = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": { "resourceVersion": version }, "items": items });
                say(StatusCode::OK, list)
            } else {
                let from = asked("resourceVersion=").parse().unwrap_or(0);
                tokio::spawn(Arc::clone(self).tell_from(from, node, frames.clone()));
                StatusCode::OK
            }
        };
        (code, Frames(body))
    }

    /// A watch: what happened from that version on, and what happens.
    async fn tell_from(
        self: Arc<Cluster>,
        mut from: u64,
        node: String,
        to: mpsc::UnboundedSender<Frame<bytes::Bytes>>,
    ) {
        let mut changed = self.changed.subscribe();
        loop {
            let lines: Vec<String> = {
                let state = self.lock();
                if from < state.forgotten {
                    let gone = json!({ "type": "ERROR", "object": { "kind": "Status", "code": 410, "message": "too old resource version" } });
                    let _ = to.send(Frame::data(format!("{gone}\n").into()));
                    return;
                }
                let news = state.events.iter().filter(|(version, _, pod)| *version > from && is_on(pod, &node));
                let lines =
                    news.map(|(_, what, pod)| format!("{}\n", json!({ "type": what, "object": pod }))).collect();
                from = state.version;
                lines
            };
            for line in lines {
                // In two parts, as it may come.
                let (first, second) = line.split_at(line.len() / 2);
                for part in [first, second] {
                    if to.send(Frame::data(part.to_owned().into())).is_err() {
                        return;
                    }
                }
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

fn is_on(pod: &Value, node: &str) -> bool {
    pod["spec"]["nodeName"] == node
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, cluster: Arc<Cluster>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, cluster) = (tls.clone(), Arc::clone(&cluster));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let (code, body) = cluster.answer(&request);
                std::future::ready(
                    Response::builder().status(code).header("content-type", "application/json").body(body),
                )
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
