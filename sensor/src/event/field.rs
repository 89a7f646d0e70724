//! Fields: what rules, filters, output and docs call the parts of an event.
//!
//! Names are OpenTelemetry semantic conventions (1.44); what has no convention yet is under `weir.`. The table below is the
//! only place where a field is named; a field that an event does not have is `None`, never empty or zero.

use super::process::file_name;
use super::{Body, Class, ContentFinding, Event, File, MountHow as MountKind, OwnerKind, Process, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;

/// How settled a field's name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Stable in the semantic conventions.
    Stable,
    /// A release candidate or in development in the semantic conventions.
    Development,
    /// Our own; keeps its meaning within a major version.
    Weir,
}

/// Declares [`Field`], its table and its getters together, so that none can be forgotten.
macro_rules! fields {
    ($($variant:ident, $name:literal, $stability:ident, $doc:literal, $get:expr;)*) => {
        /// A field of an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $(#[doc = $doc] $variant),* }

        impl Field {
            /// Every field, in the order of the reference.
            pub const ALL: &'static [Field] = &[$(Field::$variant),*];

            /// The field's name in rules and output.
            pub const fn name(self) -> &'static str {
                match self { $(Field::$variant => $name),* }
            }

            /// What it says, with its unit.
            pub const fn doc(self) -> &'static str {
                match self { $(Field::$variant => $doc),* }
            }

            /// How settled its name is.
            pub const fn stability(self) -> Stability {
                match self { $(Field::$variant => Stability::$stability),* }
            }

            /// Its value in `event`; `None` where the event does not have it.
            pub fn get(self, event: &Event) -> Option<Value<'_>> {
                if let Body::Remembered(remembered) = &event.body {
                    return remembered.get(self);
                }
                match self {
                    $(Field::$variant => {
                        let get: for<'e> fn(&'e Event) -> Option<Value<'e>> = $get;
                        get(event)
                    })*
                }
            }
        }
    };
}

