//! Makes pods through CRI, as the kubelet does: a sandbox with the pod's labels, then containers with the kubelet's own.

use super::containerd::Containerd;
use super::image::SERVING;
use super::message::{
    ContainerConfig, ContainerMetadata, ContainerStatusResponse, CreateContainerRequest, ExecSyncRequest,
    ExecSyncResponse, Id, ImageSpec, LinuxContainerConfig, LinuxContainerSecurityContext, LinuxPodSandboxConfig,
    LinuxSandboxSecurityContext, Mount, NamespaceOption, Nothing, PodSandboxConfig, PodSandboxMetadata,
    RunPodSandboxRequest,
};
use http::uri::PathAndQuery;
use prost::Message;
use sensor::agent::runtime::transport::{self, Transport};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tests::scene::NetNs;
use tests::wait::{PATIENCE, until};
use tonic::Request;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

/// containerd and a kubelet; dropping it removes the pods.
pub struct Node {
    /// The runtime.
    pub containerd: Containerd,
    pods: Vec<Pod>,
    /// The client's tasks run on it.
    tokio: tokio::runtime::Runtime,
    grpc: Grpc<Transport>,
}

/// A pod with its sandbox.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The sandbox's id.
    pub sandbox: String,
    /// `k8s.pod.name`
    pub name: String,
    /// `k8s.pod.uid`
    pub uid: String,
    /// What it was made of.
    pub config: PodSandboxConfig,
}

/// On the node's network and with a pid namespace for each container: CONTAINER, NODE.
const NAMESPACES: NamespaceOption = NamespaceOption { network: 2, pid: 1 };

impl Node {
    /// Starts both; the text says what is missing.
    pub fn start() -> io::Result<Result<Node, String>> {
        Node::start_on(None)
    }

    /// The same, where the node's network is this one; then pods can have networks of their own.
    pub fn start_on(network: Option<&NetNs>) -> io::Result<Result<Node, String>> {
        let containerd = match Containerd::start_on(network)? {
            Ok(containerd) => containerd,
            Err(why) => return Ok(Err(why)),
        };
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let grpc = {
            let _entered = tokio.enter();
            Grpc::with_origin(transport::new(&containerd.socket(), true), transport::origin())
        };
        let node = Node { containerd, pods: Vec::new(), tokio, grpc };
        node.wait_until_ready()?;
        Ok(Ok(node))
    }

    /// Waits until the runtime answers CRI.
    pub fn wait_until_ready(&self) -> io::Result<()> {
        until(PATIENCE, "CRI answers", || self.call::<_, Nothing>("Version", Nothing {}).ok()).map(drop)
    }

    /// Makes a pod of the Deployment `llama` in the namespace `prod-llm`.
    pub fn pod(&mut self) -> io::Result<Pod> {
        let (number, uid) = new_uid();
        self.pod_of(&format!("llama-5d9c7b6f4-p{number:04}"), &uid)
    }

