//! The kinds of rows that a device reduces: rows with integer keys and rows with byte keys.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};

use arrow_buffer::Buffer;
use bytemuck::cast_slice;
use keymill_kernels::stage::reduce_by_key::{Count, IntKey, Max, Min, Order, ReduceByKey, Sum};
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{HashKey, KeyTable, Level, Tuning};
use keymill_shaders::{ReducedGroup, Stage};

use super::group::{Group, join_words};
use crate::device::recording::{BufferId, Recording};

/// Rows that a device reduces. Each row has a key and a value.
pub(crate) trait KeyedRows: Copy {
    /// The type of a key on the host. Groups are sorted by it.
    type Key: Copy + Ord + Debug;

    /// The stage for keys of this type.
    const STAGE: Stage;

    /// Returns the number of keys.
    fn keys(&self) -> usize;

    /// Returns the values, one for each key.
    fn values(&self) -> &[i64];

    /// Returns the key of a row.
    fn key(&self, row: usize) -> Self::Key;

    /// Returns the key of a record, or `None` if it is not valid or longer than `longest` bytes.
    fn key_of(&self, record: &ReducedGroup, longest: u32) -> Option<Self::Key>;

    /// Returns a number for the key, which the totals add up.
    fn checksum(key: Self::Key, hash_key: &RandomState) -> u64;

    /// Returns the reason why no device can reduce these rows, or `None` if one can.
    fn refusal(&self) -> Option<String>;

    /// Uploads the keys. Returns the buffer that is bound before the values, and the buffer that is
    /// bound last, if any.
    fn upload(&self, recording: &mut Recording) -> (BufferId, Option<BufferId>);

    /// Reduces the given rows on the CPU. The groups are in any order.
    fn reduce(&self, rows: &[u32]) -> Vec<Group<Self::Key>>;
}

/// Rows with integer keys: `values[i]` belongs to `keys[i]`.
///
/// Narrower keys are widened by [`IntKey::to_bits`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) keys: &'a [u64],
    pub(crate) values: &'a [i64],
}

/// Rows with byte keys: `values[i]` belongs to the key `spans[i]` of the text.
///
/// Spans have the layout that the tokenizer writes, also on devices. They may be in any order,
/// overlap, and be empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextRows<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) spans: &'a [Span],
    pub(crate) values: &'a [i64],
}

/// All aggregates at once.
type All = (Count, Sum, Min, Max);

/// Reduces on the CPU, and passes each group to `visit`.
fn reduce<K: IntKey>(keys: &[K], values: &[i64], mut visit: impl FnMut(K, (u64, i128, i64, i64))) {
    let mut reducer: ReduceByKey<K, All> =
        ReduceByKey::new(Level::best(), Tuning::DEFAULT, HashKey::random());
    reducer.update(keys, values);
    reducer.drain(Order::Any, |keys, outputs| {
        keys.iter()
            .zip(outputs)
            .for_each(|(&key, &all)| visit(key, all));
    });
}

/// Returns the values of the given rows in a column.
fn gather<T: Copy>(rows: &[u32], column: &[T]) -> Vec<T> {
    rows.iter().map(|&row| column[row as usize]).collect()
}

impl KeyedRows for Rows<'_> {
    type Key = u64;

    const STAGE: Stage = Stage::ReduceByKey;

    fn keys(&self) -> usize {
        self.keys.len()
    }

    fn values(&self) -> &[i64] {
        self.values
    }

    fn key(&self, row: usize) -> u64 {
        self.keys[row]
    }

    fn key_of(&self, record: &ReducedGroup, _: u32) -> Option<u64> {
        Some(join_words(record.key_1, record.key_0))
    }

    fn checksum(key: u64, _: &RandomState) -> u64 {
        key
    }

    fn refusal(&self) -> Option<String> {
        None
    }

    fn upload(&self, recording: &mut Recording) -> (BufferId, Option<BufferId>) {
        let keys = Buffer::from(cast_slice::<_, u8>(self.keys));
        (recording.upload("keys", keys), None)
    }

    fn reduce(&self, rows: &[u32]) -> Vec<Group<u64>> {
        let (keys, values) = (gather(rows, self.keys), gather(rows, self.values));
        let mut groups = Vec::new();
        reduce(&keys, &values, |key, all| {
            groups.push(Group::reduced(key, all))
        });
        groups
    }
}

impl<'a> KeyedRows for TextRows<'a> {
    type Key = &'a [u8];

    const STAGE: Stage = Stage::ReduceByKeyBytes;

    fn keys(&self) -> usize {
        self.spans.len()
    }

    fn values(&self) -> &[i64] {
        self.values
    }

    fn key(&self, row: usize) -> &'a [u8] {
        self.spans[row].of(self.text)
    }

    fn key_of(&self, record: &ReducedGroup, longest: u32) -> Option<&'a [u8]> {
        let key = self.spans.get(record.key_0 as usize)?.of(self.text);
        (key.len() == record.key_1 as usize && record.key_1 <= longest).then_some(key)
    }

    fn checksum(key: &'a [u8], hash_key: &RandomState) -> u64 {
        hash_key.hash_one(key)
    }

    fn refusal(&self) -> Option<String> {
        let checked = Span::check_all(self.spans, self.text);
        checked.err().map(|error| error.to_string())
    }

    fn upload(&self, recording: &mut Recording) -> (BufferId, Option<BufferId>) {
        let text = recording.upload("text", Buffer::from(self.text));
        let spans = Buffer::from(cast_slice::<_, u8>(self.spans));
        (text, Some(recording.upload("spans", spans)))
    }

    fn reduce(&self, rows: &[u32]) -> Vec<Group<&'a [u8]>> {
        let mut table = KeyTable::new(&Tuning::DEFAULT, HashKey::random());
        let numbers: Vec<u32> = rows
            .iter()
            .map(|&row| table.intern_one(self.key(row as usize)))
            .collect::<Result<_, _>>()
            .expect("a run has fewer rows than there are ids");
        // The key of the first row of each number: it borrows from the text, while the table has a
        // copy.
        let mut keys = Vec::with_capacity(table.size());
        for (&number, &row) in numbers.iter().zip(rows) {
            if number as usize == keys.len() {
                keys.push(self.key(row as usize));
            }
        }
        let mut groups = Vec::with_capacity(keys.len());
        reduce(&numbers, &gather(rows, self.values), |number, all| {
            groups.push(Group::reduced(keys[number as usize], all));
        });
        groups
    }
}
