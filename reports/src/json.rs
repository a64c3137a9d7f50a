//! The report as JSON.

use keymill::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::model::{FORMAT, Report, VERSION};

/// The JSON Schema of [`to_json`]'s output.
pub const SCHEMA: &str = include_str!("../schema/report-v5.schema.json");

/// Returns a report as indented JSON with a line feed at the end.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if it cannot be serialized, which is a bug of keymill.
pub fn to_json(report: &Report) -> Result<String> {
    let text = serde_json::to_string_pretty(report).map_err(|cause| {
        Error::new(ErrorKind::Internal, "cannot write the report").with_source(cause)
    })?;
    Ok(text + "\n")
}

/// Parses a report, for charts and to compare machines.
///
/// # Errors
///
/// [`ErrorKind::Format`] for a text that is not a report of this version.
pub fn from_json(text: &str) -> Result<Report> {
    // The version is checked first, because a report of another version has other fields.
    let head = head(text)?;
    if !head.is_current() {
        let message = format!(
            "this is a report of {} {}; this version of keymill reads {FORMAT} {VERSION}",
            head.format, head.version
        );
        return Err(Error::new(ErrorKind::Format, message));
    }
    serde_json::from_str(text).map_err(no_report)
}

/// The fields that reports of every version have.
#[derive(Deserialize)]
pub(crate) struct Head {
    format: String,
    version: u32,
}

impl Head {
    /// Returns whether [`from_json`] reads the report.
    pub(crate) fn is_current(&self) -> bool {
        (self.format.as_str(), self.version) == (FORMAT, VERSION)
    }
}

/// Parses the head of a report of any version.
pub(crate) fn head(text: &str) -> Result<Head> {
    serde_json::from_str(text).map_err(no_report)
}

fn no_report(cause: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Format,
        "this is not a report of `keymill compare`",
    )
    .with_source(cause)
}
