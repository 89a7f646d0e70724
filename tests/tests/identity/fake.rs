//! Played: Docker, and a runtime that offers `GetContainerEvents`. This machine has neither; what they answer is written down here.

use super::{Outcome, identified};
use bytes::{BufMut, Bytes};
use http::{HeaderMap, Request, Response};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use sensor::agent::runtime::cri::message as cri;
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tests::scene::{Container, Directory, Spec};
use tests::sensor::Sensor;
use tests::skip;
use tests::wait::PATIENCE;
use tests::{Place, actor_in};
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc};

/// The frames of an answer, as they are sent.
pub struct Frames(pub mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

type Frame1 = mpsc::UnboundedSender<Frame<Bytes>>;

/// A server on a unix socket, on a thread of its own; `answer` gives the status and sends the body.
fn serve(
    answer: impl Fn(Request<Incoming>, Frame1) -> http::response::Builder + Send + Sync + 'static,
) -> std::io::Result<(Directory, String, tokio::runtime::Runtime)> {
    let directory = Directory::new()?;
    let path = directory.path().join("engine.sock");
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = tokio.block_on(async { UnixListener::bind(&path) })?;
    let answer = Arc::new(answer);
    tokio.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request| {
                let (frames, body) = mpsc::unbounded_channel();
                let response: Result<Response<Frames>, http::Error> = answer(request, frames).body(Frames(body));
                std::future::ready(response)
            });
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok((directory, path.display().to_string(), tokio))
}

fn sensor(socket: &str) -> std::io::Result<Sensor> {
    Sensor::start(&["events", "--runtime-socket", socket, "--kind", "exec", "--kind", "workload_identified"])
}

/// As Docker 24 answers, shortened. The container is not Docker's, but has an id as its containers have.
#[test]
fn docker_played_names_containers_by_need() -> Outcome {
    if skip::unless_root("containers") {
        return Ok(());
    }
    let container = Container::start(&Spec::default())?;
    let id = container.id.clone();
    let (_directory, socket, _tokio) = serve(move |request, frames| {
        let image = "sha256:34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376";
        let path = request.uri().path().to_owned();
        let answer = match path.as_str() {
            "/version" => json!({ "Version": "24.0.7", "Components": [{ "Name": "Engine", "Version": "24.0.7" }] }),
            // It is made after the list was asked for.
            "/containers/json" => json!([]),
            // Nothing ever happens.
            "/events" => {
                std::mem::forget(frames);
                return Response::builder();
            }
            path if path == format!("/containers/{id}/json") => json!({
                "Id": id, "Name": "/llama", "Image": image,
                "Config": { "Image": "vllm/vllm-openai:v0.6", "Labels": { "com.docker.compose.project": "chat" } },
            }),
            path if path == format!("/images/{}/json", &image[7..]) => json!({
                "Id": image, "RepoTags": ["vllm/vllm-openai:v0.6"], "RepoDigests": [format!("vllm/vllm-openai@{image}")],
            }),
            _ => return Response::builder().status(404),
        };
        let _ = frames.send(Frame::data(answer.to_string().into()));
        Response::builder()
    })?;
    let sensor = sensor(&socket)?;
    let named = identified(&sensor, &container.id)?;
    let exec = |word| -> std::io::Result<_> {
        actor_in(Place::Container(&container), &["storm", "--forks", word])?.truth()?;
        sensor.wait_for("the actor", PATIENCE, |event| {
            event.kind() == "exec" && event.list("process.command_args") == [Container::ACTOR, "storm", "--forks", word]
        })
    };
    for event in [named, exec("2")?] {
        assert_eq!(event.text("container.name"), Some("llama"));
        assert_eq!(event.text("container.image.name"), Some("vllm/vllm-openai"));
        assert_eq!(event.list("container.image.tags"), ["v0.6"]);
        assert!(event.text("container.image.id").is_some_and(|id| id.starts_with("sha256:34dc0b5e")), "{event:?}");
        assert_eq!(event.list("container.image.repo_digests").len(), 1);
        assert_eq!(event.list("weir.workload.labels"), ["com.docker.compose.project=chat"]);
        assert_eq!(event.text("k8s.pod.name"), None);
    }
    drop(sensor);
    container.stop()?;
    Ok(())
}

