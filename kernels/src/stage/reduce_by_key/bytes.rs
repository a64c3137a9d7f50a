//! Keys of bytes: numbered by the key table, and then keys like others.
#![forbid(unsafe_code)]

use super::{Aggregate, Order, ReduceByKey};
use crate::stage::tokenize::Span;
use crate::{HashKey, InternError, KeyTable, Level, Tuning};

/// Reduces the values of each key that is a span of a text, batch after batch.
///
/// ```text
/// key   be to be     ──▶ number 0 1 0 ──▶   key   be to
/// value  1  5  2          value 1 5 2         sum   3  5
/// ```
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::reduce_by_key::{Count, ReduceByBytes, Sum};
/// use keymill_kernels::stage::tokenize::Span;
/// use keymill_kernels::{Level, Tuning, HashKey};
///
/// let secret = HashKey::random();
/// let mut reducer: ReduceByBytes<(Count, Sum)> =
///     ReduceByBytes::new(Level::best(), Tuning::DEFAULT, secret);
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
    /// The numbers of some rows' keys.
    numbers: Vec<u32>,
    /// Rows that are numbered at a time, so that their numbers are still in cache when they are read.
    tile_rows: usize,
}

impl<A: Aggregate> ReduceByBytes<A> {
    /// Makes a reducer without groups.
    #[must_use]
    pub fn new(level: Level, tuning: Tuning, hash_key: HashKey) -> Self {
        let groups = ReduceByKey::new(level, tuning, hash_key);
        Self {
            keys: KeyTable::new(&tuning, hash_key).on(level),
            tile_rows: groups.sizes.tile_rows,
            groups,
            numbers: Vec::new(),
        }
    }

    /// Takes in rows: `values[i]` belongs to the key that is `spans[i]` of the text.
    ///
    /// # Errors
    ///
    /// When a span does not lie in the text: nothing is changed. When there are more different keys than
    /// ids, or no memory for a larger table: some of the rows are taken in.
    ///
    /// # Panics
    ///
    /// When there are not as many values as spans.
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
            self.numbers.clear();
            self.keys.intern_spans(text, spans, &mut self.numbers)?;
            self.groups.update(&self.numbers, values);
        }
        Ok(())
    }

    /// Tells how many groups there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.keys.size()
    }

    /// Tells how many bytes the tables fill.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.groups.bytes() + self.numbers.capacity() * size_of::<u32>()
    }

    /// Visits every group, in no particular order, and keeps them all.
    pub fn for_each(&mut self, mut visit: impl FnMut(&[u8], A::Output)) {
        let Self { keys, groups, .. } = self;
        groups.for_each(|number, output| visit(keys.emit(number), output));
    }

    /// Gives all groups away, and keeps the memory.
    pub fn drain(&mut self, order: Order, mut visit: impl FnMut(&[u8], A::Output)) {
        match order {
            Order::Any => self.for_each(visit),
            Order::ByKey => {
                let mut all = Vec::with_capacity(self.keys.size());
                self.groups
                    .for_each(|number, output| all.push((number, output)));
                all.sort_unstable_by_key(|&(number, _)| self.keys.emit(number));
                all.into_iter()
                    .for_each(|(number, output)| visit(self.keys.emit(number), output));
            }
        }
        self.clear();
    }

    /// Forgets all groups and keeps the memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.groups.clear();
    }
}
