//! The key table with a dense group id: the first key is 0, the next new one 1, and so on.
//!
//! ```text
//! keys   to be or not to be     ids  0 1 2 3 0 1     accumulators  [x0 x1 x2 x3] …, a column each
//! ```

use super::{HashKey, InlineKey, InlineTable, LongTable};
use crate::Tuning;
use crate::key_counts::{KeyClass, class_of};
use crate::stage::tokenize::{InputError, Records, Span};

/// How many keys are classed, and their slots asked for, before the first is looked up.
const AHEAD: usize = 64;

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
///
/// // An accumulator is a column with a place for each id.
/// let mut counts = vec![0; table.size()];
/// ids.iter().for_each(|&id| counts[id as usize] += 1);
/// assert_eq!(counts, [2, 2, 1, 1]);
/// # Ok::<(), keymill_kernels::stage::tokenize::InputError>(())
/// ```
pub struct KeyTable {
    short: InlineTable<u64>,
    mid: InlineTable<[u64; 2]>,
    long: LongTable,
    /// The id of the empty key.
    empty: Option<u32>,
    /// The keys, end to end in the order of their ids.
    keys: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl KeyTable {
    /// Makes a table without keys.
    #[must_use]
    pub fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        let tuning = &tuning.fitting();
        Self {
            short: InlineTable::new(tuning, hash_key),
            mid: InlineTable::new(tuning, hash_key),
            long: LongTable::new(tuning, hash_key),
            empty: None,
            keys: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Appends the id of every record of a text to `ids`.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsBeyondText`] when a record ends behind the text; nothing is changed.
    ///
    /// # Panics
    ///
    /// When there are more than 2^32 keys.
    pub fn intern(
        &mut self,
        text: &[u8],
        records: Records<'_>,
        ids: &mut Vec<u32>,
    ) -> Result<(), InputError> {
        records.check(text)?;
        self.intern_each(records.len(), |row| &text[records.range(row)], ids);
        Ok(())
    }

    /// Appends the id of every span of a text to `ids`; spans may lie anywhere, and be empty.
    ///
    /// # Errors
    ///
    /// [`InputError::SpanBeyondText`] when a span does not lie in the text; nothing is changed.
    ///
    /// # Panics
    ///
    /// When there are more than 2^32 keys.
    pub fn intern_spans(
        &mut self,
        text: &[u8],
        spans: &[Span],
        ids: &mut Vec<u32>,
    ) -> Result<(), InputError> {
        Span::check_all(spans, text)?;
        self.intern_each(spans.len(), |row| spans[row].of(text), ids);
        Ok(())
    }

    fn intern_each<'k>(
        &mut self,
        rows: usize,
        key_of: impl Fn(usize) -> &'k [u8],
        ids: &mut Vec<u32>,
    ) {
        ids.reserve(rows);
        let mut keys: [&[u8]; AHEAD] = [b""; AHEAD];
        let mut classes = [KeyClass::Empty; AHEAD];
        for first in (0..rows).step_by(AHEAD) {
            let number = AHEAD.min(rows - first);
            for i in 0..number {
                keys[i] = key_of(first + i);
                classes[i] = class_of(keys[i]);
                self.ask_for(classes[i]);
            }
            for (key, &class) in keys.iter().zip(&classes[..number]) {
                ids.push(self.id_of(key, class));
            }
        }
    }

    /// The id of one key.
    ///
    /// # Panics
    ///
    /// When there are more than 2^32 keys.
    pub fn intern_one(&mut self, key: &[u8]) -> u32 {
        self.id_of(key, class_of(key))
    }

    fn ask_for(&self, class: KeyClass) {
        match class {
            KeyClass::Short(key) => self.short.ask_for(key.to_padded_before()),
            KeyClass::Mid(key) => self.mid.ask_for(key.to_padded_before()),
            KeyClass::Empty | KeyClass::Long => {}
        }
    }

    #[inline(always)]
    fn id_of(&mut self, key: &[u8], class: KeyClass) -> u32 {
        let fresh = u32::try_from(self.ends.len()).expect("at most 2^32 keys");
        let id = match class {
            KeyClass::Empty => *self.empty.get_or_insert(fresh),
            KeyClass::Short(key) => {
                self.short
                    .value_of(key.to_padded_before(), u64::from(fresh)) as u32
            }
            KeyClass::Mid(key) => {
                self.mid.value_of(key.to_padded_before(), u64::from(fresh)) as u32
            }
            KeyClass::Long => *self.long.value_of(key, u64::from(fresh)) as u32,
        };
        if id == fresh {
            self.keys.extend_from_slice(key);
            self.ends.push(self.keys.len());
        }
        id
    }

    /// How many keys there are: ids are below this.
    #[must_use]
    pub fn size(&self) -> usize {
        self.ends.len()
    }

    /// The key of an id.
    ///
    /// # Panics
    ///
    /// When no key has it.
    #[must_use]
    pub fn emit(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start..self.ends[id]]
    }

    /// All keys end to end, in the order of their ids, and where each ends: a column of bytes.
    #[must_use]
    pub fn emit_all(&self) -> (&[u8], &[usize]) {
        (&self.keys, &self.ends)
    }

    /// How many bytes of memory the table holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns = self.keys.capacity() + self.ends.capacity() * size_of::<usize>();
        self.short.bytes() + self.mid.bytes() + self.long.bytes() + columns
    }

    /// Forgets every key, and keeps the memory.
    pub fn clear(&mut self) {
        self.short.clear();
        self.mid.clear();
        self.long.clear();
        self.empty = None;
        self.keys.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Keys of every class and length, with NULs, each several times.
    fn keys() -> Vec<Vec<u8>> {
        let length = if cfg!(miri) { 20 } else { 40 };
        let texts = (0..length).flat_map(|length| {
            let text = |byte: u8| (0..length as u8).map(|i| byte ^ i).collect::<Vec<u8>>();
            [text(b'a'), text(b'k'), text(0)]
        });
        let numbers =
            (0..if cfg!(miri) { 30u32 } else { 3000 }).map(|i| format!("{i}").into_bytes());
        let packed_short: Vec<Vec<u8>> = texts.chain(numbers).collect();
        let again = packed_short.iter().step_by(3).cloned();
        packed_short
            .iter()
            .cloned()
            .chain(again)
            .chain(packed_short.iter().rev().cloned())
            .collect()
    }

    #[test]
    fn ids_are_dense_and_in_the_order_of_first_coming() {
        let keys = keys();
        let mut expected: HashMap<&[u8], u32> = HashMap::new();
        let text = keys.concat();
        let ends = keys.iter().scan(0, |end, key| {
            *end += key.len() as u32;
            Some(*end)
        });
        let offsets: Vec<u32> = core::iter::once(0).chain(ends).collect();
        let tuning = [Tuning::DEFAULT, Tuning::TINY];
        for tuning in tuning.into_iter().flat_map(|l| [l, l.all_colliding()]) {
            let mut table = KeyTable::new(&tuning, HashKey::from_seed(3));
            for _ in 0..2 {
                let mut ids = Vec::new();
                let records = Records::from_u32(&offsets).unwrap();
                table.intern(&text, records, &mut ids).unwrap();
                expected.clear();
                for (key, id) in keys.iter().zip(ids) {
                    let fresh = expected.len() as u32;
                    assert_eq!(id, *expected.entry(key).or_insert(fresh));
                    assert_eq!(table.emit(id), &key[..]);
                    assert_eq!(table.intern_one(key), id);
                }
                assert_eq!(table.size(), expected.len());
                let spans: Vec<Span> = offsets
                    .windows(2)
                    .map(|ends| Span {
                        start: ends[0],
                        end: ends[1],
                    })
                    .rev()
                    .collect();
                let mut again = Vec::new();
                table.intern_spans(&text, &spans, &mut again).unwrap();
                for (key, id) in keys.iter().rev().zip(again) {
                    assert_eq!(id, expected[&key[..]]);
                }
                let (bytes, ends) = table.emit_all();
                assert_eq!(
                    (bytes.len(), ends.len()),
                    (*ends.last().unwrap(), table.size())
                );
                table.clear();
                assert_eq!(table.size(), 0);
            }
        }
    }

    #[test]
    fn records_beyond_the_text_change_nothing() {
        let mut table = KeyTable::new(&Tuning::TINY, HashKey::from_seed(3));
        let mut ids = Vec::new();
        let beyond = table.intern(b"abc", Records::from_u32(&[0, 2, 9]).unwrap(), &mut ids);
        assert!(beyond.is_err() && ids.is_empty() && table.size() == 0);
        for (start, end) in [(0, 4), (4, 4), (2, 1), (u32::MAX, u32::MAX)] {
            let spans = [Span { start: 0, end: 2 }, Span { start, end }];
            let beyond = table.intern_spans(b"abc", &spans, &mut ids);
            let error = InputError::SpanBeyondText { span: 1, bytes: 3 };
            assert_eq!(beyond, Err(error), "{start}..{end}");
            assert!(ids.is_empty() && table.size() == 0);
        }
    }
}
