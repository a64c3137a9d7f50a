//! The key table: maps keys of bytes to dense group ids. The first key gets 0, the next new one 1,
//! …
//!
//! ```text
//! keys   to be or not to be     ids  0 1 2 3 0 1     accumulators  [x0 x1 x2 x3] …
//! ```
//!
//! Keys of up to 16 bytes are stored as two words in an [`IdTable`] and looked up in batches; other
//! keys are in a [`LongTable`]. See [`words_of`] for the form of the words.

use core::marker::PhantomData;

use super::ids::IdTable;
use super::int_key_table::append_ids;
use super::intern_error::{FreshId, InternError};
use super::key_words::{LONG, words_in, words_of};
use super::{HashKey, LongTable};
use crate::Tuning;
use crate::isa::{Isa, Kernel, dispatch};
use crate::level::Level;
use crate::stage::tokenize::{Records, Span};

/// Rows whose words are made before they are looked up; both stay in the first-level cache.
const BATCH: usize = 512;

/// Numbers keys in order of first arrival, so that accumulators are columns indexed by id.
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
/// // An accumulator is a column with one value for each id.
/// let mut counts = vec![0; table.size()];
/// ids.iter().for_each(|&id| counts[id as usize] += 1);
/// assert_eq!(counts, [2, 2, 1, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyTable {
    level: Level,
    short: IdTable<[u64; 2]>,
    long: LongTable,
    /// The bytes of all keys, in the order of their ids.
    keys: Vec<u8>,
    /// 0, and the end of each key.
    offsets: Vec<usize>,
    most: u32,
}

impl KeyTable {
    /// Makes an empty table.
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

