//! Keys of bytes: the key table maps them to ids, which are integer keys.
#![forbid(unsafe_code)]

use super::{Aggregate, Order, ReduceByKey};
use crate::stage::tokenize::Span;
use crate::{HashKey, InternError, KeyTable, Level, Tuning};

/// Reduces the values of each key that is a span of a text, batch by batch.
///
/// ```text
/// key   be to be     ──▶ id    0 1 0 ──▶   key   be to
/// value  1  5  2         value 1 5 2        sum   3  5
/// ```
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::reduce_by_key::{Count, ReduceByBytes, Sum};
/// use keymill_kernels::stage::tokenize::Span;
/// use keymill_kernels::{Level, Tuning, HashKey};
///
/// let hash_key = HashKey::random();
/// let mut reducer: ReduceByBytes<(Count, Sum)> =
///     ReduceByBytes::new(Level::best(), Tuning::DEFAULT, hash_key);
/// let keys = [(3, 5), (0, 2), (3, 5)].map(|(start, end)| Span { start, end });
/// reducer.update(b"to be", &keys, &[1, 5, 2])?;
/// let mut groups = Vec::new();
/// reducer.for_each(|key, output| groups.push((key.to_vec(), output)));
/// assert_eq!(groups, [(b"be".to_vec(), (2, 3)), (b"to".to_vec(), (1, 5))]);
/// # Ok::<(), keymill_kernels::InternError>(())
/// ```
pub struct ReduceByBytes<A: Aggregate> {
    keys: KeyTable,
    groups: ReduceByKey<u32, A>,
    /// The ids of the keys of some rows.
    ids: Vec<u32>,
    /// Rows whose ids are made at a time, so that these are in cache when they are read.
    tile_rows: usize,
}

impl<A: Aggregate> ReduceByBytes<A> {
    /// Makes an empty reducer.
    #[must_use]
    pub fn new(level: Level, tuning: Tuning, hash_key: HashKey) -> Self {
        let groups = ReduceByKey::new(level, tuning, hash_key);
        Self {
            keys: KeyTable::new(&tuning, hash_key).on(level),
            tile_rows: groups.sizes.tile_rows,
            groups,
            ids: Vec::new(),
        }
    }

    /// Adds rows: `values[i]` belongs to the key `spans[i]` of the text.
    ///
    /// # Errors
    ///
    /// When a span is not within the text: nothing is changed. When there are more distinct keys
    /// than ids, or not enough memory for a larger table: some of the rows are added.
    ///
    /// # Panics
    ///
    /// When the lengths of `spans` and `values` differ.
    pub fn update(
        &mut self,
        text: &[u8],
        spans: &[Span],
        values: &[i64],
    ) -> Result<(), InternError> {
        assert_eq!(spans.len(), values.len(), "one value for each key");
        Span::check_all(spans, text)?;
        let values = values.chunks(self.tile_rows);
        for (spans, values) in spans.chunks(self.tile_rows).zip(values) {
            self.ids.clear();
            self.keys.intern_spans(text, spans, &mut self.ids)?;
            self.groups.update(&self.ids, values);
        }
        Ok(())
    }

    /// Returns the id of groups.
    #[must_use]
    pub fn size(&self) -> usize {
        self.keys.size()
    }

    /// Returns the bytes of memory that the tables use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.groups.bytes() + self.ids.capacity() * size_of::<u32>()
    }

    /// Visits every group, in any order, and keeps them.
    pub fn for_each(&mut self, mut visit: impl FnMut(&[u8], A::Output)) {
        let Self { keys, groups, .. } = self;
        groups.for_each(|id, output| visit(keys.emit(id), output));
    }

    /// Visits every group, in the given order; then removes them and keeps the memory.
    pub fn drain(&mut self, order: Order, mut visit: impl FnMut(&[u8], A::Output)) {
        match order {
            Order::Any => self.for_each(visit),
            Order::ByKey => {
                let mut all = Vec::with_capacity(self.keys.size());
                self.groups.for_each(|id, output| all.push((id, output)));
                all.sort_unstable_by_key(|&(id, _)| self.keys.emit(id));
                all.into_iter()
                    .for_each(|(id, output)| visit(self.keys.emit(id), output));
            }
        }
        self.clear();
    }

    /// Removes all groups and keeps the memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.groups.clear();
    }
}