fields! {
    EventKind, "weir.event.kind", Weir, "What happened: exec, fork, exit, open, rename, link, unlink, truncate, connect, flow, egress, socket, process_access, bpf, module, mount, namespace, transfer, dns, hello, listen, cgroup, workload_identified, process_found, ledger_restored, correlations_restored, recognized, reloaded, tamper, tick, lost.",
        |e| Some(e.body.kind_name().into());
    HookName, "weir.hook", Weir, "The kernel hook that saw it.",
        |e| Some(e.hook?.name().into());

    ProcessPid, "process.pid", Development, "Process id in the initial pid namespace.",
        |e| Some(e.actor.process?.pid.into());
    ProcessVpid, "process.vpid", Development, "Process id in its own pid namespace.",
        |e| process(e).map(|p| p.vpid).filter(|v| *v != 0).or(Some(e.actor.vpid).filter(|v| *v != 0)).map(Value::from);
    ProcessId, "weir.process.id", Weir, "The process, told apart through pid reuse: PID-STARTTICKS.",
        |e| Some(e.actor.process?.to_string().into());
    ThreadId, "thread.id", Development, "Thread id in the initial pid namespace.",
        |e| Some(e.actor.tid).filter(|t| *t != 0).map(Value::from);
    ProcessTitle, "process.title", Development, "The thread's name (comm). Chosen by the process: never decide by it.",
        |e| text(&e.actor.comm);
    ProcessExecutablePath, "process.executable.path", Development, "The program's path in its mount namespace.",
        |e| text(&process(e)?.executable);
    ProcessExecutableName, "process.executable.name", Development, "The last component of that path.",
        |e| text(file_name(&process(e)?.executable));
    ProcessCommandArgs, "process.command_args", Development, "The arguments, the program's name first.",
        |e| arguments(e).filter(|a| !a.is_empty())
            .map(|a| Value::List(a.iter().map(|arg| Cow::Borrowed(&**arg)).collect()));
    ProcessCommandLine, "process.command_line", Development, "The arguments joined by spaces.",
        |e| Some(arguments(e)?.join(" ")).filter(|l| !l.is_empty()).map(Value::from);
    ProcessWorkingDirectory, "process.working_directory", Development, "The working directory when the program was started.",
        |e| text(&process(e)?.working_directory);
    ProcessParentPid, "process.parent_pid", Development, "The parent's id in the initial pid namespace.",
        |e| Some(process(e)?.parent()?.key.pid.into());
    ProcessParentId, "weir.process.parent.id", Weir, "The parent, told apart through pid reuse: PID-STARTTICKS.",
        |e| Some(process(e)?.parent()?.key.to_string().into());
    ProcessParentExecutablePath, "weir.process.parent.executable.path", Weir, "The parent's program.",
        |e| text(&process(e)?.parent()?.executable);
    ProcessParentExecutableName, "weir.process.parent.executable.name", Weir, "The last component of that path.",
        |e| text(file_name(&process(e)?.parent()?.executable));
    ProcessParentCommandLine, "weir.process.parent.command_line", Weir, "The parent's arguments joined by spaces.",
        |e| text(&process(e)?.parent()?.command_line);
    ProcessAncestors, "weir.process.ancestors", Weir, "The programs of parent, grandparent and so on: last components, nearest first.",
        |e| Some(&process(e)?.lineage).filter(|l| !l.is_empty())
            .map(|l| Value::List(l.iter().map(|a| Cow::Borrowed(file_name(&a.executable))).collect()));
    LineageId, "weir.lineage.id", Weir, "The process from which all descend that belong together: the first ancestor, or the process itself, that was in this cgroup: of a container its first process, or what somebody started in it from outside. PID-STARTTICKS.",
        |e| Some(process(e)?.root).filter(|root| root.pid != 0).map(|root| root.to_string().into());
    ProcessUserId, "process.user.id", Development, "Effective user id when it acted, initial user namespace.",
        |e| e.actor.process.map(|_| e.actor.uid.into());
    ProcessGroupId, "weir.process.group.id", Weir, "Effective group id when it acted, initial user namespace.",
        |e| e.actor.process.map(|_| e.actor.gid.into());
    ProcessDeclared, "weir.process.declared", Weir, "What the process is declared to be in its workload, by the policy or by what the container's entry process did in its first minutes: loader, writer.",
        |e| Some(Value::List(e.declared.names().map(Cow::Borrowed).collect())).filter(|_| e.declared.names().next().is_some());
    ProcessExitCode, "process.exit.code", Development, "The exit code, if the process ended by itself.",
        |e| match &e.body { Body::Exit(x) => x.code.map(Value::from), _ => None };
    ProcessExitSignal, "weir.process.exit.signal", Weir, "The signal that ended the process.",
        |e| match &e.body { Body::Exit(x) => x.signal.map(Value::from), _ => None };
    ProcessStdin, "weir.process.stdin", Weir, "Exec: what stands behind descriptor 0 when the program begins: terminal, pipe, file, memory (a file in memory only), null (/dev/null), inet_socket, unix_socket, socket (of another family), other, or none (it is closed).",
        |e| stream(e, 0);
    ProcessStdout, "weir.process.stdout", Weir, "Exec: the same of descriptor 1.",
        |e| stream(e, 1);
    ProcessStderr, "weir.process.stderr", Weir, "Exec: the same of descriptor 2.",
        |e| stream(e, 2);
    ProcessSetuid, "weir.process.setuid", Weir, "Exec: the program runs with another effective user than its real one, as one with the setuid bit does.",
        |e| match &e.body { Body::Exec(x) => Some(Value::Flag(x.setuid)), _ => None };
    ProcessEntered, "weir.process.entered", Weir, "Whether the process, or an ancestor of it in its container, came into the container from outside, as by kubectl exec; of the container's first process and its descendants false. Absent outside of containers, and where it came there before the sensor.",
        |e| Some(Value::Flag(e.entered?));

    ProcessChildId, "weir.process.child.id", Weir, "Fork: the new process, PID-STARTTICKS.",
        |e| match &e.body { Body::Fork(f) => Some(f.child.to_string().into()), _ => None };
    ProcessChildPid, "weir.process.child.pid", Weir, "Fork: the new process's id in the initial pid namespace.",
        |e| match &e.body { Body::Fork(f) => Some(f.child.pid.into()), _ => None };

    MountNamespace, "weir.process.mount_namespace", Weir, "Inode number of the mount namespace.",
        |e| Some(e.actor.mount_namespace).filter(|n| *n != 0).map(Value::from);
    PidNamespace, "weir.process.pid_namespace", Weir, "Inode number of the pid namespace.",
        |e| Some(e.actor.pid_namespace).filter(|n| *n != 0).map(Value::from);
    CgroupId, "weir.cgroup.id", Weir, "Inode number of the process's cgroup.",
        |e| Some(e.actor.cgroup.id).filter(|id| *id != 0).map(Value::from);
    CgroupPath, "process.linux.cgroup", Development, "The cgroup's path below its hierarchy's root.",
        |e| text(&e.workload.as_deref()?.cgroup_path);

    WorkloadId, "weir.workload.id", Weir, "What the process is part of: container:ID, slurm:JOB, systemd:UNIT or host.",
        |e| text(&e.workload.as_deref()?.id);
    WorkloadKind, "weir.workload.kind", Weir, "container, slurm_job, systemd_unit or host.",
        |e| Some(e.workload.as_deref()?.kind.name().into());
    ContainerId, "container.id", Stable, "The container's id.",
        |e| text(container_id(e)?);
    ContainerRuntimeName, "container.runtime.name", Development, "containerd, cri-o, docker or podman, where the cgroup or the runtime tells.",
        |e| Some(e.workload.as_deref()?.runtime.as_deref().or_else(|| identity(e)?.runtime.as_deref())?.into());
    PodUid, "k8s.pod.uid", Stable, "The pod's uid, where the cgroup or a runtime tells.",
        |e| text(e.workload.as_deref()?.pod_uid.as_deref().or_else(|| identity(e)?.pod_uid.as_deref())?);
    WorkloadRole, "weir.workload.role", Weir, "What the workload is for, by the policy: serving, training, build, notebook, backup or deployer.",
        |e| Some(e.role?.name().into());
    WorkloadDeclares, "weir.workload.declares", Weir, "What the policy says anything about for the workload: loaders, writers, destinations.",
        |e| Some(Value::List(e.declares.names().map(Cow::Borrowed).collect())).filter(|_| e.declares.names().next().is_some());
    WorkloadLabels, "weir.workload.labels", Weir, "The labels of the pod, or of the container where there is none, each KEY=VALUE, where a runtime told them.",
        |e| Some(&identity(e)?.labels).filter(|l| !l.is_empty())
            .map(|l| Value::List(l.iter().map(|(key, value)| Cow::Owned(format!("{key}={value}"))).collect()));
    NamespaceName, "k8s.namespace.name", Stable, "The namespace of the pod, where a runtime told it.",
        |e| text(identity(e)?.namespace.as_deref()?);
    PodName, "k8s.pod.name", Stable, "The name of the pod, where a runtime told it.",
        |e| text(identity(e)?.pod_name.as_deref()?);
    ContainerName, "container.name", Development, "The container's name in its pod, or with its runtime, where a runtime told it.",
        |e| text(identity(e)?.container_name.as_deref()?);
    ContainerImageName, "container.image.name", Development, "The name of the container's image, without tag and digest, where a runtime told it.",
        |e| text(identity(e)?.image.as_deref()?);
    ContainerImageTags, "container.image.tags", Development, "The tags of the container's image, where a runtime told them.",
        |e| texts(&identity(e)?.image_tags);
    ContainerImageId, "container.image.id", Development, "What the runtime calls the image on this machine, mostly the digest of its configuration.",
        |e| text(identity(e)?.image_id.as_deref()?);
    ContainerImageDigests, "container.image.repo_digests", Development, "References to the container's image by the digest of its manifest, where a runtime told them.",
        |e| texts(&identity(e)?.image_digests);
    PodIp, "k8s.pod.ip", Development, "The first address of the pod, where the API server told it; the node's where the pod is on the node's network.",
        |e| Some(identity(e)?.pod_ip?.to_string().into());
    NodeName, "k8s.node.name", Stable, "The node that the pod was given to, where the API server told it.",
        |e| text(identity(e)?.node_name.as_deref()?);
    DeploymentName, "k8s.deployment.name", Stable, "The Deployment that owns the pod: by the ReplicaSet's name where the API server told it, else as the pod's labels and name tell.",
        |e| owner(e, OwnerKind::Deployment);
    ReplicaSetName, "k8s.replicaset.name", Stable, "The ReplicaSet that owns the pod, likewise.",
        |e| owner(e, OwnerKind::ReplicaSet);
    StatefulSetName, "k8s.statefulset.name", Stable, "The StatefulSet that owns the pod, likewise.",
        |e| owner(e, OwnerKind::StatefulSet);
    DaemonSetName, "k8s.daemonset.name", Stable, "The DaemonSet that owns the pod, likewise.",
        |e| owner(e, OwnerKind::DaemonSet);
    JobName, "k8s.job.name", Stable, "The Job that owns the pod, likewise.",
        |e| owner(e, OwnerKind::Job);
    WorkloadOwners, "weir.workload.owners", Weir, "What the pod belongs to, each KIND/NAME (RayCluster/llama), the one that manages it first, where the API server told.",
        |e| Some(identity(e)?.owners.as_ref()?).filter(|owners| !owners.is_empty())
            .map(|owners| Value::List(owners.iter().map(|owner| Cow::Owned(format!("{}/{}", owner.kind, owner.name))).collect()));
    WorkloadServiceAccount, "weir.workload.service_account", Weir, "The service account as which the pod asks the API server, where that told.",
        |e| text(identity(e)?.service_account.as_deref()?);
    SystemdUnit, "weir.systemd.unit", Weir, "The systemd unit.",
        |e| text(e.workload.as_deref()?.systemd_unit.as_deref()?);
    SlurmJob, "weir.slurm.job", Weir, "The Slurm job's id.",
        |e| text(e.workload.as_deref()?.slurm_job.as_deref()?);

    FilePath, "file.path", Development, "The file's path in the process's mount namespace; of an exec, the program's.",
        |e| text(&file(e)?.path);
    FileName, "file.name", Development, "The last component of that path.",
        |e| text(file_name(&file(e)?.path));
    FileDirectory, "file.directory", Development, "The path without its last component.",
        |e| file(e)?.path.rsplit_once('/').and_then(|(directory, _)| text(if directory.is_empty() { "/" } else { directory }));
    FileExtension, "file.extension", Development, "What follows the last dot of the name, without the dot.",
        |e| file_name(&file(e)?.path).rsplit_once('.').and_then(|(_, extension)| text(extension));
    FileSize, "file.size", Development, "Bytes when it was opened or changed.",
        |e| file(e)?.id.map(|_| ()).and(Some(file(e)?.size.into()));
    FileInode, "file.inode", Development, "The inode number.",
        |e| Some(file(e)?.id?.inode.to_string().into());
    FileDevice, "weir.file.device", Weir, "The device, MAJOR:MINOR.",
        |e| file(e)?.id.map(|id| format!("{}:{}", id.device >> 20, id.device & 0xf_ffff).into());
    FileMode, "file.mode", Development, "Permission bits, octal.",
        |e| file(e)?.id.map(|_| ()).and(Some(format!("{:04o}", file(e)?.mode & 0o7777).into()));
    FileOwnerId, "file.owner.id", Development, "The owner's user id.",
        |e| file(e)?.id.map(|_| ()).and(Some(file(e)?.uid.into()));
    FileLinks, "weir.file.links", Weir, "Names that the file has; 0: deleted, or memory only.",
        |e| file(e)?.id.map(|_| ()).and(Some(file(e)?.links.into()));
    FileMemory, "weir.file.memory", Weir, "The file is in memory only: memfd, tmpfs, ramfs or hugetlbfs.",
        |e| file(e)?.id.map(|_| ()).and(Some(Value::Flag(is_memory(file(e)?))));
    FileAccess, "weir.file.access", Weir, "What it was opened for: read, write, read_write or none.",
        |e| match &e.body { Body::Open(o) => Some(o.access.name().into()), _ => None };
    FileCreated, "weir.file.created", Weir, "Whether the open made the file: if not, it was there before.",
        |e| match &e.body { Body::Open(o) => Some(Value::Flag(o.created)), _ => None };
    FileBrought, "weir.file.brought", Weir, "Opened for writing, cut or deleted: whether the workload itself made the file, as far as the sensor saw; what was made before it started is somebody else's. Renamed over another file: the same of that one.",
        |e| Some(Value::Flag(e.brought?));
    FileOwnProcess, "weir.file.own_process", Weir, "Of a process's file in a proc file system (/proc/PID/environ): whether it is that of the process that opened it.",
        |e| own_process(e).map(Value::Flag);
    FileNewPath, "weir.file.new_path", Weir, "Rename and link: the name that it got.",
        |e| match &e.body { Body::FileChange(c) => text(&c.new_path), _ => None };
    FileReplaced, "weir.file.replaced", Weir, "Rename: the new name was another file's, which lost it: true, or absent. Where only the words of the rename are known, only of names under which the sensor saw a classified file opened.",
        |e| replaced(e).map(|_| Value::Flag(true));
    FileReplacedInode, "weir.file.replaced.inode", Weir, "The inode number of that file, where it is known.",
        |e| Some(replaced(e)?.id?.inode.to_string().into());
    FileNewSize, "weir.file.new_size", Weir, "Truncate: the new size in bytes.",
        |e| match &e.body { Body::FileChange(c) => c.new_size.map(Value::from), _ => None };
    IoUring, "weir.io_uring", Weir, "An io_uring request did it: true, or absent.",
        |e| match &e.body {
            Body::Open(o) if o.io_uring => Some(Value::Flag(true)),
            Body::FileChange(c) if c.io_uring => Some(Value::Flag(true)),
            Body::Transfer(t) if t.io_uring => Some(Value::Flag(true)),
            _ => None,
        };
    FileClass, "weir.file.class", Weir, "The classes that the file is in: weights, dataset, secret, startup_code, log, host_control and the like (rules/classes.yml).",
        |e| Some(file(e)?.classes).filter(|classes| !classes.is_empty())
            .map(|classes| Value::List(classes.iter().map(|class| Cow::Borrowed(class.name())).collect()));

    FileClassByContent, "weir.file.class_by_content", Weir, "Those of the classes that its content puts it in, whatever its name.",
        |e| Some(file(e)?.by_content).filter(|classes| !classes.is_empty())
            .map(|classes| Value::List(classes.iter().map(|class| Cow::Borrowed(class.name())).collect()));
    FileFormat, "weir.file.format", Weir, "Recognized: the format that its bytes tell, by the names of classes.yml.",
        |e| match &e.body { Body::Recognized(r) => match &r.finding { ContentFinding::Format { name, .. } => Some((&**name).into()), _ => None }, _ => None };
    FileFormatConfidence, "weir.file.format.confidence", Weir, "Recognized: how surely: likely or certain.",
        |e| match &e.body { Body::Recognized(r) => match &r.finding { ContentFinding::Format { confidence, .. } => Some((&**confidence).into()), _ => None }, _ => None };
    FileUnread, "weir.file.unread", Weir, "Recognized: why it could not be looked into: gone, changed, not_permitted, not_regular, failed, hung, refused.",
        |e| match &e.body { Body::Recognized(r) => match &r.finding { ContentFinding::Unread(reason) => Some((&**reason).into()), _ => None }, _ => None };

    NetworkTransport, "network.transport", Stable, "tcp, udp, or a protocol number.",
        |e| match &e.body {
            Body::Egress(g) if g.peer.is_some() => Some(g.transport.to_string().into()),
            Body::Listen(_) => Some("tcp".into()),
            _ => Some(endpoints(e)?.transport.to_string().into()),
        };
    NetworkType, "network.type", Stable, "ipv4 or ipv6.",
        |e| Some(match peer_address(e).or_else(|| local_address(e))? { IpAddr::V4(_) => "ipv4", IpAddr::V6(_) => "ipv6" }.into());
    NetworkPeerAddress, "network.peer.address", Stable, "The peer's address.",
        |e| Some(peer_address(e)?.to_string().into());
    NetworkPeerPort, "network.peer.port", Stable, "The peer's port.",
        |e| Some(endpoints(e)?.peer_port.into());
    NetworkLocalAddress, "network.local.address", Stable, "The own address. Of a socket that listens, 0.0.0.0 and :: are every address.",
        |e| Some(local_address(e)?.to_string().into());
    NetworkLocalPort, "network.local.port", Stable, "The own port.",
        |e| match &e.body {
            Body::Listen(l) => l.port.map(Value::from),
            _ => Some(endpoints(e)?.local_port?.into()),
        };
    ConnectionInitiated, "weir.connection.initiated", Weir, "This side asked for the connection, or sent first.",
        |e| match &e.body {
            Body::Flow(f) => Some(Value::Flag(f.initiated)),
            Body::Egress(g) => Some(Value::Flag(g.initiated)),
            Body::Connect(_) => Some(Value::Flag(true)),
            _ => None,
        };
    ServerAddress, "server.address", Stable, "The destination's name, where one is known.",
        |e| text(e.server.as_ref()?.name.as_deref()?);
    DestinationBy, "weir.destination.by", Weir, "Where that name comes from: dns (the answer of a declared resolver that the workload received), tls or quic (the flow's own ClientHello); address: it has no name.",
        |e| Some(e.server.as_ref()?.by.name().into());
    TlsServerName, "weir.tls.server_name", Weir, "The server's name in the ClientHello: what the client says.",
        |e| match &e.body {
            Body::Hello(h) => text(h.server_name.as_deref()?),
            _ => text(e.server.as_ref()?.tls.as_deref()?),
        };
    TlsDisagrees, "weir.tls.disagrees", Weir, "That name is in another registered domain than what DNS says: domain fronting, or a hello that lies. True, or absent.",
        |e| e.server.as_ref().filter(|s| s.disagrees).map(|_| Value::Flag(true));
    FlowBytes, "weir.flow.bytes", Weir, "Payload bytes sent over the flow so far.",
        |e| match &e.body { Body::Flow(f) => Some(f.bytes.into()), _ => None };
    FlowPackets, "weir.flow.packets", Weir, "Packets that carried them, before segmentation.",
        |e| match &e.body { Body::Flow(f) => Some(f.packets.into()), _ => None };
    FlowReason, "weir.flow.reason", Weir, "Why the flow is reported: first, grown or closed.",
        |e| match &e.body { Body::Flow(f) => Some(f.reason.name().into()), _ => None };
    SocketCookie, "weir.socket.cookie", Weir, "The kernel's number of the socket.",
        |e| match &e.body {
            Body::Flow(f) => Some(f.socket_cookie.into()),
            Body::Connect(c) => Some(c.socket_cookie.into()),
            Body::Transfer(t) => t.socket_cookie.map(Value::from),
            Body::Dns(d) => Some(d.socket_cookie.into()),
            Body::Hello(h) => Some(h.socket_cookie.into()),
            Body::Listen(l) => Some(l.socket_cookie).filter(|cookie| *cookie != 0).map(Value::from),
            _ => None,
        };

    DnsQuestionName, "dns.question.name", Development, "The name asked for, in lower case.",
        |e| text(&dns(e)?.message.as_ref()?.name);
    DnsQuestionType, "weir.dns.question.type", Weir, "The type asked for, a number (1 A, 28 AAAA, 16 TXT).",
        |e| Some(dns(e)?.message.as_ref()?.kind.into());
    DnsAnswers, "dns.answers", Development, "The addresses answered.",
        |e| Some(&dns(e)?.message.as_ref()?.addresses).filter(|a| !a.is_empty())
            .map(|a| Value::List(a.iter().map(|(address, _)| Cow::Owned(address.to_string())).collect()));
    DnsResponseCode, "weir.dns.response.code", Weir, "Of an answer, its code: 0 no error, 3 no such name.",
        |e| dns(e)?.message.as_ref().filter(|m| m.response).map(|m| u32::from(m.code).into());
    DnsDirection, "weir.dns.direction", Weir, "query: it left; answer: it arrived.",
        |e| Some(dns(e)?.direction.name().into());
    DnsRegisteredDomain, "weir.dns.registered_domain", Weir, "The registered domain of the name asked for, by the public suffix list; of what is no DNS message, the address that it went to.",
        |e| text(&dns(e)?.channel.as_ref()?.registered_domain);
    DnsQueryBytes, "weir.dns.query_bytes", Weir, "Bytes of the names that the workload asked for below that domain in the last hour; a bound that nothing is missing from.",
        |e| Some(dns(e)?.channel.as_ref()?.query_bytes.into());
    DnsDistinctLabels, "weir.dns.distinct_labels", Weir, "About how many different names it asked for there in the last hour; a bound likewise.",
        |e| Some(dns(e)?.channel.as_ref()?.distinct_labels.into());
    EgressBytes, "weir.egress.bytes", Weir, "Egress: payload bytes that the kernel counted for the cgroup and the peer since the sensor started.",
        |e| match &e.body { Body::Egress(g) => Some(g.bytes.into()), _ => None };

    HeldBytes, "weir.held.bytes", Weir, "Sum of the sizes of the weight files that the workload opened: the most it can hold, bytes.",
        |e| Some(e.held.as_ref()?.bytes.into());
    HeldSources, "weir.held.sources", Weir, "Distinct weight files that the workload opened.",
        |e| Some(e.held.as_ref()?.sources.into());
    ExfilBytes, "weir.exfil.bytes", Weir, "Payload bytes sent in 30 days to all undeclared destinations together, over connections that the workload initiated, since it held weights.",
        |e| Some(exfil(e)?.bytes.into());
    ExfilBurstBytes, "weir.exfil.burst_bytes", Weir, "The same in 10 minutes.",
        |e| Some(exfil(e)?.burst_bytes.into());
    ExfilDayBytes, "weir.exfil.day_bytes", Weir, "The same in 24 hours.",
        |e| Some(exfil(e)?.day_bytes.into());
    ExfilAcceptedBytes, "weir.exfil.accepted_bytes", Weir, "Payload bytes sent in 30 days over connections that the workload accepted, since it held weights.",
        |e| Some(exfil(e)?.accepted_bytes.into());
    ExfilFraction, "weir.exfil.fraction", Weir, "weir.exfil.bytes over the size of the largest weight file held.",
        |e| Some(Value::Ratio(exfil(e)?.fraction()?));
    ExfilSources, "weir.exfil.sources", Weir, "Paths of the weight files held, the largest first, at most 8.",
        |e| Some(exfil(e)?).filter(|x| !x.sources.is_empty())
            .map(|x| Value::List(x.sources.iter().map(|path| Cow::Borrowed(&**path)).collect()));
    DestinationId, "weir.destination.id", Weir, "What the egress ledger groups by: the declared entry that the destination falls under, else its registered domain, else its address; others where there was no room.",
        |e| text(&destination(e)?.id);
    DestinationDeclared, "weir.destination.declared", Weir, "Whether it is in lists/declared_destinations.txt, or the policy declares it for the workload.",
        |e| Some(Value::Flag(destination(e)?.declared));
    DestinationPublic, "weir.destination.public", Weir, "Whether its address is one of the public internet's.",
        |e| Some(Value::Flag(destination(e)?.public));
    DestinationBytes, "weir.destination.bytes", Weir, "Payload bytes that the workload sent there in 30 days, over connections that it initiated.",
        |e| Some(destination(e)?.bytes.into());
    DestinationDayBytes, "weir.destination.day_bytes", Weir, "The same in 24 hours.",
        |e| Some(destination(e)?.day_bytes.into());
    DestinationUsualDayBytes, "weir.destination.usual_day_bytes", Weir, "The most that went there on one of the complete days of the last 30.",
        |e| destination(e)?.usual_day_bytes.map(Value::from);
    DestinationBudgetDayBytes, "weir.destination.budget_day_bytes", Weir, "What may go there in 24 hours: as declared, else 3 times the usual and 64 MiB. Absent where it is declared unlimited, and where it is not declared.",
        |e| destination(e)?.budget_day_bytes.map(Value::from);
    DestinationOverBudget, "weir.destination.over_budget", Weir, "Declared destinations: more went there in 24 hours than may.",
        |e| destination(e)?.over_budget().map(Value::Flag);
    DestinationFirst, "weir.destination.first", Weir, "These are the workload's first bytes ever to it.",
        |e| Some(Value::Flag(destination(e)?.first));
    DestinationAcceptedDayBytes, "weir.destination.accepted_day_bytes", Weir, "Payload bytes that the workload sent there in 24 hours, over connections that it accepted.",
        |e| Some(destination(e)?.accepted_day_bytes.into());
    DestinationAcceptedFraction, "weir.destination.accepted_fraction", Weir, "weir.destination.accepted_day_bytes over the size of the largest weight file held.",
        |e| exfil(e).filter(|x| x.largest > 0)
            .and_then(|x| Some(Value::Ratio(destination(e)?.accepted_day_bytes as f64 / x.largest as f64)));

    HeldBy, "weir.held.by", Weir, "How it is known: process (it opened it, or it came to it on a known way), workload (somebody in the workload opened it), kernel (the way is not known, since events were lost).",
        |e| Some(e.trail.as_ref()?.by.name().into());
    HeldBound, "weir.held.bound", Weir, "What is held is the most that can be, not a count.",
        |e| Some(Value::Flag(e.trail.as_ref()?.bound));
    SourcePath, "weir.source.path", Weir, "The path of the largest file held, when it was opened.",
        |e| text(&source(e)?.path);
    SourceInode, "weir.source.inode", Weir, "Its inode number.",
        |e| Some(source(e)?.id?.inode.to_string().into());
    SourceDevice, "weir.source.device", Weir, "Its device, MAJOR:MINOR.",
        |e| source(e)?.id.map(|id| format!("{}:{}", id.device >> 20, id.device & 0xf_ffff).into());
    SourceSize, "weir.source.size", Weir, "Its size in bytes, when it was opened.",
        |e| source(e)?.id.map(|_| source(e).map_or(0, |source| source.size).into());
    ReaderPid, "weir.reader.pid", Weir, "Who opened it: the process's id in the initial pid namespace.",
        |e| Some(source(e)?.reader.key.pid.into());
    ReaderId, "weir.reader.id", Weir, "Who opened it: PID-STARTTICKS.",
        |e| Some(source(e)?.reader.key.to_string().into());
    ReaderExecutablePath, "weir.reader.executable.path", Weir, "The program of who opened it.",
        |e| text(&source(e)?.reader.executable);
    SenderPid, "weir.sender.pid", Weir, "Who sends, which need not be who made the socket: the process's id in the initial pid namespace.",
        |e| Some(e.trail.as_ref()?.sender.as_ref()?.key.pid.into());
    SenderId, "weir.sender.id", Weir, "Who sends: PID-STARTTICKS.",
        |e| Some(e.trail.as_ref()?.sender.as_ref()?.key.to_string().into());
    SenderExecutablePath, "weir.sender.executable.path", Weir, "The program of who sends.",
        |e| text(&e.trail.as_ref()?.sender.as_ref()?.executable);
    Carriers, "weir.carriers", Weir, "How it came from who opened it to who sends, step by step: file:PATH, memory:PATH, pipe:[INODE], unix_socket:[INODE], descriptor:PATH, fork, memory.",
        |e| Some(&e.trail.as_ref()?.carriers).filter(|all| !all.is_empty())
            .map(|all| Value::List(all.iter().map(|name| Cow::Borrowed(&**name)).collect()));

    SocketFamily, "weir.socket.family", Weir, "The family of a socket that the flows do not count: packet, vsock, xdp, inet and the like.",
        |e| match &e.body {
            Body::Socket(s) => Some(s.family_name().map_or_else(|| s.family.to_string().into(), Value::from)),
            _ => None,
        };
    SocketType, "weir.socket.type", Weir, "Its type: raw, dgram, stream, seqpacket.",
        |e| match &e.body {
            Body::Socket(s) => Some(s.kind_name().map_or_else(|| s.kind.to_string().into(), Value::from)),
            _ => None,
        };
    SocketProtocol, "weir.socket.protocol", Weir, "Its protocol, a number of the family's own (inet: IPPROTO_*).",
        |e| match &e.body { Body::Socket(s) => Some(s.protocol.into()), _ => None };

    AccessHow, "weir.access.how", Weir, "By what a process got at another: ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, proc_mem, unknown.",
        |e| Some(access(e)?.how.name().into());
    AccessTargetPid, "weir.access.target.pid", Weir, "The other process's id in the initial pid namespace.",
        |e| Some(access(e)?.target?.pid.into());
    AccessTargetId, "weir.access.target.id", Weir, "The other process, PID-STARTTICKS.",
        |e| Some(access(e)?.target?.to_string().into());
    AccessTargetExecutablePath, "weir.access.target.executable.path", Weir, "The other process's program.",
        |e| text(&access(e)?.target_process.as_deref()?.executable);

    BpfCommand, "weir.bpf.command", Weir, "The bpf command: prog_load, prog_detach, link_update, link_detach; on the sensor's own objects also map_update_elem, map_get_fd_by_id and the like.",
        |e| match &e.body {
            Body::Bpf(b) => Some(b.command_name().map_or_else(|| b.command.to_string().into(), Value::from)),
            _ => None,
        };
    BpfObject, "weir.bpf.object", Weir, "What it is about: program, map or link.",
        |e| match &e.body { Body::Bpf(b) => b.object_name().map(Value::from), _ => None };
    BpfObjectId, "weir.bpf.object.id", Weir, "The kernel's id of that.",
        |e| match &e.body { Body::Bpf(b) => b.id.map(Value::from), _ => None };
    BpfOwn, "weir.bpf.own", Weir, "Whether that is one of the sensor's own.",
        |e| match &e.body { Body::Bpf(b) => Some(Value::Flag(b.own)), _ => None };
    BpfProgramType, "weir.bpf.program.type", Weir, "prog_load: BPF_PROG_TYPE_*, a number (include/uapi/linux/bpf.h).",
        |e| match &e.body { Body::Bpf(b) if b.command_name() == Some("prog_load") => Some(b.program_type.into()), _ => None };
    BpfProgramName, "weir.bpf.program.name", Weir, "prog_load: the program's name. Chosen by the process: never decide by it.",
        |e| match &e.body { Body::Bpf(b) => text(&b.program_name), _ => None };

    ModuleName, "weir.module.name", Weir, "The kernel module's name.",
        |e| match &e.body { Body::Module(m) => text(&m.name), _ => None };
    ModuleTaints, "weir.module.taints", Weir, "What it taints the kernel with, a bit set (bit 12 out of tree, bit 13 unsigned).",
        |e| match &e.body { Body::Module(m) => Some(m.taints.into()), _ => None };

    MountHow, "weir.mount.how", Weir, "What was done: mount, move_mount or pivot_root.",
        |e| Some(mount(e)?.how.name().into());
    MountSource, "weir.mount.source", Weir, "What was mounted: a device, a directory or any word; of pivot_root, where the old root was put.",
        |e| text(&mount(e)?.source);
    MountTarget, "weir.mount.target", Weir, "The directory that it was put on; of pivot_root, the new root.",
        |e| text(&mount(e)?.target);
    MountFilesystem, "weir.mount.filesystem", Weir, "The file system's type.",
        |e| text(&mount(e)?.filesystem);
    MountFlags, "weir.mount.flags", Weir, "MS_* flags, a bit set (4096 bind, 262144 private, 32 remount).",
        |e| mount(e).filter(|m| m.how == MountKind::Mount).map(|m| m.flags.into());

    NamespaceHow, "weir.namespace.how", Weir, "unshare: into new ones; setns: into somebody else's.",
        |e| match &e.body { Body::Namespace(n) => Some(n.how.name().into()), _ => None };
    NamespaceType, "weir.namespace.type", Weir, "The kinds asked for: mnt, pid, net, user, ipc, uts, cgroup, time; none where setns left it to the descriptor.",
        |e| match &e.body {
            Body::Namespace(n) => Some(Value::List(n.kinds().map(Cow::Borrowed).collect())).filter(|_| n.kinds().next().is_some()),
            _ => None,
        };

    TransferCarrier, "weir.transfer.carrier", Weir, "What carries content: file, memory, pipe, unix_socket, inet_socket or device.",
        |e| Some(transfer(e)?.carrier.name().into());
    TransferDirection, "weir.transfer.direction", Weir, "in: the process took from it; out: it gave to it; both: it is mapped, shared and writable.",
        |e| Some(transfer(e)?.direction.name().into());
    TransferBytes, "weir.transfer.bytes", Weir, "Bytes between the two in this direction so far.",
        |e| Some(transfer(e)?.bytes.into());
    TransferBound, "weir.transfer.bound", Weir, "The bytes are the most that can have moved, not a count.",
        |e| Some(Value::Flag(transfer(e)?.bound));

    TamperObject, "weir.tamper.object", Weir, "What of the sensor's own was changed: link, map or program, and its name.",
        |e| match &e.body { Body::Tamper(t) => text(&t.object), _ => None };
    TamperWhat, "weir.tamper.what", Weir, "What is wrong with it.",
        |e| match &e.body { Body::Tamper(t) => text(&t.what), _ => None };

    SecurityRuleVersion, "security_rule.version", Development, "Reloaded: the version of the rule set that is in effect from then on, SHA-256; every alert names the one that found it.",
        |e| match &e.body { Body::Reloaded(r) => text(&r.ruleset), _ => None };
    RulesCount, "weir.rules.count", Weir, "Reloaded: detections and correlations in that set.",
        |e| match &e.body { Body::Reloaded(r) => Some(r.rules.into()), _ => None };
    FiltersCount, "weir.filters.count", Weir, "Reloaded: filters in it.",
        |e| match &e.body { Body::Reloaded(r) => Some(r.filters.into()), _ => None };
    PolicyVersion, "weir.policy.version", Weir, "Reloaded: the version of the policy that is in effect from then on, SHA-256 of its file; absent if there is none.",
        |e| match &e.body { Body::Reloaded(r) => text(r.policy.as_deref()?), _ => None };
    ClassesVersion, "weir.classes.version", Weir, "Reloaded: the version of the classes that are in effect from then on, SHA-256 of their file.",
        |e| match &e.body { Body::Reloaded(r) => text(&r.classes), _ => None };

    LostCount, "weir.lost.count", Weir, "Events that were lost.",
        |e| match &e.body { Body::Lost(l) => Some(l.count.into()), _ => None };
    LostCause, "weir.lost.cause", Weir, "Why they were lost.",
        |e| match &e.body { Body::Lost(l) => Some((&*l.cause).into()), _ => None };
    LostKind, "weir.lost.kind", Weir, "What kind of event was lost.",
        |e| match &e.body { Body::Lost(l) => Some((&*l.kind).into()), _ => None };
}

