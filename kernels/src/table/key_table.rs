//! The key table with a dense group id: the first key is 0, the next new one 1, and so on.
//!
//! ```text
//! keys   to be or not to be     ids  0 1 2 3 0 1     accumulators  [x0 x1 x2 x3] …, a column each
//! ```
//!
//! Keys of up to 16 bytes are two words in an [`IdTable`], looked up many at a time; the others are in
//! a [`LongTable`]. See [`words_of`] for the form of the words.

use core::marker::PhantomData;

use super::ids::IdTable;
use super::int_key_table::append_ids;
use super::intern_error::{FreshId, InternError};
use super::{HashKey, LongTable};
use crate::Tuning;
use crate::isa::{Isa, Kernel, dispatch};
use crate::level::Level;
use crate::stage::tokenize::{Records, Span};

/// Rows whose words are made before they are looked up: so both stay in the first-level cache.
const BATCH: usize = 512;
/// The words of a key that is not in words: no short key has these.
const LONG: [u64; 2] = [0, 1];

/// Numbers keys in the order of their first coming, so that what is kept of each key can be columns.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::tokenize::Records;
/// use keymill_kernels::{KeyTable, Tuning, HashKey};
///
/// let mut table = KeyTable::new(&Tuning::DEFAULT, HashKey::random());
/// let mut ids = Vec::new();
/// table.intern(b"tobeornottobe", Records::from_u32(&[0, 2, 4, 6, 9, 11, 13])?, &mut ids)?;
/// assert_eq!(ids, [0, 1, 2, 3, 0, 1]);
/// assert_eq!((table.size(), table.emit(3)), (4, &b"not"[..]));
/// assert_eq!(table.columns(), (&b"tobeornot"[..], &[0, 2, 4, 6, 9][..]));
///
/// // An accumulator is a column with a place for each id.
/// let mut counts = vec![0; table.size()];
/// ids.iter().for_each(|&id| counts[id as usize] += 1);
/// assert_eq!(counts, [2, 2, 1, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyTable {
    level: Level,
    short: IdTable<[u64; 2]>,
    long: LongTable,
    /// The keys, end to end in the order of their ids.
    keys: Vec<u8>,
    /// 0, and where each key ends.
    offsets: Vec<usize>,
    most: u32,
}

