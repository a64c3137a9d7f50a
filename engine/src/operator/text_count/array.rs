//! Counts columns of strings or bytes; columns with offsets are counted without copying their
//! bytes.

use std::iter;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::types::{BinaryViewType, ByteArrayType, ByteViewType, StringViewType};
use arrow_array::{Array, GenericByteArray, GenericByteViewArray, OffsetSizeTrait};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;
use keymill_kernels::stage::tokenize::{InputError, Records};

use super::TextCount;
use crate::{Error, ErrorKind, Result};

/// Values of view columns, collected until there are enough for a push.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    text: Vec<u8>,
    offsets: Vec<u32>,
}

/// An offset type of columns that are not copied.
trait RecordOffset: OffsetSizeTrait {
    /// Converts offsets to records.
    fn records(offsets: &[Self]) -> Result<Records<'_>, InputError>;
}

impl RecordOffset for i32 {
    fn records(offsets: &[Self]) -> Result<Records<'_>, InputError> {
        Records::from_i32(offsets)
    }
}

impl RecordOffset for i64 {
    fn records(offsets: &[Self]) -> Result<Records<'_>, InputError> {
        Records::from_i64(offsets)
    }
}

impl TextCount {
    /// Counts every row that is not null.
    pub(super) fn push_column(&mut self, array: &dyn Array) -> Result<()> {
        match array.data_type() {
            DataType::Utf8 => self.push_in_place::<Utf8Type>(array.as_bytes()),
            DataType::LargeUtf8 => self.push_in_place::<LargeUtf8Type>(array.as_bytes()),
            DataType::Binary => self.push_in_place::<BinaryType>(array.as_bytes()),
            DataType::LargeBinary => self.push_in_place::<LargeBinaryType>(array.as_bytes()),
            DataType::Utf8View => self.push_views::<StringViewType>(array.as_byte_view()),
            DataType::BinaryView => self.push_views::<BinaryViewType>(array.as_byte_view()),
            other => Err(Error::new(
                ErrorKind::Format,
                format!(
                    "a column of strings or bytes is needed, this one is {other}; cast it first"
                ),
            )),
        }
    }

    fn push_in_place<T: ByteArrayType>(&mut self, array: &GenericByteArray<T>) -> Result<()>
    where
        T::Offset: RecordOffset,
    {
        let (offsets, text) = (array.value_offsets(), array.value_data());
        for rows in valid_rows(array) {
            let mut first = rows.start;
            while first < rows.end {
                self.context.resources.cancel.check()?;
                let begin = offsets[first].as_usize();
                let room = begin + self.sizes.check_interval;
                let fitting = offsets[first + 1..=rows.end]
                    .partition_point(|offset| offset.as_usize() <= room);
                let last = first + fitting.max(1);
                let end = offsets[last].as_usize();
                if fitting == 0 {
                    self.push_text(&text[begin..end])?;
                } else {
                    let records =
                        RecordOffset::records(&offsets[first..=last]).map_err(not_records)?;
                    self.push_records(text, records, end - begin)?;
                }
                first = last;
            }
            self.metrics.rows += rows.len() as u64;
        }
        Ok(())
    }

    fn push_views<T: ByteViewType>(&mut self, array: &GenericByteViewArray<T>) -> Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        for value in array.iter().flatten() {
            let value: &[u8] = value.as_ref();
            self.metrics.rows += 1;
            if value.len() > self.sizes.check_interval {
                self.push_text(value)?;
                continue;
            }
            gathered.text.extend_from_slice(value);
            gathered.offsets.push(gathered.text.len() as u32);
            if gathered.text.len() >= self.sizes.check_interval || gathered.offsets.len() >= 1 << 16
            {
                self.push_gathered(&mut gathered)?;
            }
        }
        self.push_gathered(&mut gathered)?;
        self.gathered = gathered;
        Ok(())
    }

    fn push_gathered(&mut self, gathered: &mut Gathered) -> Result<()> {
        self.context.resources.cancel.check()?;
        gathered.offsets.insert(0, 0);
        let records = Records::from_u32(&gathered.offsets).map_err(not_records)?;
        let result = self.push_records(&gathered.text, records, gathered.text.len());
        gathered.text.clear();
        gathered.offsets.clear();
        result
    }

    fn push_records(&mut self, text: &[u8], records: Records<'_>, bytes: usize) -> Result<()> {
        self.metrics.bytes += bytes as u64;
        self.bytes_since_check += bytes + 16 * records.len();
        self.counter
            .push_records(text, records)
            .map_err(not_records)?;
        self.check_memory_when_due()
    }
}

/// Returns the ranges of rows that are not null.
fn valid_rows(array: &dyn Array) -> Vec<Range<usize>> {
    match array.nulls() {
        None => iter::once(0..array.len()).collect(),
        Some(nulls) => nulls
            .valid_slices()
            .map(|(start, end)| start..end)
            .collect(),
    }
}

fn not_records(cause: InputError) -> Error {
    Error::new(ErrorKind::Internal, "the offsets of a column are invalid").with_source(cause)
}
