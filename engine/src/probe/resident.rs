//! The input data of stages.
#![forbid(unsafe_code)]

use keymill_kernels::stable_hash::hash_bytes;
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};
use keymill_kernels::stage::tokenize::Span;

use super::{SEED, Stage};
use crate::{Error, ErrorKind, Result};

/// Data in memory. All of its pages have been written.
#[derive(Clone, Debug)]
pub struct Resident(pub(super) Content);

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(Vec<u8>),
    Rows {
        keys: Vec<u64>,
        values: Vec<i64>,
    },
    /// Rows whose keys are spans of a text.
    TextRows {
        text: Vec<u8>,
        spans: Vec<Span>,
        values: Vec<i64>,
    },
    /// 32-bit keys for partitioning.
    Keys(Vec<u32>),
}

impl Content {
    /// Returns the keys to partition.
    pub(super) fn keys(&self) -> Option<Keys<'_>> {
        match self {
            Self::Text(_) | Self::TextRows { .. } => None,
            Self::Rows { keys, .. } => Some(Keys::Wide(keys)),
            Self::Keys(keys) => Some(Keys::Narrow(keys)),
        }
    }
}

/// Keys of 64 or 32 bits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keys<'a> {
    Wide(&'a [u64]),
    Narrow(&'a [u32]),
}

impl<'a> Keys<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Wide(keys) => keys.len(),
            Self::Narrow(keys) => keys.len(),
        }
    }

    /// Returns the hash of each key's canonical bytes.
    pub(super) fn hashes(self) -> Vec<u64> {
        let hash = |key: &[u8]| hash_bytes(SEED, key);
        match self {
            Self::Wide(keys) => keys.iter().map(|key| hash(&key.to_le_bytes())).collect(),
            Self::Narrow(keys) => keys.iter().map(|key| hash(&key.to_le_bytes())).collect(),
        }
    }

    /// Splits the keys into parts of about the same size.
    pub(super) fn parts(self, parts: usize) -> Vec<Self> {
        let rows = self.len().div_ceil(parts).max(1);
        match self {
            Self::Wide(keys) => keys.chunks(rows).map(Self::Wide).collect(),
            Self::Narrow(keys) => keys.chunks(rows).map(Self::Narrow).collect(),
        }
    }

    pub(super) fn partition(self, stage: &mut HashPartition, out: &mut Partitioned) {
        match self {
            Self::Wide(keys) => stage.u64s(keys, out),
            Self::Narrow(keys) => stage.u32s(keys, out),
        }
    }

    #[cfg(feature = "gpu")]
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Wide(keys) => bytemuck::cast_slice(keys),
            Self::Narrow(keys) => bytemuck::cast_slice(keys),
        }
    }
}

impl Resident {
    /// Creates text, for every stage except those that need rows.
    #[must_use]
    pub fn text(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Content::Text(bytes.into()))
    }

    /// Creates rows, for [`Stage::HashPartition`] and [`Stage::ReduceByKey`]. Values with a fixed
    /// number of decimals are given in their smallest unit: with two decimals 0.10 is 10, and sums
    /// are exact.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the numbers of keys and values differ.
    pub fn rows(keys: impl Into<Vec<u64>>, values: impl Into<Vec<i64>>) -> Result<Self> {
        let (keys, values) = (keys.into(), values.into());
        check_values(keys.len(), values.len())?;
        Ok(Self(Content::Rows { keys, values }))
    }

    /// Creates rows with byte keys, for [`Stage::ReduceByKey`]. Their values are as those of
    /// [`Resident::rows`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the numbers of keys and values differ; [`ErrorKind::Capacity`] if
    /// the keys have more than 4 GiB together.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::probe::{self, Resident, Stage};
    /// use keymill::Level;
    ///
    /// // 0.10 and 0.20 for the site `a`, 1.00 for `b`.
    /// let rows = Resident::keyed(["a", "b", "a"], [10, 100, 20])?;
    /// let probed = probe::run(&Stage::ReduceByKey, Level::best(), &rows, 0)?;
    /// assert_eq!((probed.answer.rows, probed.answer.groups), (3, 2));
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn keyed<K: AsRef<[u8]>>(
        keys: impl IntoIterator<Item = K>,
        values: impl Into<Vec<i64>>,
    ) -> Result<Self> {
        let (mut text, mut spans, values) = (Vec::new(), Vec::new(), values.into());
        let place = |text: &Vec<u8>| {
            let message = "keys have more than 4 GiB together";
            u32::try_from(text.len()).map_err(|_| Error::new(ErrorKind::Capacity, message))
        };
        for key in keys {
            let start = place(&text)?;
            text.extend_from_slice(key.as_ref());
            let end = place(&text)?;
            spans.push(Span { start, end });
        }
        check_values(spans.len(), values.len())?;
        Ok(Self(Content::TextRows {
            text,
            spans,
            values,
        }))
    }

    /// Creates rows with 32-bit keys and no values, for [`Stage::HashPartition`]. A row number
    /// refers to the rest of a row.
    #[must_use]
    pub fn keys(keys: impl Into<Vec<u32>>) -> Self {
        Self(Content::Keys(keys.into()))
    }

    /// Returns the number of bytes that a stage reads. Partitioning reads the keys without the
    /// values.
    #[must_use]
    pub fn bytes_for(&self, stage: &Stage) -> usize {
        match (&self.0, stage) {
            (Content::Rows { keys, .. }, Stage::HashPartition(_)) => size_of_val(&keys[..]),
            _ => self.bytes(),
        }
    }

    /// Returns the size of the data in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Content::Text(bytes) => bytes.len(),
            Content::Rows { keys, values } => size_of_val(&keys[..]) + size_of_val(&values[..]),
            Content::TextRows {
                text,
                spans,
                values,
            } => text.len() + size_of_val(&spans[..]) + size_of_val(&values[..]),
            Content::Keys(keys) => size_of_val(&keys[..]),
        }
    }

    /// Returns the buffers that a stage uploads to a device.
    #[cfg(feature = "gpu")]
    pub(super) fn inputs_of(&self, stage: &Stage) -> Vec<&[u8]> {
        use bytemuck::cast_slice;
        match (&self.0, stage) {
            (Content::Text(text), _) => vec![text],
            (
                Content::TextRows {
                    text,
                    spans,
                    values,
                },
                _,
            ) => vec![text, cast_slice(spans), cast_slice(values)],
            (keys, Stage::HashPartition(_)) => keys.keys().map(Keys::bytes).into_iter().collect(),
            (Content::Keys(keys), _) => vec![cast_slice(keys)],
            (Content::Rows { keys, values }, _) => vec![cast_slice(keys), cast_slice(values)],
        }
    }
}

fn check_values(keys: usize, values: usize) -> Result<()> {
    if keys == values {
        return Ok(());
    }
    let message = format!("{keys} keys have {values} values");
    Err(Error::new(ErrorKind::Config, message))
}
