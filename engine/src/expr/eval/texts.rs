//! Functions of texts.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use arrow_schema::{ArrowError, DataType};
use arrow_string::like::{contains, ends_with, starts_with};

use super::{Values, dates, numbers};
use crate::expr::node::Function;

/// Calls a function for `rows` rows.
pub(super) fn call(
    function: Function,
    arguments: &[Values],
    rows: usize,
) -> Result<ArrayRef, ArrowError> {
    use Function as F;
    let text = |number: usize| Text(&arguments[number]);
    let integer = |number: usize| Integer(&arguments[number]);
    Ok(match function {
        F::Abs | F::Floor | F::Ceil | F::Round => numbers::rounding(function, arguments)?,
        F::DatePart => dates::part(&arguments[0], &arguments[1])?,
        F::DateTrunc => dates::truncate(&arguments[0], &arguments[1])?,
        F::Contains => Arc::new(contains(&arguments[0], &arguments[1])?),
        F::StartsWith => Arc::new(starts_with(&arguments[0], &arguments[1])?),
        F::EndsWith => Arc::new(ends_with(&arguments[0], &arguments[1])?),
        F::OctetLength => {
            let lengths = arrow_string::length::length(arguments[0].array())?;
            arrow_cast::cast(&lengths, &DataType::Int64)?
        }
        F::Length => {
            let lengths = (0..rows).map(|row| text(0).at(row).map(|it| it.chars().count() as i64));
            Arc::new(lengths.collect::<Int64Array>())
        }
        F::Lower => texts(rows, |row, into| {
            into.push_str(&text(0).at(row)?.to_lowercase());
            Some(Ok(()))
        })?,
        F::Upper => texts(rows, |row, into| {
            into.push_str(&text(0).at(row)?.to_uppercase());
            Some(Ok(()))
        })?,
        F::Trim | F::TrimStart | F::TrimEnd => texts(rows, |row, into| {
            let chars = match arguments.len() {
                1 => " ",
                _ => text(1).at(row)?,
            };
            into.push_str(trimmed(function, text(0).at(row)?, chars));
            Some(Ok(()))
        })?,
        F::Replace => texts(rows, |row, into| {
            let (value, from, to) = (text(0).at(row)?, text(1).at(row)?, text(2).at(row)?);
            match from {
                "" => into.push_str(value),
                _ => into.push_str(&value.replace(from, to)),
            }
            Some(Ok(()))
        })?,
        F::Substr => texts(rows, |row, into| {
            let count = match arguments.len() {
                2 => i64::MAX,
                _ => integer(2).at(row)?,
            };
            let (value, first) = (text(0).at(row)?, integer(1).at(row)?);
            Some(substring(value, first, count).map(|part| into.push_str(part)))
        })?,
        F::SplitPart => texts(rows, |row, into| {
            let (value, separator) = (text(0).at(row)?, text(1).at(row)?);
            let part = split_part(value, separator, integer(2).at(row)?);
            Some(part.map(|part| into.push_str(part)))
        })?,
        // The kernel `concat_elements` takes no constants, and panics on results of 2 GiB.
        F::Concat | F::Join => texts(rows, |row, into| {
            for number in 0..arguments.len() {
                match text(number).at(row) {
                    Some(part) => into.push_str(part),
                    None if function == F::Concat => {}
                    None => return None,
                }
            }
            Some(Ok(()))
        })?,
        F::Coalesce | F::NullIf | F::ToTimestamp => {
            let message = format!("`{}` has a step of its own", function.name());
            return Err(ArrowError::NotYetImplemented(message));
        }
    })
}

/// A column or constant of texts.
struct Text<'a>(&'a Values);

impl<'a> Text<'a> {
    fn at(&self, row: usize) -> Option<&'a str> {
        let array: &'a StringArray = self.0.array().as_string();
        let row = if self.0.is_one() { 0 } else { row };
        array.is_valid(row).then(|| array.value(row))
    }
}

struct Integer<'a>(&'a Values);

impl Integer<'_> {
    fn at(&self, row: usize) -> Option<i64> {
        let array = self.0.array().as_primitive::<Int64Type>();
        let row = if self.0.is_one() { 0 } else { row };
        array.is_valid(row).then(|| array.value(row))
    }
}

/// Makes a text for each row; `None` is null.
fn texts(
    rows: usize,
    mut write: impl FnMut(usize, &mut String) -> Option<Result<(), ArrowError>>,
) -> Result<ArrayRef, ArrowError> {
    let mut builder = StringBuilder::with_capacity(rows, 0);
    let (mut value, mut total) = (String::new(), 0usize);
    for row in 0..rows {
        value.clear();
        match write(row, &mut value) {
            None => builder.append_null(),
            Some(written) => {
                written?;
                total += value.len();
                if total > i32::MAX as usize {
                    let what = "the texts of a batch have more than 2 GiB".to_owned();
                    return Err(ArrowError::ArithmeticOverflow(what));
                }
                builder.append_value(&value);
            }
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn trimmed<'a>(function: Function, value: &'a str, chars: &str) -> &'a str {
    let is_one = |c: char| chars.contains(c);
    match function {
        Function::TrimStart => value.trim_start_matches(is_one),
        Function::TrimEnd => value.trim_end_matches(is_one),
        _ => value.trim_matches(is_one),
    }
}

/// The characters `first .. first + count`, counted from 1; positions before the text count, too.
fn substring(value: &str, first: i64, count: i64) -> Result<&str, ArrowError> {
    if count < 0 {
        let what = format!("substr cannot take {count} characters");
        return Err(ArrowError::InvalidArgumentError(what));
    }
    let end = first.saturating_add(count);
    let place = |at: i64| {
        let skip = usize::try_from(at - 1).unwrap_or(0);
        let mut all = value.char_indices();
        all.nth(skip).map_or(value.len(), |(byte, _)| byte)
    };
    let (from, to) = (place(first.max(1)), place(end.max(1)));
    Ok(&value[from..to.max(from)])
}

/// The `n`-th part, counted from 1, or from the end if negative; empty if there is none.
fn split_part<'a>(value: &'a str, separator: &str, n: i64) -> Result<&'a str, ArrowError> {
    let skip = match usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX) {
        0 => {
            let what = "split_part counts its parts from 1, or from -1 backwards".to_owned();
            return Err(ArrowError::InvalidArgumentError(what));
        }
        n => n - 1,
    };
    if separator.is_empty() {
        return Ok(if skip == 0 { value } else { "" });
    }
    let part = match n > 0 {
        true => value.split(separator).nth(skip),
        false => value.rsplit(separator).nth(skip),
    };
    Ok(part.unwrap_or(""))
}
