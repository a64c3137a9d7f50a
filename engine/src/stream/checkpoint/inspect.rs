//! Reads checkpoints without their program: lists, verifies, repairs and exports them.
//!
//! No query may use the checkpoint meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::metadata::{ColumnTypes, Definition, Metadata};
use super::{Checkpoint, EpochCommit, EpochOffsets, PARTS, atomic_file, recovery, state_file};
use crate::aggregate::AggregateExpr;
use crate::expr::{Expr, col};
use crate::operator::ordering::sort_groups;
use crate::operator::{Batches, OrderBy};
use crate::runtime::default_memory;
use crate::shown_name;
use crate::stream::Faults;
use crate::stream::window::WindowOutput;
use crate::{BatchLimits, Error, ErrorKind, Resources, Result, StateStore, StateStoreBuilder};

/// One epoch of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpochInfo {
    /// The number of the epoch.
    pub epoch: u64,
    /// When it began, in milliseconds since 1970; `None` if its offsets are not there.
    pub timestamp: Option<u64>,
    /// Whether it is committed.
    pub is_committed: bool,
    /// The bytes of the file of what it changed, if it is there.
    pub delta_bytes: Option<u64>,
    /// The bytes of the snapshot after it, if there is one.
    pub snapshot_bytes: Option<u64>,
}

/// The epochs of a checkpoint that have files, in order.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if it is in use, or cannot be read.
pub fn list(folder: impl AsRef<Path>) -> Result<Vec<EpochInfo>> {
    let checkpoint = Checkpoint::open_existing(folder.as_ref())?;
    let commits = checkpoint.numbers("commits", "")?;
    let mut epochs = checkpoint.numbers("offsets", "")?;
    epochs.extend(&commits);
    epochs.extend(checkpoint.numbers("state", ".delta")?);
    epochs.extend(checkpoint.numbers("state", ".snapshot")?);
    epochs.sort_unstable();
    epochs.dedup();
    let size = |path: PathBuf| fs::metadata(path).ok().map(|it| it.len());
    let info = epochs.into_iter().map(|epoch| {
        let offsets = recovery::read_json(&checkpoint.path("offsets", epoch, ""));
        EpochInfo {
            epoch,
            timestamp: offsets.ok().map(|it: EpochOffsets| it.timestamp),
            is_committed: commits.contains(&epoch),
            delta_bytes: size(checkpoint.path("state", epoch, ".delta")),
            snapshot_bytes: size(checkpoint.path("state", epoch, ".snapshot")),
        }
    });
    Ok(info.collect())
}

/// Reads every byte of a checkpoint, and says what is damaged or unfinished: nothing if all is well.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if it is in use, or if its metadata is damaged.
pub fn verify(folder: impl AsRef<Path>) -> Result<Vec<String>> {
    let checkpoint = Checkpoint::open_existing(folder.as_ref())?;
    let damaged = damaged_files(&checkpoint)?;
    Ok(damaged.into_iter().map(|(_, how)| how).collect())
}

/// Removes what is damaged or unfinished and what a restart can do without, and says what was removed.
/// A file that a restart needs is left, and the error names it.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if it is in use, or if what cannot be replaced is damaged.
pub fn repair(folder: impl AsRef<Path>) -> Result<Vec<String>> {
    let checkpoint = Checkpoint::open_existing(folder.as_ref())?;
    let stores = new_stores(&checkpoint)?;
    let stores: Vec<&StateStore> = stores.iter().collect();
    let recovered = checkpoint.recover(&stores)?;
    let mut done = Vec::new();
    for (path, how) in damaged_files(&checkpoint)? {
        if fs::remove_file(&path).is_ok() {
            done.push(format!("removed `{}`: {how}", shown_name(&path)));
        }
    }
    let first = recovered.replays.first().map_or(recovered.next, |it| it.0);
    if done.is_empty() || first < recovered.committed {
        if first < recovered.committed {
            done.push(format!(
                "the next start runs the epochs from {first} again, from their input"
            ));
        }
        return Ok(done);
    }
    let last = recovered.committed.checked_sub(1);
    if let Some(last) = last.filter(|_| !stores.is_empty()) {
        let path = checkpoint.path("state", last, ".snapshot");
        state_file::write_snapshot(&path, &stores, &|| Faults::default().at("snapshot", last))?;
        done.push(format!("wrote a new snapshot of epoch {last}"));
    }
    Ok(done)
}

