//! All values of each group, as state columns of lists.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeListArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};

use super::input::{
    NumberKind, decimal_column, decimals, float_column, floats, signed, signed_column, unsigned,
    unsigned_column,
};
use super::quantile::Answer;
use super::{Accumulator, cannot_take, not_its_state};
use crate::keys::{as_type, stored, stored_type};
use crate::{Error, ErrorKind, Result};

/// A list of values for each group.
#[derive(Debug)]
pub(super) struct Lists<T> {
    lists: Vec<Vec<T>>,
    /// Number of values that there is memory for.
    room: usize,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self {
            lists: Vec::new(),
            room: 0,
        }
    }
}

impl<T> Lists<T> {
    pub(super) fn resize(&mut self, groups: usize) {
        self.lists.resize_with(groups, Vec::new);
    }

    pub(super) fn push(&mut self, group: u32, value: T) {
        self.change(group, |list| list.push(value));
    }

    /// Changes the list of a group.
    pub(super) fn change(&mut self, group: u32, change: impl FnOnce(&mut Vec<T>)) {
        let list = &mut self.lists[group as usize];
        let before = list.capacity();
        change(list);
        self.room = self.room - before + list.capacity();
    }

    pub(super) fn of(&self, group: u32) -> &[T] {
        &self.lists[group as usize]
    }

    pub(super) fn reset(&mut self, groups: &[u32]) {
        groups
            .iter()
            .for_each(|&group| self.change(group, |list| *list = Vec::new()));
    }

    pub(super) fn clear(&mut self) {
        self.lists.clear();
        self.room = 0;
    }

    pub(super) fn size(&self) -> usize {
        self.lists.capacity() * size_of::<Vec<T>>() + self.room * size_of::<T>()
    }
}

/// Returns the type of a column of lists.
pub(super) fn list_type(of: &DataType) -> DataType {
    DataType::LargeList(Arc::new(Field::new_list_field(of.clone(), true)))
}

/// Returns a column of lists with these lengths. `values` are the values of all lists.
pub(super) fn list_column(
    values: ArrayRef,
    lengths: impl Iterator<Item = usize>,
) -> Result<ArrayRef> {
    let mut offsets = vec![0i64];
    let mut end = 0;
    for length in lengths {
        end += length as i64;
        offsets.push(end);
    }
    let field = Field::new_list_field(values.data_type().clone(), true);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let lists = LargeListArray::try_new(Arc::new(field), offsets, values, None);
    lists
        .map(|lists| Arc::new(lists) as ArrayRef)
        .map_err(|cause| {
            Error::new(ErrorKind::Internal, "values do not fit their lists").with_source(cause)
        })
}

/// Returns the lists of a state column whose values have this type, without nulls.
pub(super) fn lists_in<'a>(
    state: &'a ArrayRef,
    of: &DataType,
    name: &str,
) -> Result<&'a LargeListArray> {
    let lists = state.as_list_opt::<i64>();
    lists
        .filter(|lists| lists.null_count() == 0 && lists.values().data_type() == of)
        .filter(|lists| lists.values().null_count() == 0)
        .ok_or_else(|| not_its_state(name))
}

/// A value of fixed width, in the order of its type.
pub(super) trait Item: Copy + Ord + Send + Sync + 'static {
    /// Returns the values of a column. Those of null rows are unspecified.
    fn read(column: &ArrayRef) -> Result<Vec<Self>>;

    /// Returns a column of a type.
    fn column(of: &DataType, values: impl Iterator<Item = Self>) -> Result<ArrayRef>;
}

impl Item for i64 {
    fn read(column: &ArrayRef) -> Result<Vec<Self>> {
        Ok(signed(&stored(column)?)?.into_owned())
    }

    fn column(of: &DataType, values: impl Iterator<Item = Self>) -> Result<ArrayRef> {
        as_type(&signed_column(&stored_type(of), values.map(Some))?, of)
    }
}

impl Item for u64 {
    fn read(column: &ArrayRef) -> Result<Vec<Self>> {
        Ok(unsigned(column)?.into_owned())
    }

    fn column(of: &DataType, values: impl Iterator<Item = Self>) -> Result<ArrayRef> {
        unsigned_column(of, values.map(Some))
    }
}

impl Item for i128 {
    fn read(column: &ArrayRef) -> Result<Vec<Self>> {
        Ok(decimals(column)?.to_vec())
    }

    fn column(of: &DataType, values: impl Iterator<Item = Self>) -> Result<ArrayRef> {
        Ok(decimal_column(of, values.map(Some)))
    }
}

/// A float, ordered −∞ … −0.0, +0.0 … +∞. All NaNs are one value, after all others if `NAN_IS_LAST`, or
/// before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Float<const NAN_IS_LAST: bool>(i64);

impl<const NAN_IS_LAST: bool> Float<NAN_IS_LAST> {
    const NAN: i64 = if NAN_IS_LAST { i64::MAX } else { i64::MIN };

    pub(super) fn value(self) -> f64 {
        match self.0 {
            rank if rank == Self::NAN => f64::NAN,
            rank => f64::from_bits(flipped(rank).cast_unsigned()),
        }
    }
}

impl<const NAN_IS_LAST: bool> From<f64> for Float<NAN_IS_LAST> {
    fn from(value: f64) -> Self {
        Self(match value.is_nan() {
            true => Self::NAN,
            false => flipped(value.to_bits().cast_signed()),
        })
    }
}

/// Reverses the order of negative numbers, whose lower bits are a magnitude.
fn flipped(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

impl<const NAN_IS_LAST: bool> Item for Float<NAN_IS_LAST> {
    fn read(column: &ArrayRef) -> Result<Vec<Self>> {
        Ok(floats(column)?.iter().map(|&value| value.into()).collect())
    }

    fn column(of: &DataType, values: impl Iterator<Item = Self>) -> Result<ArrayRef> {
        float_column(of, values.map(|value| Some(value.value())))
    }
}

/// Creates the accumulator of a type of values.
pub(super) trait ForItem<const NAN_IS_LAST: bool> {
    fn make<T: Item + Answer>(self) -> Box<dyn Accumulator>;
}

/// Returns an error for types whose values are not items.
pub(super) fn check_items(name: &str, inputs: &[DataType]) -> Result<()> {
    match inputs {
        [input] if is_item(input) => Ok(()),
        inputs => Err(cannot_take(
            name,
            "numbers, decimals, dates, times and timestamps",
            inputs,
        )),
    }
}

fn is_item(of: &DataType) -> bool {
    NumberKind::of(&stored_type(of)).is_some() || matches!(of, DataType::Decimal128(..))
}

/// Creates the accumulator for values of a type that [`check_items`] accepts.
pub(super) fn for_items<const NAN_IS_LAST: bool>(
    of: &DataType,
    maker: impl ForItem<NAN_IS_LAST>,
) -> Box<dyn Accumulator> {
    match NumberKind::of(&stored_type(of)) {
        Some(NumberKind::Signed) => maker.make::<i64>(),
        Some(NumberKind::Unsigned) => maker.make::<u64>(),
        Some(NumberKind::Float) => maker.make::<Float<NAN_IS_LAST>>(),
        None => maker.make::<i128>(),
    }
}