impl KeyTable {
    /// Makes a table without keys.
    #[must_use]
    pub fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        let tuning = &tuning.fitting();
        Self {
            level: Level::best(),
            short: IdTable::new(tuning, hash_key),
            long: LongTable::new(tuning, hash_key),
            keys: Vec::new(),
            offsets: vec![0],
            most: u32::MAX,
        }
    }

    /// The same table on another level than the best one.
    #[must_use]
    pub fn on(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Appends the id of every record of a text to `ids`.
    ///
    /// # Errors
    ///
    /// When a record ends after the text: nothing is changed. When there are more than `u32::MAX`
    /// different keys, or no memory for a larger table: `ids` is as before, and the table holds some of
    /// the keys; it can still be used.
    pub fn intern(
        &mut self,
        text: &[u8],
        records: Records<'_>,
        ids: &mut Vec<u32>,
    ) -> Result<(), InternError> {
        records.check(text)?;
        let rows = records.len();
        let column = TextKeys {
            text,
            rows,
            range: |row| records.range(row),
        };
        self.intern_column(&column, ids)
    }

    /// Appends the id of every span of a text to `ids`; spans may lie anywhere, and be empty.
    ///
    /// # Errors
    ///
    /// When a span does not lie in the text: nothing is changed. The others are those of
    /// [`KeyTable::intern`].
    pub fn intern_spans(
        &mut self,
        text: &[u8],
        spans: &[Span],
        ids: &mut Vec<u32>,
    ) -> Result<(), InternError> {
        Span::check_all(spans, text)?;
        let column = TextKeys {
            text,
            rows: spans.len(),
            range: |row: usize| spans[row].start as usize..spans[row].end as usize,
        };
        self.intern_column(&column, ids)
    }

    /// Appends the ids of so many keys to `ids`, wherever each of them lies: `key_of(row)` is asked
    /// for it, at least once.
    ///
    /// # Errors
    ///
    /// Those of [`KeyTable::intern`] that do not concern a text.
    pub fn intern_with<'k>(
        &mut self,
        rows: usize,
        key_of: impl Fn(usize) -> &'k [u8],
        ids: &mut Vec<u32>,
    ) -> Result<(), InternError> {
        self.intern_column(&LooseKeys { rows, key_of }, ids)
    }

    fn intern_column<'k>(
        &mut self,
        column: &impl KeyColumn<'k>,
        ids: &mut Vec<u32>,
    ) -> Result<(), InternError> {
        append_ids(column.rows(), ids, |ids| {
            let mut batches = (0..).step_by(BATCH).zip(ids.chunks_mut(BATCH));
            batches.try_for_each(|(first, ids)| self.intern_batch(column, first, ids))
        })
    }

    fn intern_batch<'k>(
        &mut self,
        column: &impl KeyColumn<'k>,
        first: usize,
        ids: &mut [u32],
    ) -> Result<(), InternError> {
        let mut all_words = [LONG; BATCH];
        let words = &mut all_words[..ids.len()];
        let load = LoadWords {
            column,
            first,
            words,
            keys: PhantomData,
        };
        dispatch(self.level, load);
        let words = &all_words[..ids.len()];
        let mut missed = [0; super::ids::BATCH];
        let misses = self.short.look_up(self.level, words, ids, &mut missed);
        for &row in &missed[..misses] {
            let row = usize::from(row);
            ids[row] = self.id_of(column.key(first + row), words[row])?;
        }
        Ok(())
    }

    /// The id of one key.
    ///
    /// # Errors
    ///
    /// As for [`KeyTable::intern_with`].
    pub fn intern_one(&mut self, key: &[u8]) -> Result<u32, InternError> {
        self.id_of(key, words_of(key))
    }

    /// The id of a key, if it has one.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<u32> {
        match words_of(key) {
            LONG => self.long.get(key),
            words => self.short.get(words),
        }
    }

    #[inline(always)]
    fn id_of(&mut self, key: &[u8], words: [u64; 2]) -> Result<u32, InternError> {
        let (fresh, most) = (self.size() as u32, self.most);
        let next = FreshId { id: fresh, most };
        let id = match words {
            LONG => self.long.id_of(key, next)?,
            _ => self.short.find_or_insert(words, next)?,
        };
        if id == fresh {
            self.keys.extend_from_slice(key);
            self.offsets.push(self.keys.len());
        }
        Ok(id)
    }

    /// How many keys there are: ids are below this.
    #[must_use]
    pub fn size(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The key of an id.
    ///
    /// # Panics
    ///
    /// When no key has it.
    #[must_use]
    pub fn emit(&self, id: u32) -> &[u8] {
        let id = id as usize;
        &self.keys[self.offsets[id]..self.offsets[id + 1]]
    }

    /// All keys end to end, in the order of their ids, and where each ends: a column of bytes.
    #[must_use]
    pub fn emit_all(&self) -> (&[u8], &[usize]) {
        (&self.keys, &self.offsets[1..])
    }

    /// All keys end to end, in the order of their ids, and `n + 1` offsets of `n` keys, from 0 on.
    #[must_use]
    pub fn columns(&self) -> (&[u8], &[usize]) {
        (&self.keys, &self.offsets)
    }

    /// How many bytes of memory the table holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns = self.keys.capacity() + self.offsets.capacity() * size_of::<usize>();
        self.short.bytes() + self.long.bytes() + columns
    }

    /// Makes room for so many short keys more than there are.
    ///
    /// # Errors
    ///
    /// When there is no memory; the table is as before.
    pub fn reserve(&mut self, more: usize) -> Result<(), InternError> {
        let bytes = more.saturating_mul(size_of::<usize>());
        let offsets = self.offsets.try_reserve(more);
        offsets.map_err(|_| InternError::OutOfMemory { bytes })?;
        self.short.reserve(self.size().saturating_add(more))
    }

    /// Forgets every key, and keeps the memory.
    pub fn clear(&mut self) {
        let keys = self
            .offsets
            .windows(2)
            .map(|ends| words_of(&self.keys[ends[0]..ends[1]]));
        self.short.clear(keys);
        self.long.clear();
        self.keys.clear();
        self.offsets.truncate(1);
    }
}

