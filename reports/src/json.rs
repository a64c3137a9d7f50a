//! The report as JSON.

use keymill::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::model::{FORMAT, Report, VERSION};

/// The JSON Schema of [`to_json`]'s output.
pub const SCHEMA: &str = include_str!("../schema/report-v2.schema.json");

/// Writes a report as JSON, indented, with a line feed at the end.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if it cannot be written, which is a fault of keymill.
pub fn to_json(report: &Report) -> Result<String> {
    let text = serde_json::to_string_pretty(report).map_err(|cause| {
        Error::new(ErrorKind::Internal, "cannot write the report").with_source(cause)
    })?;
    Ok(text + "\n")
}

/// Reads a report again: for charts, and to compare machines.
///
/// # Errors
///
/// [`ErrorKind::Format`] for anything that is no report of this version.
pub fn from_json(text: &str) -> Result<Report> {
    // The head comes first: a report of another version has other fields.
    let head: Head = serde_json::from_str(text).map_err(no_report)?;
    if (head.format.as_str(), head.version) != (FORMAT, VERSION) {
        let message = format!(
            "this is a report of {} {}, and {FORMAT} {VERSION} is known here",
            head.format, head.version
        );
        return Err(Error::new(ErrorKind::Format, message));
    }
    serde_json::from_str(text).map_err(no_report)
}

/// What reports of every version begin with.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

fn no_report(cause: serde_json::Error) -> Error {
    Error::new(ErrorKind::Format, "this is no report of `keymill compare`").with_source(cause)
}
