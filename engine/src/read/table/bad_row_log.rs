//! Collects the rows that cannot be read.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bad_rows::BadRows;
use super::reject_file::RejectFile;
use crate::{Error, ErrorKind, Result};

/// A row that cannot be read.
pub(super) struct BadRow<'a> {
    /// Where and why, for people.
    pub(super) reason: String,
    /// The row, without its line end.
    pub(super) bytes: &'a [u8],
}

/// Collects the bad rows of all pieces, in the order of the input.
pub(super) struct BadRowLog {
    policy: BadRows,
    state: Mutex<State>,
}

struct State {
    rejected: u64,
    file: Option<RejectFile>,
    /// The next piece that is written, and the texts of later pieces.
    next: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
    /// The first piece that failed, and its error.
    failed: Option<(u64, Error)>,
}

impl BadRowLog {
    pub(super) fn new(policy: &BadRows) -> Result<Self> {
        let file = match policy {
            BadRows::Reject(path) => Some(RejectFile::create(path)?),
            _ => None,
        };
        Ok(Self {
            policy: policy.clone(),
            state: Mutex::new(State {
                rejected: 0,
                file,
                next: 0,
                waiting: BTreeMap::new(),
                failed: None,
            }),
        })
    }

    /// Records the bad rows of a piece. Every piece is recorded once. The rows are only described if the
    /// policy needs it.
    pub(super) fn record<'a>(
        &self,
        piece: u64,
        mut rows: impl ExactSizeIterator<Item = BadRow<'a>>,
    ) -> Result<()> {
        self.lock().rejected += rows.len() as u64;
        match &self.policy {
            BadRows::Fail => {
                let Some(row) = rows.next() else {
                    return Ok(());
                };
                let message = format!(
                    "{}; read the column as text, or skip or reject bad rows",
                    row.reason
                );
                self.lock()
                    .fail(piece, Error::new(ErrorKind::Format, message));
                Ok(())
            }
            BadRows::Reject(_) => {
                let mut text = Vec::new();
                for row in rows {
                    text.extend_from_slice(format!("# {}\n", row.reason).as_bytes());
                    text.extend_from_slice(row.bytes);
                    text.push(b'\n');
                }
                let mut state = self.lock();
                state.waiting.insert(piece, text);
                state.write_next()
            }
            BadRows::Skip => Ok(()),
        }
    }

    /// Returns whether the input is not to be read further.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Returns the number of bad rows, or the error of the first one, unless it is after the piece `last`.
    pub(super) fn finish(&self, last: u64) -> Result<u64> {
        let mut state = self.lock();
        if let Some((_, error)) = state.failed.take_if(|(piece, _)| *piece <= last) {
            return Err(error);
        }
        if let Some(file) = &mut state.file {
            file.commit()?;
        }
        Ok(state.rejected)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fail(&mut self, piece: u64, error: Error) {
        if self.failed.as_ref().is_none_or(|(first, _)| piece < *first) {
            self.failed = Some((piece, error));
        }
    }

    fn write_next(&mut self) -> Result<()> {
        while let Some(text) = self.waiting.remove(&self.next) {
            self.next += 1;
            if let Some(file) = self.file.as_mut().filter(|_| !text.is_empty()) {
                file.write(&text)?;
            }
        }
        Ok(())
    }
}
