//! What errors of S3 mean.
#![forbid(unsafe_code)]

use keymill::{Error, ErrorKind};

use crate::trust::refused;

/// The error of a request for a path of `kind`: [`ErrorKind::Source`] or [`ErrorKind::Sink`].
pub(super) fn failed(kind: ErrorKind, url: &str, cause: object_store::Error) -> Error {
    use object_store::Error::{Generic, JoinError, PermissionDenied, Unauthenticated};
    if let Some(says) = refused(&cause) {
        return Error::new(kind, format!("`{url}`: the store {says}")).with_source(cause);
    }
    let (kind, says) = match &cause {
        Generic { source, .. } if is_refusal(&source.to_string()) => (kind, "the store refuses"),
        Generic { .. } | JoinError { .. } => (
            ErrorKind::Unavailable,
            "the store does not answer, or not as it should",
        ),
        PermissionDenied { .. } | Unauthenticated { .. } => {
            (kind, "the store refuses these credentials")
        }
        _ => (kind, "the store refuses"),
    };
    Error::new(kind, format!("`{url}`: {says}")).with_source(cause)
}

/// Whether an answer has a status that it would have again: the client tells it only in its text.
fn is_refusal(says: &str) -> bool {
    let status = says.split("status code: ").nth(1).unwrap_or_default();
    status.starts_with('4') && !status.starts_with("408") && !status.starts_with("429")
}

/// The error of a path that has parts which no object can have.
pub(super) fn odd_path(kind: ErrorKind, url: &str, cause: object_store::path::Error) -> Error {
    let message = format!("`{url}` is not the name of an object; check its slashes and dots");
    Error::new(kind, message).with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
        let kind = |status: &str| {
            let source = format!("Server returned non-2xx status code: {status}: <Error>").into();
            let cause = object_store::Error::Generic {
                store: "S3",
                source,
            };
            failed(ErrorKind::Sink, "s3://b/x", cause).kind()
        };
        for status in ["404 Not Found", "400 Bad Request"] {
            assert_eq!(kind(status), ErrorKind::Sink, "{status}");
        }
        for status in ["429 Too Many Requests", "503 Service Unavailable"] {
            assert_eq!(kind(status), ErrorKind::Unavailable, "{status}");
        }
    }
}
