//! `string_agg(x, separator)`: all strings of a group in the order of the input, as a `LargeUtf8`.

use std::sync::Arc;

use arrow_array::builder::{LargeBinaryBuilder, LargeStringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Decimal128Array};
use arrow_schema::DataType;

use super::call::quoted;
use super::lists::{Lists, list_column, list_type, lists_in};
use super::ordered::positions;
use super::{
    Accumulator, Aggregate, AggregateExpr, Entry, FinishError, POSITION, cannot_take,
    not_its_state,
};
use crate::expr::Expr;
use crate::keys::bytes_of;
use crate::{Error, ErrorKind, Level, Result};

pub(super) const ENTRIES: &[Entry] = &[Entry::new(
    "string_agg",
    "string_agg(x, ', ')",
    1,
    |parameters| {
        Ok(Arc::new(StringAgg {
            separator: parameters[0].as_str().into(),
        }))
    },
)
.with_parameters(1)];

/// All strings with a separator between them.
#[derive(Clone, Debug)]
struct StringAgg {
    separator: Arc<str>,
}

/// Joins the strings of an expression in the order of the input. Nulls are skipped.
#[must_use]
pub fn string_agg(input: impl Into<Expr>, separator: &str) -> AggregateExpr {
    let separator = separator.into();
    AggregateExpr::new(StringAgg { separator }, [input.into()])
}

impl Aggregate for StringAgg {
    fn name(&self) -> &'static str {
        "string_agg"
    }

    fn parameters(&self) -> Vec<String> {
        vec![quoted(&self.separator)]
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        match inputs {
            [DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View] => Ok(DataType::LargeUtf8),
            inputs => Err(cannot_take(self.name(), "strings", inputs)),
        }
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        self.output_type(inputs)?;
        Ok(vec![list_type(&DataType::LargeBinary), list_type(&POSITION)])
    }

    fn accumulator(&self, inputs: &[DataType], _: Level) -> Result<Box<dyn Accumulator>> {
        self.output_type(inputs)?;
        Ok(Box::new(Strings {
            separator: Arc::clone(&self.separator),
            lists: Lists::default(),
            bytes: Vec::new(),
            all_bytes: 0,
        }))
    }

    fn is_ordered(&self) -> bool {
        true
    }
}

/// The strings of each group, and their positions.
struct Strings {
    separator: Arc<str>,
    lists: Lists<(i128, Box<[u8]>)>,
    /// By group: the bytes of its strings.
    bytes: Vec<usize>,
    all_bytes: usize,
}

impl Strings {
    fn push(&mut self, group: u32, position: i128, string: &[u8]) {
        self.lists.push(group, (position, string.into()));
        self.bytes[group as usize] += string.len();
        self.all_bytes += string.len();
    }

    /// Returns the strings of a group in order.
    fn in_order(&self, group: u32) -> Vec<&(i128, Box<[u8]>)> {
        let mut strings: Vec<_> = self.lists.of(group).iter().collect();
        strings.sort_unstable();
        strings
    }

    fn joined(&self, group: u32) -> Result<Option<String>> {
        let strings = self.in_order(group);
        let mut joined = Vec::with_capacity(
            self.bytes[group as usize] + self.separator.len() * strings.len(),
        );
        for (number, (_, string)) in strings.iter().enumerate() {
            if number > 0 {
                joined.extend(self.separator.as_bytes());
            }
            joined.extend(string);
        }
        if strings.is_empty() {
            return Ok(None);
        }
        let joined = String::from_utf8(joined).map_err(|cause| {
            let message = "the state of `string_agg` has a string that is not UTF-8";
            Error::new(ErrorKind::State, message).with_source(cause)
        })?;
        Ok(Some(joined))
    }
}

impl Accumulator for Strings {
    fn resize(&mut self, groups: usize) {
        self.lists.resize(groups);
        self.bytes.resize(groups, 0);
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let positions = positions(columns.get(1), "string_agg")?;
        let strings = bytes_of(&columns[0])?;
        for (row, (&id, &position)) in ids.iter().zip(positions).enumerate() {
            if columns[0].is_valid(row) {
                self.push(id, position, strings(row));
            }
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let [strings, places] = states else {
            return Err(not_its_state("string_agg"));
        };
        let strings = lists_in(strings, &DataType::LargeBinary, "string_agg")?;
        let places = lists_in(places, &POSITION, "string_agg")?;
        for (row, &id) in ids.iter().enumerate() {
            let (strings, places) = (strings.value(row), places.value(row));
            let places = positions(Some(&places), "string_agg")?;
            if strings.len() != places.len() {
                return Err(not_its_state("string_agg"));
            }
            let strings = strings.as_binary::<i64>();
            for (row, &position) in places.iter().enumerate() {
                self.push(id, position, strings.value(row));
            }
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let (mut strings, mut places) = (LargeBinaryBuilder::new(), Vec::new());
        for &group in groups {
            for (position, string) in self.in_order(group) {
                strings.append_value(string);
                places.push(*position);
            }
        }
        let lengths = || groups.iter().map(|&group| self.lists.of(group).len());
        let places = Decimal128Array::from(places).with_data_type(POSITION);
        Ok(vec![
            list_column(Arc::new(strings.finish()), lengths())?,
            list_column(Arc::new(places), lengths())?,
        ])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        let mut joined = LargeStringBuilder::new();
        for &group in groups {
            joined.append_option(self.joined(group)?);
        }
        Ok(Arc::new(joined.finish()))
    }

    fn reset(&mut self, groups: &[u32]) {
        self.lists.reset(groups);
        for &group in groups {
            self.all_bytes -= std::mem::take(&mut self.bytes[group as usize]);
        }
    }

    fn clear(&mut self) {
        self.lists.clear();
        self.bytes.clear();
        self.all_bytes = 0;
    }

    fn size(&self) -> usize {
        self.lists.size() + self.bytes.capacity() * size_of::<usize>() + self.all_bytes
    }
}