static BY_NAME: LazyLock<HashMap<&'static str, Field, ahash::RandomState>> =
    LazyLock::new(|| Field::ALL.iter().map(|field| (field.name(), *field)).collect());

impl Field {
    /// The field of that name.
    pub fn from_name(name: &str) -> Option<Field> {
        BY_NAME.get(name).copied()
    }
}

fn text(text: &str) -> Option<Value<'_>> {
    Some(text).filter(|t| !t.is_empty()).map(Value::from)
}

fn process(event: &Event) -> Option<&Process> {
    event.process.as_deref()
}

/// Those of the process; of a program whose process nobody has looked up, those that it was started with.
fn arguments(event: &Event) -> Option<&[Box<str>]> {
    match (process(event), &event.body) {
        (Some(process), _) => Some(&process.args),
        (None, Body::Exec(exec)) => Some(&exec.args),
        _ => None,
    }
}

fn file(event: &Event) -> Option<&File> {
    match &event.body {
        Body::Open(open) => Some(&open.file),
        Body::Exec(exec) => Some(&exec.file),
        Body::FileChange(change) => Some(&change.file),
        Body::Transfer(transfer) => Some(&transfer.file),
        Body::Recognized(recognized) => Some(&recognized.file),
        _ => None,
    }
}

fn stream(event: &Event, descriptor: usize) -> Option<Value<'_>> {
    match &event.body {
        Body::Exec(exec) => Some(exec.streams.get(descriptor)?.name().into()),
        _ => None,
    }
}

