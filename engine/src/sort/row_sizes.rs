//! The sizes of the rows of a batch.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;

/// Maximum length of a value that is stored inline in its view.
const INLINE: u32 = 12;

/// The sizes of the rows of one batch.
pub(super) struct RowSizes {
    rows: usize,
    /// Bytes of every row, without values of variable length.
    fixed: usize,
    variable: Vec<Lengths>,
}

/// The lengths of the values of one column.
enum Lengths {
    Offsets(OffsetBuffer<i32>),
    LargeOffsets(OffsetBuffer<i64>),
    Views(ScalarBuffer<u128>),
}

impl RowSizes {
    pub(super) fn of(batch: &RecordBatch) -> Self {
        let mut sizes = Self {
            rows: batch.num_rows(),
            fixed: 0,
            variable: Vec::new(),
        };
        for column in batch.columns() {
            sizes.add(column);
        }
        sizes
    }

    fn add(&mut self, column: &ArrayRef) {
        let (fixed, lengths) = match column.data_type() {
            DataType::Utf8 => (
                4,
                Lengths::Offsets(column.as_string::<i32>().offsets().clone()),
            ),
            DataType::Binary => (
                4,
                Lengths::Offsets(column.as_binary::<i32>().offsets().clone()),
            ),
            DataType::LargeUtf8 => {
                let offsets = column.as_string::<i64>().offsets().clone();
                (8, Lengths::LargeOffsets(offsets))
            }
            DataType::LargeBinary => {
                let offsets = column.as_binary::<i64>().offsets().clone();
                (8, Lengths::LargeOffsets(offsets))
            }
            DataType::Utf8View => (16, Lengths::Views(column.as_string_view().views().clone())),
            DataType::BinaryView => (16, Lengths::Views(column.as_binary_view().views().clone())),
            DataType::Boolean => return self.fixed += 1,
            DataType::FixedSizeBinary(length) => return self.fixed += *length as usize,
            other => {
                self.fixed += other.primitive_width().unwrap_or_else(|| average(column));
                return;
            }
        };
        self.fixed += fixed;
        self.variable.push(lengths);
    }

    /// Returns the bytes of one row.
    #[inline]
    pub(super) fn row(&self, row: usize) -> usize {
        let lengths = self.variable.iter().map(|lengths| lengths.of(row));
        self.fixed + lengths.sum::<usize>()
    }

    /// Returns the bytes of all rows.
    pub(super) fn total(&self) -> usize {
        let lengths = self.variable.iter().map(Lengths::total);
        self.fixed * self.rows + lengths.sum::<usize>()
    }
}

impl Lengths {
    #[inline]
    fn of(&self, row: usize) -> usize {
        match self {
            Self::Offsets(offsets) => (offsets[row + 1] - offsets[row]) as usize,
            Self::LargeOffsets(offsets) => (offsets[row + 1] - offsets[row]) as usize,
            Self::Views(views) => outside_view(views[row]),
        }
    }

    fn total(&self) -> usize {
        match self {
            Self::Offsets(offsets) => (offsets[offsets.len() - 1] - offsets[0]) as usize,
            Self::LargeOffsets(offsets) => (offsets[offsets.len() - 1] - offsets[0]) as usize,
            Self::Views(views) => views.iter().map(|view| outside_view(*view)).sum(),
        }
    }
}

/// Returns the bytes of a value that are stored outside its view.
fn outside_view(view: u128) -> usize {
    match view as u32 {
        length if length <= INLINE => 0,
        length => length as usize,
    }
}

/// Returns the average bytes of a row of another type, for example of lists.
fn average(column: &ArrayRef) -> usize {
    let bytes = column.to_data().get_slice_memory_size();
    let bytes = bytes.unwrap_or_else(|_| column.get_array_memory_size());
    bytes.div_ceil(column.len().max(1))
}