/// The state after the last committed epoch: keys and aggregates, ordered by key.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if the checkpoint is in use, has no state, or is damaged so that epochs
/// must run again.
pub fn export(folder: impl AsRef<Path>) -> Result<Batches> {
    let checkpoint = Checkpoint::open_existing(folder.as_ref())?;
    let stores = new_stores(&checkpoint)?;
    let has_state = checkpoint.metadata().state.is_some();
    let store = stores.first().filter(|_| has_state).ok_or_else(|| {
        let message = "the query of this checkpoint keeps no state";
        Error::new(ErrorKind::Checkpoint, message)
    })?;
    let recovered = checkpoint.recover(&stores.iter().collect::<Vec<_>>())?;
    if let Some((epoch, _)) = recovered
        .replays
        .first()
        .filter(|it| it.0 < recovered.committed)
    {
        let message = format!(
            "the state of epoch {epoch} is damaged ({}); start the query once, which runs it again",
            recovered.remarks.join("; ")
        );
        return Err(Error::new(ErrorKind::Checkpoint, message));
    }
    let keys = store.key_schema().fields().len();
    let limits = BatchLimits::default();
    let resources = Resources::default();
    if let Some((size, is_session)) = windows_of(&checkpoint) {
        let output = WindowOutput::new(size, is_session, &store.schema());
        let order: (&[OrderBy], usize) = (&[], keys + 1);
        let results = store.values()?.map(|answers| output.results(&answers?));
        return sort_groups(results, &output.schema, order, limits, &resources);
    }
    let order: (&[OrderBy], usize) = (&[], keys);
    sort_groups(store.values()?, &store.schema(), order, limits, &resources)
}

/// The size of the windows in milliseconds, and whether it is the gap between sessions.
fn windows_of(checkpoint: &Checkpoint) -> Option<(i64, bool)> {
    match checkpoint.metadata().definition {
        Definition::Tokens => None,
        Definition::Rows {
            window_milliseconds,
            sessions,
            ..
        } => window_milliseconds.map(|size| (size, sessions)),
    }
}

/// Stores for the states of a checkpoint: that of its groups, if it keeps them, and that of the columns that
/// its rows are distinct on.
fn new_stores(checkpoint: &Checkpoint) -> Result<Vec<StateStore>> {
    let metadata = checkpoint.metadata();
    let mut stores = Vec::new();
    if metadata.state.is_some() {
        stores.push(store_of_groups(metadata)?);
    }
    if let Some(columns) = &metadata.distinct {
        let keys: Vec<Expr> = columns.iter().map(|(name, _)| col(name)).collect();
        let schema = schema_of(columns)?;
        stores.push(StateStore::for_group_by(
            &schema,
            keys,
            Vec::<AggregateExpr>::new(),
        )?);
    }
    let memory = default_memory() / 2 / stores.len().max(1);
    let stores = stores.into_iter();
    stores
        .map(|store| {
            let store = store.hash_seed(metadata.hash_seed);
            store.memory(memory).build()
        })
        .collect()
}

fn store_of_groups(metadata: &Metadata) -> Result<StateStoreBuilder> {
    match &metadata.definition {
        Definition::Tokens => StateStore::for_counts(),
        Definition::Rows {
            columns,
            keys,
            aggregates,
            ..
        } => {
            let schema = schema_of(columns)?;
            let aggregates = aggregates.iter().map(|(call, name)| {
                let call: AggregateExpr = call.parse()?;
                Ok(call.alias(name))
            });
            let aggregates = aggregates.collect::<Result<Vec<_>>>()?;
            StateStore::for_group_by(&schema, keys.iter().map(String::as_str), aggregates)
        }
    }
}

fn schema_of(columns: &ColumnTypes) -> Result<Schema> {
    let fields = columns.iter().map(|(name, of)| {
        let of = DataType::from_str(of).map_err(|cause| {
            let message = format!("the checkpoint has a column of the type `{of}`");
            Error::new(ErrorKind::Checkpoint, message).with_source(cause)
        })?;
        Ok(Arc::new(Field::new(name, of, true)))
    });
    Ok(Schema::new(fields.collect::<Result<Vec<_>>>()?))
}

/// The files that are damaged or unfinished, and how.
fn damaged_files(checkpoint: &Checkpoint) -> Result<Vec<(PathBuf, String)>> {
    let mut damaged = Vec::new();
    for part in PARTS {
        let folder = checkpoint.folder.join(part);
        let files = fs::read_dir(&folder);
        for file in files.map_err(|cause| atomic_file::cannot_read(&folder, cause))? {
            let path = file
                .map_err(|cause| atomic_file::cannot_read(&folder, cause))?
                .path();
            if let Err(error) = check(part, &path) {
                damaged.push((path, error.to_string()));
            }
        }
    }
    damaged.sort();
    Ok(damaged)
}

fn check(part: &str, path: &Path) -> Result<()> {
    if path
        .extension()
        .is_some_and(|it| it == atomic_file::UNFINISHED)
    {
        let message = format!("`{}` is the rest of an interrupted write", shown_name(path));
        return Err(Error::new(ErrorKind::Checkpoint, message));
    }
    match part {
        "offsets" => recovery::read_json::<EpochOffsets>(path).map(|_| ()),
        "commits" => recovery::read_json::<EpochCommit>(path).map(|_| ()),
        "sources" => recovery::read_json::<Vec<serde_json::Value>>(path).map(|_| ()),
        _ => state_file::check(path),
    }
}