/// A column of keys that are bytes.
trait KeyColumn<'k> {
    fn rows(&self) -> usize;
    fn key(&self, row: usize) -> &'k [u8];
    /// [`words_of`] the key.
    fn words(&self, row: usize) -> [u64; 2];
}

/// Keys that lie in one text; `range` gives ranges within it.
struct TextKeys<'t, R> {
    text: &'t [u8],
    rows: usize,
    range: R,
}

impl<'k, R: Fn(usize) -> core::ops::Range<usize>> KeyColumn<'k> for TextKeys<'k, R> {
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn key(&self, row: usize) -> &'k [u8] {
        &self.text[(self.range)(row)]
    }

    #[inline(always)]
    fn words(&self, row: usize) -> [u64; 2] {
        let range = (self.range)(row);
        let after = self
            .text
            .get(range.start..)
            .and_then(|text| text.first_chunk());
        match after {
            Some(bytes) => words_in(bytes, range.len()),
            None => words_of(&self.text[range]),
        }
    }
}

/// Keys that lie anywhere.
struct LooseKeys<F> {
    rows: usize,
    key_of: F,
}

impl<'k, F: Fn(usize) -> &'k [u8]> KeyColumn<'k> for LooseKeys<F> {
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn key(&self, row: usize) -> &'k [u8] {
        (self.key_of)(row)
    }

    #[inline(always)]
    fn words(&self, row: usize) -> [u64; 2] {
        words_of((self.key_of)(row))
    }
}

/// Makes the words of some rows' keys.
struct LoadWords<'a, 'k, C: KeyColumn<'k>> {
    column: &'a C,
    first: usize,
    words: &'a mut [[u64; 2]],
    keys: PhantomData<&'k [u8]>,
}

impl<'k, C: KeyColumn<'k>> Kernel for LoadWords<'_, 'k, C> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        for (row, words) in (self.first..).zip(self.words) {
            *words = self.column.words(row);
        }
    }
}

/// A key of up to 16 bytes as two words, which are different for different keys.
///
/// ```text
/// up to 15 bytes   the bytes, zeros after them, and the length as the last byte
/// 16 bytes         the bytes, if the last one is 16 or above: so it is no length
/// all others       LONG
/// ```
#[inline(always)]
fn words_of(key: &[u8]) -> [u64; 2] {
    let length = key.len();
    if length > 16 {
        return LONG;
    }
    if let (Some(first), Some(last)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        let last = u64::from_le_bytes(*last).unbounded_shr(8 * (16 - length as u32));
        return tagged([u64::from_le_bytes(*first), last], length);
    }
    if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4));
        return tagged([u64::from(u32::from_le_bytes(*first)) | last, 0], length);
    }
    let bytes = key.iter().rev();
    let word = bytes.fold(0, |word, &byte| word << 8 | u64::from(byte));
    tagged([word, 0], length)
}

/// The same for the first `length` of 16 bytes, without a branch.
#[inline(always)]
fn words_in(bytes: &[u8; 16], length: usize) -> [u64; 2] {
    let whole = u128::from_le_bytes(*bytes);
    let used = |length: usize| u64::MAX.unbounded_shr(64 - 8 * length as u32);
    let first = whole as u64 & used(length.min(8));
    let second = (whole >> 64) as u64 & used(length.clamp(8, 16) - 8);
    tagged([first, second], length)
}

#[inline(always)]
fn tagged([first, second]: [u64; 2], length: usize) -> [u64; 2] {
    let tag = if length < 16 {
        (length as u64) << 56
    } else {
        0
    };
    let is_short = length < 16 || length == 16 && second >> 56 >= 16;
    if is_short {
        [first, second | tag]
    } else {
        LONG
    }
}

#[cfg(test)]
mod tests;
