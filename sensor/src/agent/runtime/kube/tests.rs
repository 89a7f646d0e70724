//! How pods and containers are put together, and what an API server's answer comes to. The link is tested with a real API server in
//! tests/tests/identity/kube.rs.

use super::join::Join;
use super::pod::CONTAINERS_MAX;
use super::{KubeError, Pod, Settings};
use crate::event::{Identity, Owner, OwnerKind, WorkloadIdentified};
use std::sync::Arc;

/// As a runtime tells of a container of that pod.
fn container(id: &str, uid: &str, labels: &[(&str, &str)]) -> WorkloadIdentified {
    let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let identity = Identity {
        namespace: Some("prod".into()),
        pod_name: Some(format!("llama-5d9c-{uid}").into()),
        pod_uid: Some(uid.into()),
        container_name: Some("server".into()),
        image: Some("vllm".into()),
        labels,
        ..Identity::default()
    };
    WorkloadIdentified { container_id: id.into(), identity: Arc::new(identity) }
}

/// As the API server tells of it.
fn pod(uid: &str, tier: &str, containers: &[&str]) -> Pod {
    let of = |id: &&str| {
        let identity = Identity { container_name: Some("by-pod".into()), ..Identity::default() };
        ((*id).into(), identity)
    };
    Pod {
        uid: uid.into(),
        namespace: "prod".into(),
        name: format!("llama-5d9c-{uid}").into(),
        labels: [("pod-template-hash".into(), "5d9c".into()), ("tier".into(), tier.into())].into(),
        owners: [Owner { kind: "ReplicaSet".into(), name: "llama-5d9c".into(), controller: true }].into(),
        service_account: Some("serving".into()),
        containers: containers.iter().map(of).collect(),
        ..Pod::default()
    }
}

fn ids(told: &[WorkloadIdentified]) -> Vec<&str> {
    told.iter().map(|told| &*told.container_id).collect()
}

#[test]
fn a_container_is_told_of_at_once_and_again_when_its_pod_says_more() {
    let mut join = Join::default();
    let first = container("c1", "u1", &[("tier", "a")]);
    assert_eq!(join.container(first.clone()), first, "nobody knows the pod");
    let news = join.pod(pod("u1", "a", &["c1"]));
    assert_eq!(ids(&news), ["c1"]);
    let identity = &news[0].identity;
    assert_eq!(identity.container_name.as_deref(), Some("server"), "what the runtime says of the container stays");
    assert_eq!(identity.image.as_deref(), Some("vllm"));
    assert_eq!(identity.service_account.as_deref(), Some("serving"));
    assert_eq!(identity.owner(OwnerKind::Deployment), Some("llama"));
    assert_eq!(identity.owner(OwnerKind::ReplicaSet), Some("llama-5d9c"));
    // Only its status has changed.
    assert_eq!(join.pod(pod("u1", "a", &["c1"])), []);
    // Another container of it knows at once, one of another pod does not.
    let second = join.container(container("c2", "u1", &[]));
    assert_eq!(second.identity.service_account.as_deref(), Some("serving"));
    assert_eq!(join.container(container("d1", "u2", &[])).identity.owners, None);
    // A label is changed: what a runtime says later of the labels is older.
    let news = join.pod(pod("u1", "b", &["c1"]));
    assert_eq!(ids(&news), ["c1", "c2"]);
    assert!(news.iter().all(|told| told.identity.label("tier") == Some("b")));
    assert_eq!(join.container(container("c1", "u1", &[("tier", "a")])).identity.label("tier"), Some("b"));
}

#[test]
fn without_a_runtime_the_pod_tells_of_its_containers() {
    let mut join = Join::default();
    assert_eq!(join.asked("c1"), None);
    let news = join.pod(pod("u1", "a", &["c1", "c2"]));
    assert_eq!(ids(&news), ["c1", "c2"]);
    assert_eq!(news[0].identity.container_name.as_deref(), Some("by-pod"));
    assert_eq!(join.asked("c1").as_ref(), Some(&news[0]));
    // A runtime knows better, and answers who asks.
    assert_eq!(join.container(container("c1", "u1", &[])).identity.container_name.as_deref(), Some("server"));
    assert_eq!(join.asked("c1"), None);
}

#[test]
fn a_pod_that_gives_itself_out_for_another_is_not_believed() {
    let mut join = Join::default();
    join.container(container("c1", "u1", &[("tier", "a")]));
    // Its annotation says that it is the static pod u1.
    let impostor = Pod { name: "impostor".into(), ..pod("u1", "trusted", &[]) };
    assert_eq!(join.pod(impostor), []);
    assert_eq!(join.container(container("c1", "u1", &[("tier", "a")])).identity.label("tier"), Some("a"));
}

#[test]
fn a_pod_has_no_end_of_containers_and_no_more_than_that_are_kept() {
    let mut join = Join::default();
    for number in 0..CONTAINERS_MAX + 9 {
        join.container(container(&format!("c{number}"), "u1", &[]));
    }
    let news = join.pod(pod("u1", "a", &[]));
    assert_eq!((news.len(), &*news[0].container_id), (CONTAINERS_MAX, "c9"), "the oldest are forgotten");
    for number in 0..10_000 {
        join.pod(pod(&format!("v{number}"), "a", &[&format!("d{number}")]));
    }
    assert_eq!(join.container(container("c70", "u1", &[])).identity.owners, None, "forgotten with the others");
}

