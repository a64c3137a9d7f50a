//! What errors of the client mean for a stream.
#![forbid(unsafe_code)]

use keymill::{Error, ErrorKind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

/// The error of the library for an error of the client. `kind` is for errors that do not pass.
pub(super) fn failed(kind: ErrorKind, what: &str, cause: KafkaError) -> Error {
    let kind = if is_passing(&cause) {
        ErrorKind::Unavailable
    } else {
        kind
    };
    Error::new(kind, what).with_source(cause)
}

/// Whether a call can be made again to go on.
pub(super) fn is_unfinished(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable(),
        error => error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut),
    }
}

/// Refuses an answer that is an error for one of its partitions: it has no offset, which must not be taken for one
/// that was never committed.
pub(super) fn all_answered(list: TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
    list.elements().iter().try_for_each(|it| it.error())?;
    Ok(list)
}

/// Whether partitions went to another member of the group.
pub(super) fn is_rebalance(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
    let code = match error {
        KafkaError::Transaction(error) => Some(error.code()),
        error => error.rdkafka_error_code(),
    };
    matches!(
        code,
        Some(IllegalGeneration | RebalanceInProgress | UnknownMemberId)
    )
}

/// Whether the client tries again by itself, or another attempt may succeed.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerDestroy, BrokerNotAvailable, BrokerTransportFailure,
        ConcurrentTransactions, CoordinatorLoadInProgress, CoordinatorNotAvailable, Fail,
        LeaderNotAvailable, MessageTimedOut, NetworkException, NotCoordinator, NotEnoughReplicas,
        NotEnoughReplicasAfterAppend, NotLeaderForPartition, OperationTimedOut, PurgeInflight,
        PurgeQueue, RequestTimedOut, Resolve, WaitingForCoordinator,
    };
    if let KafkaError::Transaction(error) = error {
        if error.is_fatal() {
            return false;
        }
        if error.is_retriable() || error.txn_requires_abort() {
            return true;
        }
    }
    matches!(
        error.rdkafka_error_code(),
        Some(
            AllBrokersDown
                | BrokerDestroy
                | BrokerNotAvailable
                | BrokerTransportFailure
                | ConcurrentTransactions
                | CoordinatorLoadInProgress
                | CoordinatorNotAvailable
                | Fail
                | LeaderNotAvailable
                | MessageTimedOut
                | NetworkException
                | NotCoordinator
                | NotEnoughReplicas
                | NotEnoughReplicasAfterAppend
                | NotLeaderForPartition
                | OperationTimedOut
                | PurgeInflight
                | PurgeQueue
                | RequestTimedOut
                | Resolve
                | WaitingForCoordinator
        )
    )
}
