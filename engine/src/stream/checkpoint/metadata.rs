//! What a checkpoint belongs to: the query's id, and what must not change between restarts.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::atomic_file::{self, damaged};
use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// The version of the checkpoint's form.
const FORMAT: u32 = 1;

/// What a query computes, so that its state can be read without the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Definition {
    /// Counts of tokens.
    Tokens,
    /// Aggregates of rows.
    Rows {
        /// The names and types of the input's columns.
        columns: ColumnTypes,
        keys: Vec<String>,
        /// The calls, and the names of their columns.
        aggregates: Vec<(String, String)>,
        /// The size of the windows, whose start is the first key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window_milliseconds: Option<i64>,
        /// Whether that is the gap between sessions.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sessions: bool,
    },
}

/// The names and types of columns.
pub(crate) type ColumnTypes = Vec<(String, String)>;

/// What is written once, when a checkpoint is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    format: u32,
    /// The query's id, the same after restarts.
    pub(crate) id: String,
    /// The seed of the stable hash.
    pub(crate) hash_seed: u64,
    /// What the query computes, in words.
    pub(crate) query: String,
    pub(crate) definition: Definition,
    /// The columns of its state, if it has one.
    pub(crate) state: Option<String>,
    /// The columns that its rows are distinct on, which have a store of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) distinct: Option<ColumnTypes>,
    /// What it reads, without addresses: the kind of each source.
    pub(crate) sources: Vec<String>,
}

impl Metadata {
    pub(crate) fn new(
        query: String,
        definition: Definition,
        state: Option<String>,
        distinct: Option<ColumnTypes>,
        sources: Vec<String>,
    ) -> Self {
        let hash_seed = crate::runtime::random_seed();
        let id = format!("{hash_seed:016x}{:016x}", crate::runtime::random_seed());
        Self {
            format: FORMAT,
            id,
            hash_seed,
            query,
            definition,
            state,
            distinct,
            sources,
        }
    }

    /// Reads the metadata of a checkpoint, if it has some.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if the file is damaged or of a later version.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("metadata");
        if !path.exists() {
            return Ok(None);
        }
        let remedy = |error: Error| {
            let message = format!(
                "{}; without it the checkpoint cannot be used: restore the file, or begin with \
                 another checkpoint",
                error.message()
            );
            Error::new(error.kind(), message)
        };
        let text = atomic_file::read_text(&path).map_err(remedy)?;
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|_| remedy(damaged(&path, "it is not JSON")))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            format => {
                let format = format.map_or("?".to_owned(), |format| format.to_string());
                let message = format!(
                    "the checkpoint `{}` has the form {format}; this release reads form {FORMAT}",
                    shown_name(folder)
                );
                return Err(Error::new(ErrorKind::Checkpoint, message));
            }
        }
        let metadata = serde_json::from_value(value);
        metadata
            .map(Some)
            .map_err(|_| remedy(damaged(&path, "a field is missing")))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_string(self).map_err(|cause| {
            Error::new(ErrorKind::Internal, "metadata cannot be written").with_source(cause)
        })?;
        atomic_file::write_text(&folder.join("metadata"), &format!("{text}\n"), &|| {})
    }

    /// Checks that a query may continue from the checkpoint that `self` is of.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] with what differs.
    pub(super) fn check(&self, now: &Self, folder: &Path) -> Result<()> {
        let text = |state: &Option<String>| state.clone().unwrap_or_else(|| "none".to_owned());
        let distinct = |it: &Self| {
            let columns = it.distinct.iter().flatten();
            let columns: Vec<String> = columns.map(|(name, of)| format!("{name} {of}")).collect();
            columns.join(", ")
        };
        let pairs = [
            ("computed", self.query.clone(), now.query.clone()),
            ("kept the state", text(&self.state), text(&now.state)),
            ("was distinct on", distinct(self), distinct(now)),
            ("read", self.sources.join(", "), now.sources.join(", ")),
        ];
        match pairs.iter().find(|(_, then, now)| then != now) {
            None => Ok(()),
            Some((what, then, now)) => {
                let folder = shown_name(folder);
                let message = format!(
                    "the query of the checkpoint `{folder}` {what} `{then}`, this one `{now}`; \
                     start the same query, or begin with another checkpoint"
                );
                Err(Error::new(ErrorKind::Checkpoint, message))
            }
        }
    }
}