#[test]
fn what_the_api_server_says_of_owners_is_believed_before_labels() {
    let labels: Box<[(Box<str>, Box<str>)]> = [("pod-template-hash".into(), "5d9c".into())].into();
    let guessed = Identity { pod_name: Some("llama-5d9c-x".into()), labels, ..Identity::default() };
    let owners = |owners: &[(&str, &str, bool)]| {
        let told = owners.iter().map(|(kind, name, controller)| Owner {
            kind: (*kind).into(),
            name: (*name).into(),
            controller: *controller,
        });
        Identity { owners: Some(told.collect()), ..guessed.clone() }
    };
    let deployment = |identity: &Identity| identity.owner(OwnerKind::Deployment).map(str::to_owned);
    assert_eq!(deployment(&guessed).as_deref(), Some("llama"));
    assert_eq!(deployment(&owners(&[])), None, "made by hand, with the labels of another");
    assert_eq!(deployment(&owners(&[("ReplicaSet", "chat-api-5d9c", true)])).as_deref(), Some("chat-api"));
    assert_eq!(deployment(&owners(&[("ReplicaSet", "chat-api", true)])), None, "of no Deployment");
    assert_eq!(deployment(&owners(&[("ReplicaSet", "chat-api-5d9c", false)])), None, "it does not manage the pod");
    let ray = owners(&[("RayCluster", "tune", true), ("Job", "other", false)]);
    assert_eq!(ray.owner(OwnerKind::Job), None);
    assert_eq!(ray.owner(OwnerKind::ReplicaSet), None);
}

#[test]
fn settings_need_the_name_of_the_node() {
    let of = |node: Option<&str>| Settings::new(|_| node.map(str::to_owned));
    if cfg!(not(feature = "kube")) {
        return assert_eq!(of(Some("n1")), Err(KubeError::NotBuilt));
    }
    assert_eq!(of(Some("n1")), Ok(Settings { node: "n1".into() }));
    assert_eq!((of(None), of(Some(""))), (Err(KubeError::NoNode), Err(KubeError::NoNode)));
}

#[cfg(feature = "kube")]
mod messages {
    use super::super::message::List;
    use super::*;
    use serde_json::json;

    /// The only pod of a list with `metadata`, `spec` and `status`.
    fn told(metadata: serde_json::Value, spec: serde_json::Value, status: serde_json::Value) -> Pod {
        let list = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": { "resourceVersion": "7" },
            "items": [{ "metadata": metadata, "spec": spec, "status": status }] });
        let mut list: List = serde_json::from_value(list).expect("a list");
        assert_eq!((&*list.metadata.resource_version, list.items.len()), ("7", 1));
        list.items.remove(0).pod()
    }

    #[test]
    fn a_pod_is_read_as_the_api_server_tells_it() {
        let pod = told(
            json!({ "uid": "u1", "name": "llama-5d9c-x", "namespace": "prod", "resourceVersion": "6",
                "labels": { "tier": "a", "app": "vllm" }, "managedFields": [{ "manager": "kubelet" }],
                "ownerReferences": [{ "kind": "Backup", "name": "b" }, { "kind": "ReplicaSet", "name": "llama-5d9c", "controller": true }] }),
            json!({ "serviceAccountName": "serving", "nodeName": "n1", "containers": [{ "name": "server" }] }),
            json!({ "podIP": "10.1.2.3", "phase": "Running",
                "containerStatuses": [
                { "name": "server", "image": "quay.io:5000/x/vllm:v2", "imageID": "quay.io:5000/x/vllm@sha256:abc", "containerID": "containerd://c1" },
                { "name": "waits", "image": "y", "imageID": "" },
            ] }),
        );
        assert_eq!((&*pod.uid, &*pod.namespace, &*pod.name), ("u1", "prod", "llama-5d9c-x"));
        let labels: Vec<_> = pod.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(labels, ["app=vllm", "tier=a"]);
        let owners: Vec<_> = pod.owners.iter().map(|owner| format!("{}/{}", owner.kind, owner.name)).collect();
        assert_eq!(owners, ["ReplicaSet/llama-5d9c", "Backup/b"], "who manages it first");
        assert_eq!((pod.service_account.as_deref(), pod.node.as_deref()), (Some("serving"), Some("n1")));
        assert_eq!(pod.ip.map(|ip| ip.to_string()).as_deref(), Some("10.1.2.3"));
        let [(id, server)] = &*pod.containers else { panic!("{pod:?}") };
        assert_eq!((&**id, server.container_name.as_deref()), ("c1", Some("server")));
        assert_eq!((server.image.as_deref(), &*server.image_tags), (Some("quay.io:5000/x/vllm"), &["v2".into()][..]));
        assert_eq!(server.runtime.as_deref(), Some("containerd"));
    }

    #[test]
    fn a_static_pod_goes_by_the_uid_that_the_runtime_knows() {
        let annotations = json!({ "kubernetes.io/config.mirror": "f00d" });
        let pod = told(json!({ "uid": "u1", "name": "etcd-n1", "annotations": annotations }), json!({}), json!({}));
        assert_eq!(&*pod.uid, "f00d");
    }

    #[test]
    fn texts_without_end_are_cut() {
        let long = "x".repeat(100_000);
        let many: Vec<_> =
            (0..1000).map(|number| json!({ "name": "n", "containerID": format!("cri-o://{number}") })).collect();
        let owners: Vec<_> = (0..1000).map(|_| json!({ "kind": long, "name": long })).collect();
        let metadata = json!({ "uid": long, "name": long, "namespace": long, "ownerReferences": owners });
        let pod = told(metadata, json!({ "nodeName": long }), json!({ "containerStatuses": many, "podIP": long }));
        assert_eq!((pod.uid.len(), pod.name.len(), pod.owners.len(), pod.ip), (1024, 1024, 4, None));
        assert_eq!((pod.containers.len(), pod.owners[0].kind.len()), (CONTAINERS_MAX, 1024));
    }
}
