//! Which type the values of a field have. A field that is named nowhere here is text.
//!
//! A test holds this against the vocabulary: a new field that is no text has to be added here.

use super::table::Kind;
use crate::event::Field;
use crate::evidence::store::columns::DERIVED;

/// Whole numbers.
const NUMBERS: &[Field] = &[
    Field::ProcessPid,
    Field::ProcessVpid,
    Field::ThreadId,
    Field::ProcessParentPid,
    Field::ProcessUserId,
    Field::ProcessGroupId,
    Field::ProcessExitCode,
    Field::ProcessExitSignal,
    Field::MountNamespace,
    Field::PidNamespace,
    Field::CgroupId,
    Field::FileSize,
    Field::FileOwnerId,
    Field::FileLinks,
    Field::FileNewSize,
    Field::NetworkPeerPort,
    Field::NetworkLocalPort,
    Field::FlowBytes,
    Field::FlowPackets,
    Field::DestinationBytes,
    Field::DestinationDayBytes,
    Field::DestinationUsualDayBytes,
    Field::DestinationBudgetDayBytes,
    Field::DestinationAcceptedDayBytes,
    Field::SocketCookie,
    Field::SocketProtocol,
    Field::DnsQuestionType,
    Field::DnsResponseCode,
    Field::DnsQueryBytes,
    Field::DnsDistinctLabels,
    Field::EgressBytes,
    Field::HeldBytes,
    Field::HeldSources,
    Field::ExfilBytes,
    Field::ExfilBurstBytes,
    Field::ExfilDayBytes,
    Field::ExfilAcceptedBytes,
    Field::SourceSize,
    Field::ReaderPid,
    Field::SenderPid,
    Field::AccessTargetPid,
    Field::BpfObjectId,
    Field::BpfProgramType,
    Field::ModuleTaints,
    Field::MountFlags,
    Field::TransferBytes,
    Field::RulesCount,
    Field::FiltersCount,
    Field::LostCount,
];

/// Shares.
const RATIOS: &[Field] = &[Field::DestinationAcceptedFraction, Field::ExfilFraction];

/// Yes or no.
const FLAGS: &[Field] = &[
    Field::ProcessSetuid,
    Field::ProcessEntered,
    Field::FileMemory,
    Field::FileCreated,
    Field::FileBrought,
    Field::FileOwnProcess,
    Field::FileReplaced,
    Field::IoUring,
    Field::ConnectionInitiated,
    Field::TlsDisagrees,
    Field::DestinationDeclared,
    Field::DestinationPublic,
    Field::DestinationOverBudget,
    Field::DestinationFirst,
    Field::HeldBound,
    Field::BpfOwn,
    Field::TransferBound,
];

/// Lists of texts.
const LISTS: &[Field] = &[
    Field::ProcessCommandArgs,
    Field::ProcessAncestors,
    Field::ProcessDeclared,
    Field::WorkloadDeclares,
    Field::WorkloadLabels,
    Field::WorkloadOwners,
    Field::ContainerImageTags,
    Field::ContainerImageDigests,
    Field::FileClass,
    Field::FileClassByContent,
    Field::DnsAnswers,
    Field::ExfilSources,
    Field::Carriers,
    Field::NamespaceType,
];

/// The type of a field's column.
pub fn kind(field: Field) -> Kind {
    match field {
        field if NUMBERS.contains(&field) => Kind::Number,
        field if RATIOS.contains(&field) => Kind::Ratio,
        field if FLAGS.contains(&field) => Kind::Flag,
        field if LISTS.contains(&field) => Kind::List,
        _ => Kind::Text,
    }
}

/// The fields that have a column: all but those that follow from others (`process.command_line`, `file.name` and the like).
pub fn fields() -> impl Iterator<Item = Field> {
    Field::ALL.iter().copied().filter(|field| !DERIVED.contains(field))
}
