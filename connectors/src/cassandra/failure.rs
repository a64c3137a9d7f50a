//! What errors of Cassandra mean.
#![forbid(unsafe_code)]

use keymill::{Error, ErrorKind};
use scylla::errors::{
    BadQuery, ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError,
    ExecutionError, MetadataError, NewSessionError, PrepareError, RequestAttemptError,
};

use super::tls::is_refusal;

/// What an error means for the query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It may work later.
    Later,
    /// The user or the password is wrong.
    Login,
    /// The certificate of a node is not trusted.
    Certificate,
    /// It will not work.
    Never,
}

/// The error of a statement.
pub(super) fn failed(at: &str, cause: ExecutionError) -> Error {
    let meaning = match &cause {
        ExecutionError::LastAttemptError(cause) => of_attempt(cause),
        ExecutionError::PrepareError(cause) => of_prepare(cause),
        ExecutionError::ConnectionPoolError(cause) => of_pool(cause),
        ExecutionError::BadQuery(_) => Meaning::Never,
        _ => Meaning::Later,
    };
    error(at, meaning, cause)
}

/// The error of a statement that was prepared.
pub(super) fn failed_to_prepare(at: &str, cause: PrepareError) -> Error {
    error(at, of_prepare(&cause), cause)
}

/// The error of a connection.
pub(super) fn failed_to_connect(at: &str, cause: NewSessionError) -> Error {
    let meaning = match &cause {
        NewSessionError::MetadataError(MetadataError::ConnectionPoolError(cause)) => of_pool(cause),
        NewSessionError::IllegalConfig(_) => Meaning::Never,
        _ => Meaning::Later,
    };
    error(at, meaning, cause)
}

/// The error of a node whose certificate is not trusted.
pub(super) fn untrusted(at: &str, why: &str) -> Error {
    error(at, Meaning::Certificate, why)
}

/// Why Cassandra does not take a row, if the error is of the row alone.
pub(super) fn refusal(cause: &ExecutionError) -> Option<String> {
    match cause {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, says)) => {
            Some(says.clone())
        }
        ExecutionError::BadQuery(
            cause @ (BadQuery::ValuesTooLongForKey(..) | BadQuery::PartitionKeyExtraction),
        ) => Some(cause.to_string()),
        _ => None,
    }
}

fn error(
    at: &str,
    meaning: Meaning,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let (kind, says) = match meaning {
        Meaning::Later => (ErrorKind::Unavailable, "does not take results"),
        Meaning::Login => (ErrorKind::Sink, "does not accept the user and password"),
        Meaning::Certificate => (ErrorKind::Sink, "shows a certificate that is not trusted"),
        Meaning::Never => (ErrorKind::Sink, "refuses results"),
    };
    Error::new(kind, format!("`{at}` {says}")).with_source(cause)
}

fn of_pool(cause: &ConnectionPoolError) -> Meaning {
    let ConnectionPoolError::Broken {
        last_connection_error,
    } = cause
    else {
        return Meaning::Later;
    };
    let cause = match last_connection_error {
        ConnectionError::ConnectionSetupRequestError(cause) => cause,
        ConnectionError::IoError(cause) if is_refusal(cause) => return Meaning::Certificate,
        _ => return Meaning::Later,
    };
    match &cause.error {
        ConnectionSetupRequestErrorKind::MissingAuthentication => Meaning::Login,
        ConnectionSetupRequestErrorKind::DbError(cause, says) => of_answer(cause, says),
        _ => Meaning::Later,
    }
}

fn of_prepare(cause: &PrepareError) -> Meaning {
    match cause {
        PrepareError::AllAttemptsFailed { first_attempt } => of_attempt(first_attempt),
        PrepareError::ConnectionPoolError(cause) => of_pool(cause),
        _ => Meaning::Later,
    }
}

fn of_attempt(cause: &RequestAttemptError) -> Meaning {
    use RequestAttemptError::{CqlRequestSerialization, DbError as Answer, SerializationError};
    match cause {
        SerializationError(_) | CqlRequestSerialization(_) => Meaning::Never,
        Answer(cause, says) => of_answer(cause, says),
        _ => Meaning::Later,
    }
}

fn of_answer(cause: &DbError, says: &str) -> Meaning {
    use DbError::{
        AlreadyExists, AuthenticationError, ConfigError, FunctionFailure, Invalid, SyntaxError,
        Unauthorized,
    };
    match cause {
        // A server that has just started cannot read its users yet.
        AuthenticationError if says.starts_with("Unable to perform authentication") => {
            Meaning::Later
        }
        // Another query has just created it. Whether it is gone is checked when the next attempt begins.
        Invalid if says.starts_with("table ") && says.ends_with(" does not exist") => {
            Meaning::Later
        }
        AuthenticationError | Unauthorized => Meaning::Login,
        SyntaxError | Invalid | AlreadyExists { .. } | FunctionFailure { .. } | ConfigError => {
            Meaning::Never
        }
        _ => Meaning::Later,
    }
}