fn replaced(event: &Event) -> Option<&super::Replaced> {
    match &event.body {
        Body::FileChange(change) => change.replaced.as_ref(),
        _ => None,
    }
}

fn source(event: &Event) -> Option<&super::Source> {
    event.trail.as_ref()?.source.as_deref()
}

fn transfer(event: &Event) -> Option<&super::Transfer> {
    match &event.body {
        Body::Transfer(transfer) => Some(transfer),
        _ => None,
    }
}

fn access(event: &Event) -> Option<&super::ProcessAccess> {
    match &event.body {
        Body::ProcessAccess(access) => Some(access),
        _ => None,
    }
}

fn mount(event: &Event) -> Option<&super::Mount> {
    match &event.body {
        Body::Mount(mount) => Some(mount),
        _ => None,
    }
}

fn dns(event: &Event) -> Option<&super::Dns> {
    match &event.body {
        Body::Dns(dns) => Some(dns),
        _ => None,
    }
}

fn endpoints(event: &Event) -> Option<&super::Endpoints> {
    match &event.body {
        Body::Connect(connect) => Some(&connect.endpoints),
        Body::Flow(flow) => Some(&flow.endpoints),
        Body::Dns(dns) => Some(&dns.endpoints),
        Body::Hello(hello) => Some(&hello.endpoints),
        _ => None,
    }
}

