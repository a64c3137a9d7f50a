//! Rows that a store does not take: kept in files, with the reason of each.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use keymill::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::{Refused, Rows};
use crate::letter_file;

/// A folder for such rows, if there is one.
///
/// A file is named after the store, the epoch and the number of its first row, and written before its epoch
/// is committed. An epoch that is written again writes the same files again.
pub(super) struct Letters(Option<PathBuf>);

impl Letters {
    pub(super) const fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// Keeps refused rows. Without a folder they are an error.
    pub(super) fn keep(&self, store: &str, rows: &Rows<'_>, refused: &[Refused]) -> Result<()> {
        let Some((first, reason)) = refused.first() else {
            return Ok(());
        };
        let Some(folder) = &self.0 else {
            let message = format!(
                "`{store}` does not take the row with the id `{}`: {reason}; keep such rows in files \
                 with the setting dead.letters=DIR",
                shortened(&rows.ids[*first])
            );
            return Err(Error::new(ErrorKind::Sink, message));
        };
        let text = rows.json()?;
        let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        let letters = refused.iter().map(|(row, reason)| {
            let value: Value = serde_json::from_slice(lines[*row]).unwrap_or_default();
            let letter = json!({"store": store, "epoch": rows.epoch, "id": rows.ids[*row], "reason": reason, "row": value});
            format!("{letter}\n")
        });
        let letters: String = letters.collect();
        let name = store
            .chars()
            .map(|it| if it.is_ascii_alphanumeric() { it } else { '-' });
        let name: String = name.collect();
        let path = folder.join(format!("{name}-{}-{}.json", rows.epoch, rows.first + first));
        letter_file::write(folder, &path, letters.as_bytes()).map_err(|cause| {
            let message = format!("cannot write the dead letters `{}`", path.display());
            Error::new(ErrorKind::Sink, message).with_source(cause)
        })
    }
}

/// The beginning of a text, for a message.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
