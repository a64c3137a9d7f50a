//! From key columns to dense group ids, and back.
//!
//! | keys | table |
//! |---|---|
//! | integers, booleans, floats, dates, timestamps of 64 bits together | `IntKeyTable`, of packed words |
//! | the same of 128 bits | `PairKeyTable` |
//! | one column of strings or binaries | `KeyTable`, of its bytes |
//! | several columns, at most 128 bits if each string counts as 32 | `KeyTable` per column of strings, `CodedKeys` |
//! | all others | `KeyTable`, of rows that `arrow-row` encodes |
//!
//! Some tables cannot store nulls. At the first null, such a table is replaced by one that can. The ids
//! stay the same, because the keys are moved in the order of their ids.
#![forbid(unsafe_code)]

mod byte_columns;
mod coded;
mod packed;
mod physical;
mod stable_hash;

use arrow_array::{Array, ArrayRef};
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType;
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{HashKey, IntKeyTable, InternError, KeyTable, Level, PairKeyTable, Tuning};

use crate::{Error, ErrorKind, Result};
use coded::CodedKeys;

pub(crate) use byte_columns::{bytes_of, takes as takes_bytes};
pub(crate) use packed::Layout;
pub(crate) use physical::{as_type, from_key_column, key_columns, key_type, stored, stored_type};
pub(crate) use stable_hash::hash_keys;

/// Number of keys that are moved at a time: they fit in an Arrow column of any type.
const MOVED_AT_ONCE: usize = 8192;

/// Assigns an id to each key, in the order in which keys first occur.
pub(crate) struct KeyIds {
    /// The types of the columns.
    logical: Vec<DataType>,
    /// The types by which they are stored.
    types: Vec<DataType>,
    form: Form,
    level: Level,
    tuning: Tuning,
    hash_key: HashKey,
}

/// Packed keys have a buffer, which is reused for every batch.
enum Form {
    Int(Layout, IntKeyTable, Vec<u64>),
    Pair(Layout, PairKeyTable, Vec<[u64; 2]>),
    Bytes(KeyTable),
    Coded(CodedKeys),
    Rows(RowConverter, KeyTable),
}

impl KeyIds {
    /// Creates an empty table for columns of these types.
    pub(crate) fn new(
        types: &[DataType],
        level: Level,
        tuning: &Tuning,
        hash_key: HashKey,
    ) -> Result<Self> {
        let logical = types.to_vec();
        let types: Vec<DataType> = types.iter().map(key_type).collect();
        let layout = Layout::new(&types);
        let mut ids = Self {
            logical,
            types: types.clone(),
            form: Form::Bytes(KeyTable::new(tuning, hash_key).on(level)),
            level,
            tuning: *tuning,
            hash_key,
        };
        match (layout, &types[..]) {
            (Some(layout), _) => ids.use_packed(layout),
            (None, [of]) if byte_columns::takes(of) => {}
            (None, _) => match CodedKeys::new(&types, level, tuning, hash_key)? {
                Some(coded) => ids.form = Form::Coded(coded),
                None => ids.use_rows()?,
            },
        }
        Ok(ids)
    }

    fn use_packed(&mut self, layout: Layout) {
        self.form = match layout.fits_word() {
            true => {
                let table = IntKeyTable::new(&self.tuning, self.hash_key);
                Form::Int(layout, table, Vec::new())
            }
            false => {
                let table = PairKeyTable::new(&self.tuning, self.hash_key);
                Form::Pair(layout, table, Vec::new())
            }
        };
    }

    fn use_rows(&mut self) -> Result<()> {
        let fields = self.types.iter().cloned().map(SortField::new);
        let converter = RowConverter::new(fields.collect()).map_err(not_encoded)?;
        let table = KeyTable::new(&self.tuning, self.hash_key).on(self.level);
        self.form = Form::Rows(converter, table);
        Ok(())
    }

    /// Appends the id of each row's key to `ids`.
    pub(crate) fn intern(&mut self, keys: &[ArrayRef], ids: &mut Vec<u32>) -> Result<()> {
        let keys = &*key_columns(keys)?;
        if !self.takes_nulls() && keys.iter().any(|key| key.null_count() > 0) {
            self.move_to_table_with_nulls()?;
        }
        match &mut self.form {
            Form::Int(layout, table, words) => {
                table.intern(self.level, layout.pack(keys, words)?, ids)
            }
            Form::Pair(layout, table, words) => {
                table.intern(self.level, layout.pack(keys, words)?, ids)
            }
            Form::Bytes(table) => byte_columns::intern(table, &keys[0], ids)?,
            Form::Coded(coded) => return coded.intern(keys, ids),
            Form::Rows(converter, table) => {
                let rows = converter.convert_columns(keys).map_err(not_encoded)?;
                table.intern_with(rows.num_rows(), |row| rows.row(row).data(), ids)
            }
        }
        .map_err(not_interned)
    }

    /// Returns whether keys may be spans of a text.
    pub(crate) fn takes_spans(&self) -> bool {
        matches!(self.form, Form::Bytes(_))
    }