fn local_address(event: &Event) -> Option<IpAddr> {
    match &event.body {
        Body::Listen(listen) => Some(listen.address),
        _ => endpoints(event)?.local_address,
    }
}

fn peer_address(event: &Event) -> Option<IpAddr> {
    match &event.body {
        Body::Egress(grown) => grown.peer,
        _ => Some(endpoints(event)?.peer_address),
    }
}

fn exfil(event: &Event) -> Option<&super::Exfil> {
    event.egress.as_ref()?.exfil.as_ref()
}

/// What a runtime said about the container: the one that the event is of, or about.
fn identity(event: &Event) -> Option<&super::Identity> {
    match &event.body {
        Body::WorkloadIdentified(identified) => Some(&identified.identity),
        _ => event.workload.as_deref()?.identity.as_deref(),
    }
}

fn container_id(event: &Event) -> Option<&str> {
    match &event.body {
        Body::WorkloadIdentified(identified) => Some(&identified.container_id),
        _ => event.workload.as_deref()?.container_id.as_deref(),
    }
}

/// Who owns the pod, if it is one of that kind.
fn owner(event: &Event, kind: OwnerKind) -> Option<Value<'_>> {
    text(identity(event)?.owner(kind)?)
}

fn texts(list: &[Box<str>]) -> Option<Value<'_>> {
    (!list.is_empty()).then(|| Value::List(list.iter().map(|text| Cow::Borrowed(&**text)).collect()))
}

fn destination(event: &Event) -> Option<&super::DestinationSums> {
    Some(&event.egress.as_ref()?.destination)
}

/// Whether a file that was opened in `/proc/PID` is of the process that opened it. The id is as the proc file system has it, which
/// can be that of another pid namespace: either of the process's own ids will do.
fn own_process(event: &Event) -> Option<bool> {
    let Body::Open(open) = &event.body else { return None };
    if !open.file.classes.contains(Class::ProcessEnvironment) {
        return None;
    }
    let mut above = open.file.path.rsplit('/').skip(1);
    let mut pid = above.next()?;
    if above.next() == Some("task") {
        pid = above.next()?;
    }
    let pid: u32 = pid.parse().ok()?;
    let vpid = process(event).map(|process| process.vpid);
    Some(pid == event.actor.process?.pid || pid == event.actor.vpid || Some(pid) == vpid)
}

/// By file system: TMPFS_MAGIC, RAMFS_MAGIC, HUGETLBFS_MAGIC (include/uapi/linux/magic.h).
fn is_memory(file: &File) -> bool {
    matches!(file.filesystem, 0x0102_1994 | 0x8584_58f6 | 0x9584_58f6)
}
