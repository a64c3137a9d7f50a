//! What errors of HDFS mean.
#![forbid(unsafe_code)]

use hdfs_native::HdfsError;
use keymill::{Error, ErrorKind};

/// Exceptions of the server after which the same request may work later: their names, or what they say.
const LATER: [&str; 9] = [
    "SafeModeException",
    "StandbyException",
    "RetriableException",
    "RetryStartFileException",
    "NotReplicatedYetException",
    "AlreadyBeingCreatedException",
    "RecoveryInProgressException",
    "LeaseExpiredException",
    // No data node has room, or none answers.
    "could only be written to",
];

/// The error of a request for a path of `kind`: [`ErrorKind::Source`] or [`ErrorKind::Sink`]. Of the server's
/// exception it has the first line, because the others are a stack trace.
pub(super) fn failed(kind: ErrorKind, url: &str, cause: HdfsError) -> Error {
    let (kind, message) = match is_for_now(&cause) {
        true => (
            ErrorKind::Unavailable,
            format!("`{url}`: HDFS does not answer, or not as it should"),
        ),
        false => (kind, format!("`{url}`: HDFS refuses")),
    };
    match cause.to_string().split_once('\n') {
        Some((first, _)) => Error::new(kind, message).with_source(first),
        None => Error::new(kind, message).with_source(cause),
    }
}

/// Whether the same request may work later.
fn is_for_now(cause: &HdfsError) -> bool {
    use HdfsError::{
        BlocksNotFound, ChecksumError, DataTransferError, FatalRPCError, IOError, OperationFailed,
        RPCError,
    };
    match cause {
        IOError(_) | DataTransferError(_) | ChecksumError | BlocksNotFound(_)
        | OperationFailed(_) => true,
        RPCError(class, says) | FatalRPCError(class, says) => LATER
            .iter()
            .any(|name| class.contains(name) || says.contains(name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_starts_is_asked_again_and_one_that_refuses_is_not() {
        let rpc = |class: &str, says: &str| {
            let cause = HdfsError::RPCError(class.into(), says.into());
            failed(ErrorKind::Sink, "hdfs://h/x", cause).kind()
        };
        let package = "org.apache.hadoop.hdfs.server.namenode.SafeModeException";
        assert_eq!(rpc(package, "on"), ErrorKind::Unavailable);
        let full = "File /x could only be written to 0 of the 1 minReplication nodes";
        assert_eq!(rpc("java.io.IOException", full), ErrorKind::Unavailable);
        let denied = "org.apache.hadoop.security.AccessControlException";
        assert_eq!(rpc(denied, "denied"), ErrorKind::Sink);
    }

    #[test]
    fn a_stack_trace_of_the_server_is_not_shown() {
        let class = "java.io.IOException";
        let says = "java.io.IOException: File /x could only be written to 0 nodes.\n\tat org.apache.A.b(A.java:1)\n";
        let cause = HdfsError::RPCError(class.into(), says.into());
        let error = failed(ErrorKind::Sink, "hdfs://h/x", cause);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let shown = error.to_string();
        assert!(
            shown.ends_with("could only be written to 0 nodes."),
            "{shown}"
        );
    }
}