    /// Makes that one, as the API server has it.
    pub fn pod_of(&mut self, name: &str, uid: &str) -> io::Result<Pod> {
        let (name, uid, hash, namespace) = (name.to_owned(), uid.to_owned(), "5d9c7b6f4", "prod-llm");
        let config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata { name: name.clone(), uid: uid.clone(), namespace: namespace.into() }),
            log_directory: self.containerd.path().join("logs").join(&name).display().to_string(),
            labels: map(&[
                ("app", "vllm"),
                ("tier", "gpu-a"),
                ("pod-template-hash", hash),
                ("io.kubernetes.pod.name", &name),
                ("io.kubernetes.pod.namespace", namespace),
                ("io.kubernetes.pod.uid", &uid),
            ]),
            annotations: map(&[("kubernetes.io/config.source", "api")]),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: format!("/kubepods/besteffort/pod{uid}"),
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(NAMESPACES),
                    ..Default::default()
                }),
            }),
            ..Default::default()
        };
        self.make_pod(config)
    }

    /// Makes a pod as it is described.
    pub fn make_pod(&mut self, config: PodSandboxConfig) -> io::Result<Pod> {
        let request = RunPodSandboxRequest { config: Some(config.clone()) };
        let Id { id: sandbox } = self.call("RunPodSandbox", request)?;
        let PodSandboxMetadata { name, uid, .. } = config.metadata.clone().unwrap_or_default();
        let pod = Pod { sandbox, name, uid, config };
        self.pods.push(pod.clone());
        Ok(pod)
    }

    /// Makes a container in a pod; its id.
    pub fn create(&self, pod: &Pod, name: &str, command: &[&str]) -> io::Result<String> {
        self.create_with(pod, name, command, Vec::new())
    }

    /// The same with more of the host's directories in it.
    pub fn create_with(&self, pod: &Pod, name: &str, command: &[&str], mounts: Vec<Mount>) -> io::Result<String> {
        let usr =
            Mount { container_path: "/usr".into(), host_path: "/usr".into(), readonly: true, ..Default::default() };
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata { name: name.into() }),
            image: Some(ImageSpec { image: SERVING.into() }),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            mounts: [vec![usr], mounts].concat(),
            labels: map(&[
                ("io.kubernetes.container.name", name),
                ("io.kubernetes.pod.name", &pod.name),
                ("io.kubernetes.pod.namespace", "prod-llm"),
                ("io.kubernetes.pod.uid", &pod.uid),
            ]),
            log_path: format!("{name}.log"),
            linux: Some(LinuxContainerConfig {
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: Some(NAMESPACES),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.make_container(pod, config)
    }

    /// Makes a container as it is described; its id.
    pub fn make_container(&self, pod: &Pod, config: ContainerConfig) -> io::Result<String> {
        let request = CreateContainerRequest {
            pod_sandbox_id: pod.sandbox.clone(),
            config: Some(config),
            sandbox_config: Some(pod.config.clone()),
        };
        let Id { id } = self.call("CreateContainer", request)?;
        Ok(id)
    }

    /// Starts a container.
    pub fn start_container(&self, id: &str) -> io::Result<()> {
        self.call("StartContainer", Id { id: id.into() }).map(|Nothing {}| ())
    }

    /// Makes and starts one.
    pub fn run(&self, pod: &Pod, name: &str, command: &[&str]) -> io::Result<String> {
        let id = self.create(pod, name, command)?;
        self.start_container(&id)?;
        Ok(id)
    }

    /// Runs a program in a running container, as `kubectl exec` does; its exit code.
    pub fn exec(&self, id: &str, command: &[&str]) -> io::Result<i32> {
        Ok(self.exec_output(id, command)?.exit_code)
    }

    /// The same, and what the program wrote.
    pub fn exec_output(&self, id: &str, command: &[&str]) -> io::Result<ExecSyncResponse> {
        let cmd = command.iter().map(|word| (*word).to_owned()).collect();
        self.call("ExecSync", ExecSyncRequest { container_id: id.into(), cmd })
    }

    /// Waits for the end of a container's program; its exit code.
    pub fn wait(&self, id: &str) -> io::Result<i32> {
        until(PATIENCE, "the container ends", || {
            let status: io::Result<ContainerStatusResponse> = self.call("ContainerStatus", Id { id: id.into() });
            status.ok()?.status.filter(|status| status.state == 2).map(|status| status.exit_code)
        })
    }

    /// Ends and removes a container. One that ends just then cannot be stopped, which is why the kubelet tries again, too.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        let (mut last, id) = (None, Id { id: id.into() });
        let removed = until(PATIENCE, "the container is removed", || {
            let _ = self.call::<_, Nothing>("StopContainer", id.clone());
            self.call::<_, Nothing>("RemoveContainer", id.clone()).map_err(|error| last = Some(error)).ok()
        });
        removed.map(drop).map_err(|error| last.unwrap_or(error))
    }

    fn call<Q, R>(&self, method: &str, message: Q) -> io::Result<R>
    where
        Q: Message + Send + Sync + 'static,
        R: Message + Default + Send + Sync + 'static,
    {
        let path = PathAndQuery::try_from(format!("/runtime.v1.RuntimeService/{method}")).map_err(io::Error::other)?;
        let mut grpc = self.grpc.clone();
        self.tokio.block_on(async move {
            grpc.ready().await.map_err(io::Error::other)?;
            let answer = grpc.unary(Request::new(message), path, ProstCodec::<Q, R>::default()).await;
            answer.map(tonic::Response::into_inner).map_err(|status| io::Error::other(format!("{method}: {status}")))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.call::<_, Nothing>("Version", Nothing {}).is_err() {
            let again = self.containerd.stop().and_then(|()| self.containerd.again());
            if again.and_then(|()| self.wait_until_ready()).is_err() {
                eprintln!("pods may be left: containerd does not answer any more");
            }
        }
        for pod in &self.pods {
            for method in ["StopPodSandbox", "RemovePodSandbox"] {
                if let Err(error) = self.call::<_, Nothing>(method, Id { id: pod.sandbox.clone() }) {
                    eprintln!("the pod {} is not removed: {error}", pod.name);
                }
            }
        }
        // As the kubelet removes the cgroups of pods; those that are not empty are others'.
        for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            for base in [hierarchy.path(), Path::new("/sys/fs/cgroup").to_owned()] {
                for pod in &self.pods {
                    let Some(linux) = &pod.config.linux else { continue };
                    let path = base.join(linux.cgroup_parent.trim_start_matches('/'));
                    // What was in it goes a moment after its processes.
                    let gone = until(Duration::from_secs(2), "the cgroup is removed", || {
                        let removed = fs::remove_dir(&path);
                        removed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound).then_some(())
                    });
                    gone.unwrap_or_else(|error| eprintln!("{}: {error}", path.display()));
                }
                let _ = fs::remove_dir(base.join("kubepods/besteffort"));
                let _ = fs::remove_dir(base.join("kubepods/burstable"));
                let _ = fs::remove_dir(base.join("kubepods"));
            }
        }
    }
}

/// A number that no other pod has, and a uid for it.
pub fn new_uid() -> (u32, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    (number, format!("8b1a9953-c461-4c2f-{:04x}-{number:012x}", std::process::id() & 0xffff))
}

/// Labels, annotations.
pub fn map(pairs: &[(&str, &str)]) -> std::collections::HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
