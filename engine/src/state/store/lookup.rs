//! Looks up the answers of keys.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};

use super::partition::StorePartition;
use super::{StateStore, read, take_rows};
use crate::expr::without_dictionary;
use crate::keys::hash_keys;
use crate::{Error, ErrorKind, Result};

impl StateStore {
    /// Returns the answers of the keys that are in the store, in the order of the keys: key columns, then
    /// aggregates. Each key column has the type of the store's keys, or is a dictionary of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if the columns are not those of the key; [`ErrorKind::Capacity`] for an
    /// answer that does not fit its type.
    pub fn get(&self, keys: &[ArrayRef]) -> Result<RecordBatch> {
        self.get_rows(keys).map(|(answers, _)| answers)
    }

    /// Returns what [`StateStore::get`] returns, and the row of each key that was found.
    pub(crate) fn get_rows(&self, keys: &[ArrayRef]) -> Result<(RecordBatch, Vec<u32>)> {
        self.look_up(keys, &self.schema(), StorePartition::answers)
    }

    /// Removes the groups of these keys, which count as evicted. Returns their states and times, in the
    /// order of the keys that are in the store.
    ///
    /// # Errors
    ///
    /// As for [`StateStore::get`].
    #[cfg(feature = "stream")]
    pub(crate) fn take_states(&self, keys: &[ArrayRef]) -> Result<RecordBatch> {
        let schema = self.snapshot_schema();
        let (states, _) = self.look_up(keys, &schema, StorePartition::timed_states)?;
        self.remove(&self.batch_of_keys(self.key_columns(keys)?)?)?;
        Ok(states)
    }

    /// Returns columns of the groups of these keys, in the order of the keys, and the row of each key that
    /// was found.
    fn look_up(
        &self,
        keys: &[ArrayRef],
        schema: &SchemaRef,
        of: impl Fn(&StorePartition, &[u32]) -> Result<RecordBatch>,
    ) -> Result<(RecordBatch, Vec<u32>)> {
        self.check_whole()?;
        let keys = self.key_columns(keys)?;
        let mut hashes = Vec::new();
        hash_keys(self.level, self.seed, &keys, &mut hashes)?;
        let mut partitioned = Partitioned::default();
        HashPartition::new(self.level, self.seed, self.partitions.len())
            .hashed(&hashes, &mut partitioned);
        let keys = self.batch_of_keys(keys)?;
        let (mut found, mut rows) = (Vec::new(), Vec::new());
        for (partition, number) in self.partitions.iter().zip(0..) {
            let mine = partitioned.rows_of(number);
            if !mine.is_empty() {
                let keys = take_rows(&keys, mine)?;
                let partition = read(partition)?;
                let loaded = match partition.disk.is_spilled() {
                    true => Some(partition.loaded_copy()?),
                    false => None,
                };
                let partition = loaded.as_ref().unwrap_or(&*partition);
                let (groups, there) = partition.find(keys.columns())?;
                found.push(of(partition, &groups)?);
                rows.extend(there.iter().map(|&row| mine[row]));
            }
        }
        let found = in_order(schema, &found, &rows)?;
        rows.sort_unstable();
        Ok((found, rows))
    }

    fn batch_of_keys(&self, keys: Vec<ArrayRef>) -> Result<RecordBatch> {
        RecordBatch::try_new(self.key_schema(), keys).map_err(|cause| {
            let message = "key columns have different lengths, or a null where there is none";
            Error::new(ErrorKind::Format, message).with_source(cause)
        })
    }

    fn key_columns(&self, keys: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let wanted = self.schemas.shape.key_types();
        let keys: Vec<ArrayRef> = keys.iter().map(without_dictionary).collect::<Result<_>>()?;
        let is_right = keys.len() == wanted.len()
            && keys
                .iter()
                .zip(wanted)
                .all(|(key, of)| key.data_type() == of)
            && keys.windows(2).all(|two| two[0].len() == two[1].len());
        if is_right {
            return Ok(keys);
        }
        let names = |types: &mut dyn Iterator<Item = String>| types.collect::<Vec<_>>().join(", ");
        let message = format!(
            "the key has columns of {}; it was asked for with columns of {}",
            names(&mut wanted.iter().map(ToString::to_string)),
            names(&mut keys.iter().map(|key| key.data_type().to_string())),
        );
        Err(Error::new(ErrorKind::Format, message))
    }
}

/// Puts columns of groups into the order of their keys.
fn in_order(schema: &SchemaRef, found: &[RecordBatch], rows: &[u32]) -> Result<RecordBatch> {
    let all = concat_batches(schema, found).map_err(|cause| {
        let message = "the answers do not fit one batch; ask for fewer keys";
        Error::new(ErrorKind::Capacity, message).with_source(cause)
    })?;
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_unstable_by_key(|&place| rows[place as usize]);
    take_rows(&all, &order)
}