/// One message of gRPC.
fn message(message: &impl Message) -> Frame<Bytes> {
    let encoded = message.encode_to_vec();
    let mut framed = Vec::with_capacity(encoded.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
    framed.put_slice(&encoded);
    Frame::data(framed.into())
}

fn done() -> Frame<Bytes> {
    Frame::trailers(HeaderMap::from_iter([("grpc-status".parse().expect("a name"), "0".parse().expect("a value"))]))
}

/// What is needed of CRI v1 as containerd 1.7 and CRI-O serve it: the runtime tells of a container that the line never sees.
#[test]
fn a_runtime_played_tells_of_containers_by_get_container_events() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    const ID: &str = "0000000000000000000000000000000000000000000000000000000000c0ffee";
    let listed = Arc::new(Notify::new());
    let told = Arc::clone(&listed);
    let (_directory, socket, _tokio) = serve(move |request, frames| {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let answers = move |frame| {
            let _ = frames.send(frame);
            frames
        };
        match method.as_str() {
            "Version" => drop(
                answers(message(&cri::VersionResponse {
                    runtime_name: "cri-o".into(),
                    runtime_version: "1.29.1".into(),
                }))
                .send(done()),
            ),
            // The whole list is empty; one container is found by its id.
            "ListContainers" => {
                let (told, frames) = (Arc::clone(&told), answers);
                tokio::spawn(async move {
                    let body = http_body_util::BodyExt::collect(request.into_body())
                        .await
                        .map(http_body_util::Collected::to_bytes);
                    let body = body.unwrap_or_default();
                    let asked =
                        cri::ListContainersRequest::decode(body.get(5..).unwrap_or_default()).unwrap_or_default();
                    let container = cri::Container {
                        id: ID.into(),
                        pod_sandbox_id: "sandbox".into(),
                        metadata: Some(cri::ContainerMetadata { name: "server".into() }),
                        ..Default::default()
                    };
                    let containers = asked.filter.map(|_| container).into_iter().collect::<Vec<_>>();
                    if containers.is_empty() {
                        told.notify_one();
                    }
                    let _ = frames(message(&cri::ListContainersResponse { containers })).send(done());
                });
            }
            "ListPodSandbox" => drop(answers(message(&cri::ListPodSandboxResponse::default())).send(done())),
            "ContainerStatus" => drop(
                answers(message(&cri::ContainerStatusResponse {
                    status: Some(cri::ContainerStatus {
                        image: Some(cri::ImageSpec { image: "quay.io/x/vllm:v2".into(), ..Default::default() }),
                        image_ref: format!("quay.io/x/vllm@sha256:{ID}"),
                        image_id: ID.into(),
                    }),
                }))
                .send(done()),
            ),
            "PodSandboxStatus" => drop(
                answers(message(&cri::PodSandboxStatusResponse {
                    status: Some(cri::PodSandboxStatus {
                        id: "sandbox".into(),
                        metadata: Some(cri::PodSandboxMetadata {
                            name: "llama-0".into(),
                            uid: "u".into(),
                            namespace: "prod".into(),
                        }),
                        labels: [("statefulset.kubernetes.io/pod-name".to_owned(), "llama-0".to_owned())].into(),
                    }),
                }))
                .send(done()),
            ),
            "GetContainerEvents" => {
                let told = Arc::clone(&told);
                tokio::spawn(async move {
                    told.notified().await;
                    let frames = answers(message(&cri::ContainerEventResponse {
                        container_id: ID.into(),
                        container_event_type: 0,
                    }));
                    frames.closed().await;
                });
            }
            _ => drop(answers(done())),
        }
        Response::builder().header("content-type", "application/grpc")
    })?;
    let sensor = sensor(&socket)?;
    let named = identified(&sensor, ID)?;
    for (name, value) in [
        ("k8s.pod.name", "llama-0"),
        ("k8s.pod.uid", "u"),
        ("k8s.namespace.name", "prod"),
        ("k8s.statefulset.name", "llama"),
        ("container.name", "server"),
        ("container.image.name", "quay.io/x/vllm"),
        ("container.image.id", ID),
        ("container.runtime.name", "cri-o"),
    ] {
        assert_eq!(named.text(name), Some(value), "{name}");
    }
    assert_eq!(named.list("container.image.repo_digests"), [format!("quay.io/x/vllm@sha256:{ID}")]);
    drop(listed);
    Ok(())
}
