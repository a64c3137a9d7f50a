//! Seeded rows: keys with values, for the stage and, as record batches, for jobs.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use keymill::probe::Resident;
use keymill::{Error, ErrorKind, Result};
use keymill_datasets::{Ranks, Rng, Skew};

use crate::plan::RowSet;

/// A row is a key and a value of 8 bytes each.
pub(crate) const ROW_BYTES: u64 = 16;

/// A row with a text key has 16 bytes of text, 8 bytes of offsets and 8 bytes of value.
const TEXT_ROW_BYTES: u64 = 32;

/// Rows of a batch.
const BATCH_ROWS: usize = 64 << 10;

/// The names of the columns.
pub(crate) const KEY: &str = "key";
pub(crate) const VALUE: &str = "value";

/// Rows in memory.
#[derive(Debug)]
pub(crate) struct Rows {
    keys: Vec<u64>,
    values: Vec<i64>,
    is_text: bool,
}

impl Rows {
    /// Generates random rows. A smaller number of rows is a prefix of a larger one.
    pub(crate) fn draw(set: &RowSet, bytes: u64) -> Self {
        let mut rng = Rng::new(1);
        let ranks = set
            .is_zipf
            .then(|| Ranks::zipf(u32::try_from(set.keys).unwrap_or(u32::MAX), Skew::ONE));
        let row = |_| {
            let rank = match &ranks {
                Some(ranks) => ranks.draw(&mut rng) as u64,
                None => rng.below(set.keys),
            };
            // The keys use all 64 bits, like identifiers.
            let key = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (key, (key >> 54) as i64 - 512)
        };
        let row_bytes = match set.is_text {
            true => TEXT_ROW_BYTES,
            false => ROW_BYTES,
        };
        let (keys, values) = (0..bytes / row_bytes).map(row).unzip();
        Self {
            keys,
            values,
            is_text: set.is_text,
        }
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| format!("{key:016x}"))
    }

    /// Returns the rows for stages.
    pub(crate) fn resident(&self) -> Result<Resident> {
        match self.is_text {
            true => Resident::keyed(self.texts(), &self.values[..]),
            false => Resident::rows(&self.keys[..], &self.values[..]),
        }
    }

    /// Returns the rows for jobs.
    pub(crate) fn batches(&self) -> Result<Vec<RecordBatch>> {
        let keys: ArrayRef = match self.is_text {
            true => Arc::new(StringArray::from_iter_values(self.texts())),
            false => Arc::new(UInt64Array::from(self.keys.clone())),
        };
        let values: ArrayRef = Arc::new(Int64Array::from(self.values.clone()));
        let whole = RecordBatch::try_from_iter([(KEY, keys), (VALUE, values)]);
        let whole = whole.map_err(|cause| {
            Error::new(ErrorKind::Internal, "the rows have no batch").with_source(cause)
        })?;
        let rows = whole.num_rows();
        let firsts = (0..rows).step_by(BATCH_ROWS);
        let batch = |first| whole.slice(first, BATCH_ROWS.min(rows - first));
        Ok(firsts.map(batch).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{UNIFORM, ZIPF};

    #[test]
    fn rows_have_the_requested_size() {
        let texts = RowSet {
            is_text: true,
            ..UNIFORM
        };
        for set in [UNIFORM, ZIPF, texts] {
            let rows = Rows::draw(&set, 4 << 20);
            assert_eq!(rows.resident().unwrap().bytes(), 4 << 20);
            let batches = rows.batches().unwrap();
            let in_batches: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(in_batches, rows.keys.len());
            assert!(batches.len() > 1);
        }
    }
}
