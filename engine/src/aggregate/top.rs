//! `top(x, k)`: the `k` largest values, largest first, as a list.
//!
//! A NaN comes after all other floats, as in `max`. The list of a group without values is null.

use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field};

use super::lists::{ForItem, Item, Lists, check_items, for_items, list_column, list_type, lists_in};
use super::quantile::Answer;
use super::{Accumulator, Aggregate, AggregateExpr, Entry, FinishError, not_its_state};
use crate::expr::Expr;
use crate::{Error, ErrorKind, Level, Result};

pub(super) const ENTRIES: &[Entry] = &[Entry::new("top", "top(x, 3)", 1, |parameters| {
    let count = parameters[0].parse().map_err(|_| no_count(&parameters[0]))?;
    let top = Top { count };
    top.check()?;
    Ok(Arc::new(top))
})
.with_parameters(1)];

/// The lists of a batch have offsets of 32 bits.
const MOST: usize = 100_000;

/// The largest values.
#[derive(Clone, Copy, Debug)]
struct Top {
    count: usize,
}

/// Returns the `count` largest values, largest first. Nulls are skipped. A count of 0, or of more than
/// 100,000, is an error when the job is made.
#[must_use]
pub fn top(input: impl Into<Expr>, count: usize) -> AggregateExpr {
    AggregateExpr::new(Top { count }, [input.into()])
}

fn no_count(found: &str) -> Error {
    let message = format!("`top` cannot keep `{found}` values; write a number from 1 to {MOST}: `top(x, 3)`");
    Error::new(ErrorKind::Config, message)
}

impl Top {
    fn check(self) -> Result<()> {
        match (1..=MOST).contains(&self.count) {
            true => Ok(()),
            false => Err(no_count(&self.count.to_string())),
        }
    }
}

impl Aggregate for Top {
    fn name(&self) -> &'static str {
        "top"
    }

    fn parameters(&self) -> Vec<String> {
        vec![self.count.to_string()]
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        self.check()?;
        check_items("top", inputs)?;
        Ok(DataType::List(item(&inputs[0])))
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        check_items("top", inputs)?;
        Ok(vec![list_type(&inputs[0])])
    }

    fn accumulator(&self, inputs: &[DataType], _: Level) -> Result<Box<dyn Accumulator>> {
        self.output_type(inputs)?;
        let maker = Maker {
            of: inputs[0].clone(),
            count: self.count,
        };
        Ok(for_items::<false>(&inputs[0], maker))
    }
}

fn item(of: &DataType) -> Arc<Field> {
    Arc::new(Field::new_list_field(of.clone(), true))
}

struct Maker {
    of: DataType,
    count: usize,
}

impl ForItem<false> for Maker {
    fn make<T: Item + Answer>(self) -> Box<dyn Accumulator> {
        Box::new(TopOf::<T> {
            of: self.of,
            count: self.count,
            lists: Lists::default(),
        })
    }
}

/// The largest values of each group, smallest first.
struct TopOf<T> {
    of: DataType,
    count: usize,
    lists: Lists<T>,
}

impl<T: Item> TopOf<T> {
    fn offer(&mut self, group: u32, value: T) {
        let (list, count) = (self.lists.of(group), self.count);
        if list.len() == count && list[0] >= value {
            return;
        }
        let place = list.partition_point(|one| *one < value);
        self.lists.change(group, |list| {
            if list.len() < count {
                list.insert(place, value);
            } else {
                list[..place].rotate_left(1);
                list[place - 1] = value;
            }
        });
    }

    fn offer_all(&mut self, ids: impl Iterator<Item = u32>, column: &ArrayRef) -> Result<()> {
        for (row, (id, value)) in ids.zip(T::read(column)?).enumerate() {
            if column.is_valid(row) {
                self.offer(id, value);
            }
        }
        Ok(())
    }
}

impl<T: Item> Accumulator for TopOf<T> {
    fn resize(&mut self, groups: usize) {
        self.lists.resize(groups);
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        self.offer_all(ids.iter().copied(), &columns[0])
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let [state] = states else {
            return Err(not_its_state("top"));
        };
        let lists = lists_in(state, &self.of, "top")?;
        for (&id, values) in ids.iter().zip(lists.iter().flatten()) {
            self.offer_all(std::iter::repeat_n(id, values.len()), &values)?;
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let lists = || groups.iter().map(|&group| self.lists.of(group));
        let values = T::column(&self.of, lists().flatten().copied())?;
        Ok(vec![list_column(values, lists().map(<[T]>::len))?])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        let lists = || groups.iter().map(|&group| self.lists.of(group));
        let values = T::column(&self.of, lists().flat_map(|list| list.iter().rev().copied()))?;
        let offsets = OffsetBuffer::from_lengths(lists().map(<[T]>::len));
        let mut valid = BooleanBufferBuilder::new(groups.len());
        lists().for_each(|list| valid.append(!list.is_empty()));
        let nulls = NullBuffer::new(valid.finish());
        let lists = ListArray::try_new(item(&self.of), offsets, values, Some(nulls));
        let lists = lists.map_err(|cause| {
            Error::new(ErrorKind::Internal, "values do not fit their lists").with_source(cause)
        })?;
        Ok(Arc::new(lists))
    }

    fn reset(&mut self, groups: &[u32]) {
        self.lists.reset(groups);
    }

    fn clear(&mut self) {
        self.lists.clear();
    }

    fn size(&self) -> usize {
        self.lists.size()
    }
}
