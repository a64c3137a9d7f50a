//! What happens to rows that cannot be read.

use std::path::PathBuf;
use std::str::FromStr;

use super::wrong;
use crate::{Error, Result};

/// What happens to a row that cannot be read: one with too many or too few values, or with a value that
/// is not of its column's type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRows {
    /// The job fails, and names the file, line, column and value.
    #[default]
    Fail,
    /// The row is left out and counted.
    Skip,
    /// The row is counted, and written to a file as it is, after a line `# REASON`.
    Reject(PathBuf),
}

impl FromStr for BadRows {
    type Err = Error;

    /// Parses `fail`, `skip` or `reject:FILE`.
    fn from_str(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("reject:")) {
            ("fail", _) => Ok(Self::Fail),
            ("skip", _) => Ok(Self::Skip),
            (_, Some(path)) if !path.is_empty() => Ok(Self::Reject(path.into())),
            _ => Err(wrong(format!(
                "`{text}` is not a policy for bad rows; use fail, skip or reject:FILE"
            ))),
        }
    }
}
