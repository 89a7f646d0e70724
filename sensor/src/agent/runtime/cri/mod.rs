//! A client of CRI v1, which containerd, CRI-O and cri-dockerd serve on a unix socket.
//!
//! What happens is told by `GetContainerEvents` (containerd 1.7, CRI-O 1.26 and later). Where that is not offered, containerd's own events are
//! listened to, which are served on the same socket; where neither is, containers are asked for when the line sees them.

pub mod message;

use super::client::{CallError, TIMEOUT, Watched};
use super::identity::{Image, labels, some};
use super::transport::{self, Transport};
use crate::bounded::Bounded;
use crate::event::Identity;
use http::uri::PathAndQuery;
use message::{
    ContainerEventResponse, ContainerFilter, ContainerStatusRequest, ContainerStatusResponse, Envelope,
    GetEventsRequest, ListContainersRequest, ListContainersResponse, ListPodSandboxRequest, ListPodSandboxResponse,
    OfContainer, PodSandboxStatus, PodSandboxStatusRequest, PodSandboxStatusResponse, SubscribeRequest, VersionRequest,
    VersionResponse,
};
use prost::Message;
use std::error::Error as _;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tonic::client::Grpc;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

/// Most bytes of an answer: a list of some ten thousand containers.
const ANSWER_MAX: usize = 64 << 20;
/// Most pods whose labels are kept, so that they are asked for once and not for each of their containers.
const PODS_MAX: usize = 1024;

/// So long a runtime may take to say that it does not offer a stream.
const REFUSAL: Duration = Duration::from_millis(250);

const VERSION: &str = "/runtime.v1.RuntimeService/Version";
const LIST_CONTAINERS: &str = "/runtime.v1.RuntimeService/ListContainers";
const CONTAINER_STATUS: &str = "/runtime.v1.RuntimeService/ContainerStatus";
const LIST_SANDBOXES: &str = "/runtime.v1.RuntimeService/ListPodSandbox";
const SANDBOX_STATUS: &str = "/runtime.v1.RuntimeService/PodSandboxStatus";
const EVENTS: &str = "/runtime.v1.RuntimeService/GetContainerEvents";
const CONTAINERD_EVENTS: &str = "/containerd.services.events.v1.Events/Subscribe";

/// containerd's namespace for what comes through CRI, and what says that there is a container now.
const TOPICS: [&str; 3] = ["/containers/create", "/tasks/create", "/tasks/start"];

/// A connection to a runtime.
pub struct Client {
    grpc: Grpc<Transport>,
    runtime: Box<str>,
    /// The runtime's name and version, for people.
    pub name: String,
    pods: Bounded<Box<str>, Arc<PodSandboxStatus>>,
}

/// What the runtime tells by itself.
pub enum Watch {
    /// CRI's events.
    Cri(Stream<ContainerEventResponse>),
    /// containerd's.
    Containerd(Stream<Envelope>),
}

/// A stream of messages. A server sends the headers with the first message, which can take as long as nothing happens.
pub enum Stream<R> {
    /// The headers are not there yet.
    Opening(Opening<R>),
    /// They are.
    Open(Box<Streaming<R>>),
}

type Opening<R> = Pin<Box<dyn Future<Output = Result<Streaming<R>, CallError>> + Send>>;

impl Client {
    /// Connects to the runtime at `path` and asks who it is.
    ///
    /// # Errors
    /// Nobody answers there, or not by CRI v1.
    pub async fn open(path: &Path) -> Result<Client, CallError> {
        let origin = transport::origin();
        let grpc = Grpc::with_origin(transport::new(path, true), origin).max_decoding_message_size(ANSWER_MAX);
        let mut client =
            Client { grpc, runtime: "".into(), name: String::new(), pods: Bounded::new(PODS_MAX, Duration::ZERO) };
        let version: VersionResponse = client.call(VERSION, VersionRequest {}).await?;
        client.runtime = version.runtime_name.as_str().into();
        client.name = format!("{} {}", version.runtime_name, version.runtime_version);
        Ok(client)
    }

