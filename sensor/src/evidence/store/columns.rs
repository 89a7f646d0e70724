//! Where each field of an event is kept: what is the same for many events is a row of a dictionary, what is not is in the event's own.
//!
//! A field that is named nowhere here is part of the event's *shape*: it is kept all the same, so that a field that the vocabulary
//! gains later is never left out.

use crate::event::Field;

/// How a value is kept in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A number.
    Number,
    /// 0 or 1.
    Flag,
    /// Its text.
    Text,
    /// A list of texts, as JSON.
    List,
    /// The number of its text in `texts`.
    Shared,
    /// The number of the list, as JSON, in `texts`.
    SharedList,
}

/// A column of a dictionary.
pub type Column = (Field, Form);

/// The process: what stays the same from exec to exec.
pub const PROCESSES: &[Column] = &[
    (Field::ProcessId, Form::Text),
    (Field::ProcessPid, Form::Number),
    (Field::ProcessVpid, Form::Number),
    (Field::LineageId, Form::Shared),
    (Field::ProcessExecutablePath, Form::Shared),
    (Field::ProcessCommandArgs, Form::SharedList),
    (Field::ProcessWorkingDirectory, Form::Shared),
    (Field::ProcessParentPid, Form::Number),
    (Field::ProcessParentId, Form::Shared),
    (Field::ProcessParentExecutablePath, Form::Shared),
    (Field::ProcessParentCommandLine, Form::Shared),
    (Field::ProcessAncestors, Form::SharedList),
    (Field::ProcessUserId, Form::Number),
    (Field::ProcessGroupId, Form::Number),
    (Field::ProcessDeclared, Form::SharedList),
    (Field::ProcessEntered, Form::Flag),
    (Field::MountNamespace, Form::Number),
    (Field::PidNamespace, Form::Number),
    (Field::CgroupId, Form::Number),
];

/// What the process is part of.
pub const WORKLOADS: &[Column] = &[
    (Field::WorkloadId, Form::Text),
    (Field::WorkloadKind, Form::Text),
    (Field::CgroupPath, Form::Text),
    (Field::ContainerId, Form::Text),
    (Field::ContainerName, Form::Text),
    (Field::ContainerImageName, Form::Text),
    (Field::ContainerImageTags, Form::List),
    (Field::ContainerImageId, Form::Text),
    (Field::ContainerImageDigests, Form::List),
    (Field::ContainerRuntimeName, Form::Text),
    (Field::NamespaceName, Form::Text),
    (Field::PodName, Form::Text),
    (Field::PodUid, Form::Text),
    (Field::DeploymentName, Form::Text),
    (Field::StatefulSetName, Form::Text),
    (Field::DaemonSetName, Form::Text),
    (Field::JobName, Form::Text),
    (Field::SystemdUnit, Form::Text),
    (Field::SlurmJob, Form::Text),
    (Field::WorkloadRole, Form::Text),
    (Field::WorkloadDeclares, Form::List),
    (Field::WorkloadLabels, Form::List),
];

/// What was acted on: a file, a peer, another process. What else is known of it is in the column `rest`.
pub const OBJECTS: &[Column] = &[
    (Field::FilePath, Form::Text),
    (Field::FileNewPath, Form::Text),
    (Field::FileDevice, Form::Shared),
    (Field::FileInode, Form::Text),
    (Field::NetworkPeerAddress, Form::Text),
    (Field::NetworkPeerPort, Form::Number),
    (Field::ServerAddress, Form::Text),
    (Field::ProcessChildId, Form::Text),
];

/// What else is known of an object; it repeats from object to object.
pub const OBJECT_REST: &[Field] = &[
    Field::FileMode,
    Field::FileOwnerId,
    Field::FileLinks,
    Field::FileMemory,
    Field::FileClass,
    Field::FileClassByContent,
    Field::NetworkTransport,
    Field::NetworkType,
    Field::DestinationBy,
    Field::DestinationId,
    Field::DestinationDeclared,
    Field::DestinationPublic,
    Field::TlsServerName,
    Field::TlsDisagrees,
    Field::DnsQuestionName,
    Field::DnsQuestionType,
    Field::DnsRegisteredDomain,
    Field::AccessTargetId,
    Field::AccessTargetPid,
    Field::AccessTargetExecutablePath,
];

/// How who acts came to what they hold.
pub const TRAILS: &[Column] = &[
    (Field::HeldBy, Form::Shared),
    (Field::HeldBound, Form::Flag),
    (Field::SourcePath, Form::Shared),
    (Field::SourceInode, Form::Shared),
    (Field::SourceDevice, Form::Shared),
    (Field::SourceSize, Form::Number),
    (Field::ReaderPid, Form::Number),
    (Field::ReaderId, Form::Shared),
    (Field::ReaderExecutablePath, Form::Shared),
    (Field::SenderPid, Form::Number),
    (Field::SenderId, Form::Shared),
    (Field::SenderExecutablePath, Form::Shared),
    (Field::Carriers, Form::SharedList),
    (Field::ExfilSources, Form::SharedList),
];

/// What follows from others, and is made again from them when an event is read.
pub const DERIVED: &[Field] = &[
    Field::ProcessExecutableName,
    Field::ProcessCommandLine,
    Field::ProcessParentExecutableName,
    Field::ProcessChildPid,
    Field::FileName,
    Field::FileDirectory,
    Field::FileExtension,
];

/// Columns of an event's own row.
pub const OWN: &[Field] = &[Field::EventKind, Field::ProcessTitle, Field::ThreadId];

/// The bytes that an event is about: the first of these that it has.
pub const BYTES: &[Field] = &[Field::FlowBytes, Field::TransferBytes, Field::EgressBytes, Field::FileSize];

/// Fields of the shape that have few values. They are kept with it, as flags are; the others are in the event's column `rest`.
pub const FEW_VALUES: &[Field] = &[
    Field::HookName,
    Field::FileAccess,
    Field::FlowReason,
    Field::DnsDirection,
    Field::AccessHow,
    Field::MountHow,
    Field::NamespaceHow,
    Field::NamespaceType,
    Field::TransferCarrier,
    Field::TransferDirection,
    Field::SocketFamily,
    Field::SocketType,
    Field::BpfCommand,
    Field::BpfObject,
    Field::ProcessStdin,
    Field::ProcessStdout,
    Field::ProcessStderr,
    Field::FileUnread,
    Field::FileFormat,
    Field::FileFormatConfidence,
    Field::LostKind,
    Field::LostCause,
];

/// The fields that make up a shape: all that are not named above.
pub fn shape() -> Vec<Field> {
    let columns = [PROCESSES, WORKLOADS, OBJECTS, TRAILS].into_iter().flatten().map(|(field, _)| field);
    let lists = [OBJECT_REST, DERIVED, OWN].into_iter().flatten();
    let elsewhere: std::collections::BTreeSet<&Field> = columns.chain(lists).collect();
    Field::ALL.iter().copied().filter(|field| !elsewhere.contains(field)).collect()
}