    /// Sets the SIMD level; the default is the best one.
    #[must_use]
    pub fn on(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Appends the id of every record of a text to `ids`.
    ///
    /// # Errors
    ///
    /// When a record ends after the text: nothing is changed. When there are more than `u32::MAX`
    /// distinct keys, or not enough memory for a larger table: `ids` is unchanged, and the table
    /// has some of the keys; it can still be used.
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
            range: move |row| records.range(row),
        };
        self.intern_column(column, ids)
    }

    /// Appends the id of every span of a text to `ids`; spans may be in any order, overlap, and be
    /// empty.
    ///
    /// # Errors
    ///
    /// When a span is not within the text: nothing is changed. Further errors are those of
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
            range: move |row: usize| spans[row].start as usize..spans[row].end as usize,
        };
        self.intern_column(column, ids)
    }

    /// Appends the id of every span of a text to `ids`, if `is_key` is true for each key that is new.
    /// Otherwise it returns false, and nothing is changed.
    ///
    /// # Errors
    ///
    /// Those of [`KeyTable::intern_spans`].
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::stage::tokenize::Span;
    /// use keymill_kernels::{HashKey, KeyTable, Tuning};
    ///
    /// let mut table = KeyTable::new(&Tuning::DEFAULT, HashKey::random());
    /// let (spans, mut ids) = ([Span { start: 0, end: 2 }, Span { start: 3, end: 5 }], Vec::new());
    /// let is_text = |key: &[u8]| str::from_utf8(key).is_ok();
    /// assert!(!table.intern_spans_if(b"to \xff\xff", &spans, &mut ids, is_text)?);
    /// assert_eq!((table.size(), ids.len()), (0, 0));
    /// assert!(table.intern_spans_if(b"to be", &spans, &mut ids, is_text)?);
    /// assert_eq!(ids, [0, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn intern_spans_if(
        &mut self,
        text: &[u8],
        spans: &[Span],
        ids: &mut Vec<u32>,
        is_key: impl Fn(&[u8]) -> bool,
    ) -> Result<bool, InternError> {
        Span::check_all(spans, text)?;
        let column = TextKeys {
            text,
            rows: spans.len(),
            range: move |row: usize| spans[row].start as usize..spans[row].end as usize,
        };
        let before = ids.len();
        let mut are_keys = true;
        append_ids(column.rows, ids, |ids| {
            let mut new = Vec::new();
            for (first, ids) in (0..).step_by(BATCH).zip(ids.chunks_mut(BATCH)) {
                self.find_batch(column, first, ids, &mut new);
            }
            are_keys = new.iter().all(|&row| is_key(column.key(row)));
            let new = new.into_iter().filter(|_| are_keys);
            new.into_iter().try_for_each(|row| {
                let key = column.key(row);
                ids[row] = self.id_of(key, words_of(key))?;
                Ok(())
            })
        })?;
        if !are_keys {
            ids.truncate(before);
        }
        Ok(are_keys)
    }

    /// Appends the ids of `rows` keys to `ids`; `key_of(row)` returns each key, and is called once
    /// or more per row.
    ///
    /// # Errors
    ///
    /// Those of [`KeyTable::intern`], except the errors about the text.
    pub fn intern_with<'k>(
        &mut self,
        rows: usize,
        key_of: impl Fn(usize) -> &'k [u8],
        ids: &mut Vec<u32>,
    ) -> Result<(), InternError> {
        let key_of = &key_of;
        self.intern_column(LooseKeys { rows, key_of }, ids)
    }

    fn intern_column<'k>(
        &mut self,
        column: impl KeyColumn<'k>,
        ids: &mut Vec<u32>,
    ) -> Result<(), InternError> {
        append_ids(column.rows(), ids, |ids| {
            let mut batches = (0..).step_by(BATCH).zip(ids.chunks_mut(BATCH));
            batches.try_for_each(|(first, ids)| self.intern_batch(column, first, ids))
        })
    }

    fn intern_batch<'k>(
        &mut self,
        column: impl KeyColumn<'k>,
        first: usize,
        ids: &mut [u32],
    ) -> Result<(), InternError> {
        let mut missed = [0; super::ids::BATCH];
        let misses = self.look_up(column, first, ids, &mut missed);
        for &row in &missed[..misses] {
            let row = usize::from(row);
            ids[row] = self.id_of(column.key(first + row), column.words(first + row))?;
        }
        Ok(())
    }

    /// Writes the id of each key that is in its home line to `ids`, and the rows of the other keys to
    /// `missed`; returns the number of these rows.
    fn look_up<'k>(
        &self,
        column: impl KeyColumn<'k>,
        first: usize,
        ids: &mut [u32],
        missed: &mut [u16; super::ids::BATCH],
    ) -> usize {
        let mut words = [LONG; BATCH];
        let words = &mut words[..ids.len()];
        let load = LoadWords {
            column,
            first,
            words,
            keys: PhantomData,
        };
        dispatch(self.level, load);
        self.short.look_up(self.level, words, ids, missed)
    }

    /// Writes the id of each key that the table has to `ids`, and adds the rows of the others to `new`.
    fn find_batch<'k>(
        &self,
        column: impl KeyColumn<'k>,
        first: usize,
        ids: &mut [u32],
        new: &mut Vec<usize>,
    ) {
        let mut missed = [0; super::ids::BATCH];
        let misses = self.look_up(column, first, ids, &mut missed);
        for &row in &missed[..misses] {
            let row = usize::from(row);
            match self.get(column.key(first + row)) {
                Some(id) => ids[row] = id,
                None => new.push(first + row),
            }
        }
    }

    /// Returns the id of one key, which is added if it is new.
    ///
    /// # Errors
    ///
    /// As for [`KeyTable::intern_with`].
    pub fn intern_one(&mut self, key: &[u8]) -> Result<u32, InternError> {
        self.id_of(key, words_of(key))
    }

    /// Returns the id of a key, if the table has the key.
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

    /// Returns the number of keys; ids are below this.
    #[must_use]
    pub fn size(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Returns the key of an id.
    ///
    /// # Panics
    ///
    /// When no key has this id.
    #[must_use]
    pub fn emit(&self, id: u32) -> &[u8] {
        let id = id as usize;
        &self.keys[self.offsets[id]..self.offsets[id + 1]]
    }

    /// Returns the bytes of all keys in the order of their ids, and the end of each key.
    #[must_use]
    pub fn emit_all(&self) -> (&[u8], &[usize]) {
        (&self.keys, &self.offsets[1..])
    }

    /// Returns the bytes of all `n` keys in the order of their ids, and `n + 1` offsets, the first
    /// one 0.
    #[must_use]
    pub fn columns(&self) -> (&[u8], &[usize]) {
        (&self.keys, &self.offsets)
    }

    /// Returns the bytes of memory that the table uses.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns = self.keys.capacity() + self.offsets.capacity() * size_of::<usize>();
        self.short.bytes() + self.long.bytes() + columns
    }

    /// Reserves memory for `more` additional short keys.
    ///
    /// # Errors
    ///
    /// When there is not enough memory; the table is unchanged.
    pub fn reserve(&mut self, more: usize) -> Result<(), InternError> {
        let bytes = more.saturating_mul(size_of::<usize>());
        let offsets = self.offsets.try_reserve(more);
        offsets.map_err(|_| InternError::OutOfMemory { bytes })?;
        self.short.reserve(self.size().saturating_add(more))
    }

    /// Removes all keys, and keeps the memory.
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

/// A column of keys of bytes. It is copied, so that loops have it in registers.
trait KeyColumn<'k>: Copy {
    fn rows(&self) -> usize;
    fn key(&self, row: usize) -> &'k [u8];
    /// Returns [`words_of`] the key.
    fn words(&self, row: usize) -> [u64; 2];
}

/// Keys in one text; `range` returns ranges within it.
#[derive(Clone, Copy)]
struct TextKeys<'t, R> {
    text: &'t [u8],
    rows: usize,
    range: R,
}

impl<'k, R: Copy + Fn(usize) -> core::ops::Range<usize>> KeyColumn<'k> for TextKeys<'k, R> {
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

/// Keys in separate slices.
#[derive(Clone, Copy)]
struct LooseKeys<F> {
    rows: usize,
    key_of: F,
}

impl<'k, F: Copy + Fn(usize) -> &'k [u8]> KeyColumn<'k> for LooseKeys<F> {
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

/// Computes the words of the keys of some rows.
struct LoadWords<'a, 'k, C: KeyColumn<'k>> {
    column: C,
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

#[cfg(test)]
mod tests;