    /// The ids of all containers and pod sandboxes.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&mut self) -> Result<Vec<Box<str>>, CallError> {
        let containers: ListContainersResponse =
            self.call(LIST_CONTAINERS, ListContainersRequest { filter: None }).await?;
        let sandboxes: ListPodSandboxResponse = self.call(LIST_SANDBOXES, ListPodSandboxRequest {}).await?;
        let containers = containers.containers.into_iter().map(|container| container.id.into());
        Ok(containers.chain(sandboxes.items.into_iter().map(|sandbox| sandbox.id.into())).collect())
    }

    /// What a container or pod sandbox is; nothing if the runtime knows none of that id.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn inspect(&mut self, id: &str) -> Result<Option<Identity>, CallError> {
        let filter = Some(ContainerFilter { id: id.to_owned() });
        let list: ListContainersResponse = self.call(LIST_CONTAINERS, ListContainersRequest { filter }).await?;
        let Some(container) = list.containers.into_iter().find(|container| container.id == id) else {
            let sandbox = self.sandbox(id).await?.filter(|sandbox| sandbox.id == id);
            return Ok(sandbox.map(|sandbox| self.of_sandbox(&sandbox)));
        };
        // The list has the image as it was asked for, which the kubelet does by its id; the status has its name.
        let request = ContainerStatusRequest { container_id: id.to_owned() };
        let status = self.call::<_, ContainerStatusResponse>(CONTAINER_STATUS, request).await;
        let status = found(status)?.and_then(|response| response.status).unwrap_or_default();
        let sandbox = self.sandbox(&container.pod_sandbox_id).await?;
        let mut image = Image::default();
        for spec in [&status.image, &container.image].into_iter().flatten() {
            image.reference(&spec.image);
            image.reference(&spec.user_specified_image);
        }
        for reference in [&status.image_ref, &container.image_ref] {
            image.reference(reference);
        }
        image.id(&status.image_id).id(&container.image_id);
        let mut identity = sandbox.map(|sandbox| self.of_sandbox(&sandbox)).unwrap_or_default();
        if identity.labels.is_empty() {
            identity.labels = labels(container.labels);
        }
        identity.container_name = container.metadata.and_then(|metadata| some(&metadata.name));
        identity.runtime = some(&self.runtime);
        image.tell(&mut identity);
        Ok(Some(identity))
    }

    /// Has the runtime tell what happens from now on; nothing if it does not offer that.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn watch(&mut self) -> Result<Option<Watch>, CallError> {
        match self.stream(EVENTS, GetEventsRequest {}).await {
            Ok(stream) => return Ok(Some(Watch::Cri(stream))),
            Err(CallError::Unoffered(_)) => {}
            Err(error) => return Err(error),
        }
        let filters = TOPICS.iter().map(|topic| format!("namespace==k8s.io,topic==\"{topic}\"")).collect();
        match self.stream(CONTAINERD_EVENTS, SubscribeRequest { filters }).await {
            Ok(stream) => Ok(Some(Watch::Containerd(stream))),
            Err(CallError::Unoffered(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of_sandbox(&self, sandbox: &PodSandboxStatus) -> Identity {
        let metadata = sandbox.metadata.clone().unwrap_or_default();
        Identity {
            namespace: some(&metadata.namespace),
            pod_name: some(&metadata.name),
            pod_uid: some(&metadata.uid),
            labels: labels(sandbox.labels.clone()),
            runtime: some(&self.runtime),
            ..Identity::default()
        }
    }

    async fn sandbox(&mut self, id: &str) -> Result<Option<Arc<PodSandboxStatus>>, CallError> {
        if let Some(known) = self.pods.get(id) {
            return Ok(Some(Arc::clone(known)));
        }
        let request = PodSandboxStatusRequest { pod_sandbox_id: id.to_owned() };
        let response = found(self.call::<_, PodSandboxStatusResponse>(SANDBOX_STATUS, request).await)?;
        let sandbox = response.and_then(|response| response.status).map(Arc::new);
        if let Some(sandbox) = &sandbox {
            self.pods.insert(id.into(), Arc::clone(sandbox));
        }
        Ok(sandbox)
    }

    async fn call<Q, R>(&mut self, method: &'static str, message: Q) -> Result<R, CallError>
    where
        Q: Message + Send + Sync + 'static,
        R: Message + Default + Send + Sync + 'static,
    {
        let call = async {
            self.grpc.ready().await.map_err(|error| CallError::Lost(transport::last(&error)))?;
            let path = PathAndQuery::from_static(method);
            let answer = self.grpc.unary(Request::new(message), path, ProstCodec::<Q, R>::default()).await;
            answer.map(tonic::Response::into_inner).map_err(|status| of_status(&status))
        };
        tokio::time::timeout(TIMEOUT, call).await.unwrap_or_else(|_| Err(CallError::late()))
    }

    /// Who does not offer a stream says so at once; who has not said so after [`REFUSAL`] does.
    async fn stream<Q, R>(&mut self, method: &'static str, message: Q) -> Result<Stream<R>, CallError>
    where
        Q: Message + Send + Sync + 'static,
        R: Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.grpc.clone();
        let mut opening: Opening<R> = Box::pin(async move {
            grpc.ready().await.map_err(|error| CallError::Lost(transport::last(&error)))?;
            let path = PathAndQuery::from_static(method);
            let answer = grpc.server_streaming(Request::new(message), path, ProstCodec::<Q, R>::default()).await;
            answer.map(tonic::Response::into_inner).map_err(|status| of_status(&status))
        });
        match tokio::time::timeout(REFUSAL, &mut opening).await {
            Ok(opened) => Ok(Stream::Open(Box::new(opened?))),
            Err(_) => Ok(Stream::Opening(opening)),
        }
    }
}

impl<R> Stream<R> {
    async fn next(&mut self) -> Result<R, CallError> {
        loop {
            match self {
                Stream::Opening(opening) => {
                    let opened = opening.await?;
                    *self = Stream::Open(Box::new(opened));
                }
                Stream::Open(stream) => {
                    let message = stream.message().await.map_err(|status| of_status(&status))?;
                    return message.ok_or_else(|| CallError::Lost("it has ended the stream of its events".to_owned()));
                }
            }
        }
    }
}

impl Watch {
    /// The next container that something is told of. Nothing is lost when it is no longer awaited.
    ///
    /// # Errors
    /// The runtime tells no more.
    pub async fn next(&mut self) -> Result<Watched, CallError> {
        loop {
            let id = match self {
                Watch::Cri(stream) => {
                    let event = stream.next().await?;
                    // What was deleted cannot be asked for any more.
                    if event.container_event_type == 3 { String::new() } else { event.container_id }
                }
                Watch::Containerd(stream) => {
                    let event = stream.next().await?.event.unwrap_or_default();
                    OfContainer::decode(event.value.as_slice()).map(|event| event.id).unwrap_or_default()
                }
            };
            if !id.is_empty() {
                return Ok(Watched { id: id.into(), changed: false });
            }
        }
    }

    /// How it tells, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Watch::Cri(_) => "GetContainerEvents",
            Watch::Containerd(_) => "containerd's events",
        }
    }
}

/// Nothing, where the runtime has answered that there is nothing.
fn found<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(CallError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn of_status(status: &Status) -> CallError {
    // A status with a source is no answer, but what tonic makes of a connection that failed.
    if let Some(source) = status.source() {
        return CallError::Lost(transport::last(source));
    }
    let words = || format!("{} ({:?})", status.message().escape_debug(), status.code());
    match status.code() {
        Code::NotFound => CallError::NotFound,
        Code::Unimplemented => CallError::Unoffered(words()),
        Code::Unavailable | Code::Cancelled => CallError::Lost(words()),
        // What is no gRPC has no status either.
        Code::Internal | Code::Unknown if status.message().contains("grpc-status") => CallError::Lost(words()),
        _ => CallError::Failed(words()),
    }
}
