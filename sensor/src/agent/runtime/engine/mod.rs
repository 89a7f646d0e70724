//! A client of Docker's Engine API, which Podman serves as well: HTTP/1.1 and JSON over a unix socket.

mod message;

use super::client::{CallError, TIMEOUT, Watched};
use super::identity::{Image, labels, some};
use super::transport::{self, Transport};
use crate::event::Identity;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use message::{Container, Event, Listed, Version};
use serde::de::DeserializeOwned;
use std::path::Path;
use tonic::body::Body;

/// Most bytes of an answer.
const ANSWER_MAX: usize = 64 << 20;
/// Most bytes of an event. A longer one is passed over.
const EVENT_MAX: usize = 1 << 20;

/// Events of containers that name one, percent-encoded: `{"type":["container"],"event":["create","start","rename"]}`.
const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22create%22%2C%22start%22%2C%22rename%22%5D%7D";

/// The engine behind a socket.
pub struct Client {
    transport: Transport,
    runtime: &'static str,
    /// The engine's name and version, for people.
    pub name: String,
}

/// What the engine tells by itself.
pub struct Watch {
    body: Incoming,
    buffer: Vec<u8>,
    /// The rest of a line that was too long is passed over.
    skipping: bool,
}

impl Client {
    /// Asks at `path` who is there.
    ///
    /// # Errors
    /// Nobody answers there, or not by this API.
    pub async fn open(path: &Path) -> Result<Client, CallError> {
        let transport = transport::new(path, false);
        let mut client = Client { transport, runtime: "docker", name: String::new() };
        let version: Version = client.get("/version").await?;
        if version.version.is_empty() {
            return Err(CallError::Failed("its /version tells no version".to_owned()));
        }
        let components = version.components.unwrap_or_default();
        if components.iter().any(|component| component.name.contains("Podman")) {
            client.runtime = "podman";
        }
        client.name = format!("{} {}", client.runtime, version.version);
        Ok(client)
    }

    /// The ids of all containers, running or not.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&mut self) -> Result<Vec<Box<str>>, CallError> {
        let listed: Vec<Listed> = self.get("/containers/json?all=true").await?;
        Ok(listed.into_iter().map(|listed| listed.id.into()).collect())
    }

    /// What a container is; nothing if the engine knows none of that id.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn inspect(&mut self, id: &str) -> Result<Option<Identity>, CallError> {
        // It becomes a part of a path, and the engine would take a name for an id as well.
        if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let container: Container = match self.get(&format!("/containers/{id}/json")).await {
            Err(CallError::NotFound) => return Ok(None),
            answer => answer?,
        };
        if container.id != id {
            return Ok(None);
        }
        let mut image = Image::default();
        image.reference(&container.config.image).id(&container.image);
        if let Some(name) = container.image.strip_prefix("sha256:").filter(|name| is_hexadecimal(name)) {
            match self.get::<message::Image>(&format!("/images/{name}/json")).await {
                Ok(known) => {
                    for reference in [known.repo_tags, known.repo_digests].iter().flatten().flatten() {
                        image.reference(reference);
                    }
                }
                // Deleted while its container runs.
                Err(CallError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let all = container.config.labels.unwrap_or_default();
        // As the kubelet labels what it has dockerd make.
        let kubelet = |name: &str| all.get(&format!("io.kubernetes.{name}")).and_then(|value| some(value));
        let mut identity = Identity {
            namespace: kubelet("pod.namespace"),
            pod_name: kubelet("pod.name"),
            pod_uid: kubelet("pod.uid"),
            container_name: kubelet("container.name").or_else(|| some(container.name.trim_start_matches('/'))),
            runtime: some(self.runtime),
            ..Identity::default()
        };
        identity.labels = labels(all);
        image.tell(&mut identity);
        Ok(Some(identity))
    }

    /// Has the engine tell what happens from now on.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn watch(&mut self) -> Result<Option<Watch>, CallError> {
        let body = self.answer(EVENTS).await?.into_body();
        Ok(Some(Watch { body, buffer: Vec::new(), skipping: false }))
    }

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, CallError> {
        let read = async {
            let body = Limited::new(self.answer(path).await?.into_body(), ANSWER_MAX);
            let body = body.collect().await.map_err(|error| CallError::Lost(transport::last(&*error)))?.to_bytes();
            serde_json::from_slice(&body)
                .map_err(|error| CallError::Failed(format!("its answer is not that of a container engine ({error})")))
        };
        tokio::time::timeout(TIMEOUT, read).await.unwrap_or_else(|_| Err(CallError::late()))
    }

    async fn answer(&self, path: &str) -> Result<Response<Incoming>, CallError> {
        let request = Request::get(format!("http://localhost{path}")).body(Body::empty());
        let request = request.map_err(|error| CallError::Failed(error.to_string()))?;
        let call = self.transport.request(request);
        let answer = match tokio::time::timeout(TIMEOUT, call).await {
            Err(_) => return Err(CallError::late()),
            Ok(Err(error)) => return Err(CallError::Lost(transport::last(&error))),
            Ok(Ok(answer)) => answer,
        };
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => Err(CallError::NotFound),
            status => Err(CallError::Failed(format!("it answers {status}"))),
        }
    }
}

impl Watch {
    /// The next container that something is told of. Nothing is lost when it is no longer awaited.
    ///
    /// # Errors
    /// The engine tells no more.
    pub async fn next(&mut self) -> Result<Watched, CallError> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if std::mem::take(&mut self.skipping) {
                    continue;
                }
                let event: Event = serde_json::from_slice(&line).unwrap_or_default();
                if !event.actor.id.is_empty() {
                    return Ok(Watched { id: event.actor.id.into(), changed: event.action == "rename" });
                }
            }
            let bytes = self.read().await?;
            self.buffer.extend_from_slice(&bytes);
            if self.buffer.len() > EVENT_MAX && !self.buffer.contains(&b'\n') {
                self.buffer.clear();
                self.skipping = true;
            }
        }
    }

    async fn read(&mut self) -> Result<Bytes, CallError> {
        match self.body.frame().await {
            None => Err(CallError::Lost("it has ended the stream of its events".to_owned())),
            Some(Err(error)) => Err(CallError::Lost(transport::last(&error))),
            Some(Ok(frame)) => Ok(frame.into_data().unwrap_or_default()),
        }
    }
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
