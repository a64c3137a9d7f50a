//! What errors of PostgreSQL mean for a stream.
#![forbid(unsafe_code)]

use std::error::Error as _;
use std::io;

use keymill::{Error, ErrorKind};

/// SQL states after which the same transaction may work later. Two characters are a class.
const LATER: [&str; 9] = [
    "08",    // connection exceptions
    "40",    // serialization failures, deadlocks
    "53",    // full disks, too many connections
    "55P03", // a lock is not available
    "57P01", "57P02", "57P03",
    "57P05", // the server stops, crashed, starts; an idle session ended
    "58030", // I/O error of the server
];

/// The error of the library for an error of the database.
pub(super) fn failed(name: &str, cause: postgres::Error) -> Error {
    let state = cause.code().map(|state| state.code().to_owned());
    let (kind, message) = match state {
        Some(state) if LATER.iter().any(|it| state.starts_with(it)) => {
            let message = format!("`{name}` cannot do it now ({state})");
            (ErrorKind::Unavailable, message)
        }
        None if is_lost(&cause) => {
            let message = format!("no connection to `{name}`");
            (ErrorKind::Unavailable, message)
        }
        _ => (ErrorKind::Sink, format!("cannot write to `{name}`")),
    };
    let text = match cause.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => {
            let source = cause.source().map(ToString::to_string);
            source.unwrap_or_else(|| cause.to_string())
        }
    };
    Error::new(kind, message).with_source(text)
}

/// Whether an error says that there is no connection any more.
pub(super) fn is_lost(error: &postgres::Error) -> bool {
    let cause = error.source().and_then(|it| it.downcast_ref::<io::Error>());
    error.is_closed() || cause.is_some() || error.to_string().contains("timed out")
}