    /// Appends the id of each span's key to `ids`. Returns false, and changes nothing, if a key is not of the
    /// type of the column.
    pub(crate) fn intern_spans(
        &mut self,
        text: &[u8],
        spans: &[Span],
        ids: &mut Vec<u32>,
    ) -> Result<bool> {
        let Form::Bytes(table) = &mut self.form else {
            return Ok(false);
        };
        let is_string = self.types.iter().all(DataType::is_string);
        let is_key = |key: &[u8]| !is_string || str::from_utf8(key).is_ok();
        let interned = table.intern_spans_if(text, spans, ids, is_key);
        interned.map_err(not_interned)
    }

    fn takes_nulls(&self) -> bool {
        match &self.form {
            Form::Int(layout, ..) | Form::Pair(layout, ..) => layout.has_null_bits(),
            Form::Bytes(_) => false,
            Form::Coded(_) | Form::Rows(..) => true,
        }
    }

    /// Moves all keys to a table that can store nulls.
    fn move_to_table_with_nulls(&mut self) -> Result<()> {
        let mut moved = self.empty_copy()?;
        match Layout::with_null_bits(&self.types) {
            Some(layout) => moved.use_packed(layout),
            None => moved.use_rows()?,
        }
        let all: Vec<u32> = (0..self.len() as u32).collect();
        let mut ids = Vec::new();
        for groups in all.chunks(MOVED_AT_ONCE) {
            moved.intern(&self.columns(groups)?, &mut ids)?;
        }
        debug_assert_eq!(ids, all);
        *self = moved;
        Ok(())
    }

    /// Creates an empty table with the same types and settings.
    pub(crate) fn empty_copy(&self) -> Result<Self> {
        Self::new(&self.logical, self.level, &self.tuning, self.hash_key)
    }

    /// Appends the id of each row's key to `ids`; `None` for an unknown key.
    pub(crate) fn find(&self, keys: &[ArrayRef], ids: &mut Vec<Option<u32>>) -> Result<()> {
        let keys = &*key_columns(keys)?;
        let rows = keys.first().map_or(0, Array::len);
        let first = ids.len();
        match &self.form {
            Form::Int(layout, table, _) => {
                let mut words = Vec::new();
                let words = layout.pack(keys, &mut words)?;
                ids.extend(words.iter().map(|&key| table.get(key)));
            }
            Form::Pair(layout, table, _) => {
                let mut words = Vec::new();
                let words = layout.pack(keys, &mut words)?;
                ids.extend(words.iter().map(|&key| table.get(key)));
            }
            Form::Bytes(table) => {
                let value = bytes_of(&keys[0])?;
                ids.extend((0..rows).map(|row| table.get(value(row))));
            }
            Form::Coded(coded) => return coded.find(keys, ids),
            Form::Rows(converter, table) => {
                let rows = converter.convert_columns(keys).map_err(not_encoded)?;
                ids.extend(rows.iter().map(|row| table.get(row.data())));
            }
        }
        if !self.takes_nulls() {
            let rows = ids[first..].iter_mut().enumerate();
            rows.filter(|(row, _)| keys.iter().any(|key| key.is_null(*row)))
                .for_each(|(_, id)| *id = None);
        }
        Ok(())
    }

    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        match &self.form {
            Form::Int(_, table, _) => table.len(),
            Form::Pair(_, table, _) => table.len(),
            Form::Coded(coded) => coded.len(),
            Form::Bytes(table) | Form::Rows(_, table) => table.size(),
        }
    }

    /// Returns the key columns of some groups.
    pub(crate) fn columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let columns = self.stored_columns(groups)?;
        let columns = columns.iter().zip(&self.logical);
        columns.map(|(key, of)| from_key_column(key, of)).collect()
    }

    /// Returns the key columns as they are stored.
    fn stored_columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.form {
            Form::Int(layout, table, _) => layout.unpack(&self.types, table.keys(), groups),
            Form::Pair(layout, table, _) => layout.unpack(&self.types, table.keys(), groups),
            Form::Bytes(table) => {
                let column = byte_columns::column(&self.types[0], table, groups)?;
                Ok(vec![column])
            }
            Form::Coded(coded) => coded.columns(&self.types, groups),
            Form::Rows(converter, table) => {
                let parser = converter.parser();
                let rows = groups.iter().map(|&group| parser.parse(table.emit(group)));
                converter.convert_rows(rows).map_err(not_encoded)
            }
        }
    }

    /// Returns the bytes of memory of the table.
    pub(crate) fn size(&self) -> usize {
        match &self.form {
            Form::Int(_, table, words) => table.bytes() + 8 * words.capacity(),
            Form::Pair(_, table, words) => table.bytes() + 16 * words.capacity(),
            Form::Bytes(table) => table.bytes(),
            Form::Coded(coded) => coded.size(),
            Form::Rows(converter, table) => table.bytes() + converter.size(),
        }
    }

    /// Removes all keys and keeps the memory.
    pub(crate) fn clear(&mut self) {
        match &mut self.form {
            Form::Int(_, table, _) => table.clear(),
            Form::Pair(_, table, _) => table.clear(),
            Form::Coded(coded) => coded.clear(),
            Form::Bytes(table) | Form::Rows(_, table) => table.clear(),
        }
    }
}

fn not_encoded(cause: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "keys could not be encoded").with_source(cause)
}

fn not_interned(cause: InternError) -> Error {
    let message =
        "there are too many groups for one table; give the job more memory, or a smaller input";
    Error::new(ErrorKind::Capacity, message).with_source(cause)
}
