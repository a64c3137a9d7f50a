//! Evaluates bound expressions over batches, by Arrow's compute kernels.

mod choice;
pub(super) mod dates;
mod numbers;
mod texts;

pub(super) use numbers::arithmetic;

use std::borrow::Cow;
use std::sync::Arc;

use arrow_arith::boolean::{and_kleene, is_null, not, or_kleene};
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Datum, NullArray, RecordBatch, UInt32Array, new_empty_array,
    new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::filter::{filter, prep_null_mask_filter};
use arrow_select::take::take;

use super::bound::{Bound, CastMode, Step};
use super::node::{Comparison, Pattern, Truth};
use super::{value_type, without_dictionary};
use crate::{Error, ErrorKind, Result};

/// The columns that an expression is evaluated over.
pub(crate) struct Rows<'a> {
    columns: Cow<'a, [ArrayRef]>,
    len: usize,
}

impl<'a> Rows<'a> {
    /// The rows of a batch whose columns may be in another order than in the schema of the expression.
    pub(crate) fn new(batch: &'a RecordBatch, schema: &SchemaRef) -> Self {
        let found = batch.schema_ref();
        let columns = match Arc::ptr_eq(found, schema) || found.fields() == schema.fields() {
            true => Cow::Borrowed(batch.columns()),
            false => {
                let fields = schema.fields().iter();
                let column = |name: &str| batch.column_by_name(name).cloned();
                let missing = || -> ArrayRef { Arc::new(NullArray::new(batch.num_rows())) };
                fields
                    .map(|field| column(field.name()).unwrap_or_else(missing))
                    .collect()
            }
        };
        Self {
            columns,
            len: batch.num_rows(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
    /// The rows for which `mask` is true, of the columns that an expression reads.
    fn chosen(&self, mask: &BooleanArray, bounds: &[&Bound]) -> Result<Rows<'static>, ArrowError> {
        let len = mask.true_count();
        let nothing: ArrayRef = Arc::new(NullArray::new(len));
        let mut columns = vec![nothing; self.columns.len()];
        let mut failed = None;
        let mut done = vec![false; columns.len()];
        for bound in bounds {
            bound.each_column(&mut |number, _| {
                if std::mem::replace(&mut done[number], true) {
                    return;
                }
                match filter(&self.columns[number], mask) {
                    Ok(column) => columns[number] = column,
                    Err(error) => failed = Some(error),
                }
            });
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Rows {
                columns: Cow::Owned(columns),
                len,
            }),
        }
    }
}

/// The values of an expression: one for each row, or one for all rows.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Each(ArrayRef),
    One(ArrayRef),
}

impl Datum for Values {
    fn get(&self) -> (&dyn Array, bool) {
        match self {
            Self::Each(array) => (array, false),
            Self::One(array) => (array, true),
        }
    }
}

impl Values {
    fn array(&self) -> &ArrayRef {
        match self {
            Self::Each(array) | Self::One(array) => array,
        }
    }

    fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }

    /// Values of another array of the same kind.
    fn with(&self, array: ArrayRef) -> Self {
        match self {
            Self::Each(_) => Self::Each(array),
            Self::One(_) => Self::One(array),
        }
    }

    /// One value for each of `rows` rows.
    pub(crate) fn into_array(self, rows: usize) -> Result<ArrayRef> {
        match self {
            Self::Each(array) => Ok(array),
            Self::One(array) if array.null_count() > 0 || *array.data_type() == DataType::Null => {
                Ok(new_null_array(array.data_type(), rows))
            }
            Self::One(array) => {
                let first = UInt32Array::from(vec![0; rows]);
                take(&array, &first, None).map_err(|cause| {
                    let message = "a constant cannot be repeated for all rows";
                    Error::new(ErrorKind::Capacity, message).with_source(cause)
                })
            }
        }
    }
}

impl Bound {
    /// One value for each row. Without rows nothing fails, not even a constant.
    pub(crate) fn values(&self, rows: &Rows<'_>) -> Result<ArrayRef> {
        match rows.len {
            0 => Ok(new_empty_array(&self.of)),
            _ => self.evaluate(rows)?.into_array(rows.len),
        }
    }

    /// For which rows the condition is true, and not null.
    pub(crate) fn selection(&self, rows: &Rows<'_>) -> Result<BooleanArray> {
        Ok(without_nulls(self.values(rows)?.as_boolean()))
    }

    /// A column of a batch. A dictionary may stand for the type of its values.
    fn column(&self, array: &ArrayRef) -> Result<ArrayRef> {
        if *array.data_type() == self.of {
            return Ok(array.clone());
        }
        let array = without_dictionary(array)?;
        if array.data_type() == value_type(&self.of) {
            return Ok(array);
        }
        let message = match array.data_type() {
            DataType::Null => format!(
                "a batch lacks the column `{}`, which the first batch had",
                self.text
            ),
            found => format!(
                "a batch has a column of {found} where the first batch had {}: `{}`",
                self.of, self.text
            ),
        };
        Err(Error::new(ErrorKind::Format, message))
    }

    pub(super) fn evaluate(&self, rows: &Rows<'_>) -> Result<Values> {
        let failed = |error| self.failed(error);
        match &self.step {
            Step::Column(number) => self.column(&rows.columns[*number]).map(Values::Each),
            Step::Constant(array) => Ok(Values::One(array.clone())),
            Step::Cast(inner, mode) => {
                let values = inner.evaluate(rows)?;
                let array = cast_values(values.array(), &self.of, *mode).map_err(failed)?;
                Ok(values.with(array))
            }
            Step::Arithmetic(of, left, right) => {
                let (left, right) = (left.evaluate(rows)?, right.evaluate(rows)?);
                let array = arithmetic(*of, &left, &right).map_err(failed)?;
                Ok(both(&left, &right, array))
            }
            Step::Days(left, right) => {
                let (left, right) = (left.evaluate(rows)?, right.evaluate(rows)?);
                let array = dates::days_between(&left, &right).map_err(failed)?;
                Ok(both(&left, &right, array))
            }
            Step::Negate(inner) => {
                let values = inner.evaluate(rows)?;
                let array = arrow_arith::numeric::neg(values.array()).map_err(failed)?;
                Ok(values.with(array))
            }
            Step::Compare(of, left, right) => {
                let (left, right) = (left.evaluate(rows)?, right.evaluate(rows)?);
                let array = compare(*of, &left, &right).map_err(failed)?;
                Ok(both(&left, &right, Arc::new(array)))
            }
            Step::Logic(of, parts) => choice::logic(self, *of, parts, rows),
            Step::Not(inner) => {
                let values = inner.evaluate(rows)?;
                let array = not(values.array().as_boolean()).map_err(failed)?;
                Ok(values.with(Arc::new(array)))
            }
            Step::Is(inner, truth) => {
                let values = inner.evaluate(rows)?;
                let array = is(values.array(), *truth).map_err(failed)?;
                Ok(values.with(Arc::new(array)))
            }
            Step::InList(value, items) => in_list(self, value, items, rows),
            Step::Match(of, value, pattern) => {
                let (value, pattern) = (value.evaluate(rows)?, pattern.evaluate(rows)?);
                let array = matched(*of, &value, &pattern).map_err(failed)?;
                Ok(both(&value, &pattern, Arc::new(array)))
            }
            Step::Case(branches, otherwise) => choice::case(self, branches, otherwise, rows),
            Step::Coalesce(parts) => choice::coalesce(self, parts, rows),
            Step::Call(function, arguments) => {
                let arguments = arguments.iter().map(|one| one.evaluate(rows));
                let arguments = arguments.collect::<Result<Vec<_>>>()?;
                let one = arguments.iter().all(Values::is_one);
                let len = if one { 1 } else { rows.len };
                let array = texts::call(*function, &arguments, len).map_err(failed)?;
                Ok(match one {
                    true => Values::One(array),
                    false => Values::Each(array),
                })
            }
        }
    }

    /// The error of a kernel.
    fn failed(&self, error: ArrowError) -> Error {
        let text = &self.text;
        let (kind, why) = match &error {
            ArrowError::DivideByZero => (
                ErrorKind::Format,
                "division by zero; divide by nullif(…, 0) to get null instead".to_owned(),
            ),
            ArrowError::ArithmeticOverflow(what) => (
                ErrorKind::Capacity,
                format!(
                    "the result does not fit its type: {what}; CAST to DOUBLE or DECIMAL first"
                ),
            ),
            ArrowError::CastError(what)
            | ArrowError::ParseError(what)
            | ArrowError::InvalidArgumentError(what)
            | ArrowError::ComputeError(what) => (ErrorKind::Format, what.clone()),
            other => (ErrorKind::Format, other.to_string()),
        };
        Error::new(kind, format!("`{text}`: {why}"))
    }
}

/// The values of a step with two parts.
fn both(left: &Values, right: &Values, array: ArrayRef) -> Values {
    match left.is_one() && right.is_one() {
        true => Values::One(array),
        false => Values::Each(array),
    }
}

fn cast_values(array: &ArrayRef, to: &DataType, mode: CastMode) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: mode == CastMode::Null,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options)
}

/// Null as false.
fn without_nulls(condition: &BooleanArray) -> BooleanArray {
    match condition.null_count() {
        0 => condition.clone(),
        _ => prep_null_mask_filter(condition),
    }
}

fn is(array: &ArrayRef, truth: Truth) -> Result<BooleanArray, ArrowError> {
    Ok(match truth {
        Truth::Null => is_null(array)?,
        Truth::True => without_nulls(array.as_boolean()),
        Truth::False => without_nulls(&not(array.as_boolean())?),
    })
}

fn compare(of: Comparison, left: &Values, right: &Values) -> Result<BooleanArray, ArrowError> {
    use arrow_ord::cmp::{distinct, eq, gt, gt_eq, lt, lt_eq, neq, not_distinct};
    let of_nulls = *left.array().data_type() == DataType::Null;
    if of_nulls {
        let len = if left.is_one() {
            right.array().len()
        } else {
            left.array().len()
        };
        return Ok(match of {
            Comparison::Distinct => BooleanArray::from(vec![false; len]),
            Comparison::NotDistinct => BooleanArray::from(vec![true; len]),
            _ => BooleanArray::new_null(len),
        });
    }
    let (left, right) = (numbers::canonical(left), numbers::canonical(right));
    match of {
        Comparison::Equal => eq(&left, &right),
        Comparison::NotEqual => neq(&left, &right),
        Comparison::Less => lt(&left, &right),
        Comparison::LessOrEqual => lt_eq(&left, &right),
        Comparison::Greater => gt(&left, &right),
        Comparison::GreaterOrEqual => gt_eq(&left, &right),
        Comparison::Distinct => distinct(&left, &right),
        Comparison::NotDistinct => not_distinct(&left, &right),
    }
}

fn in_list(whole: &Bound, value: &Bound, items: &[Bound], rows: &Rows<'_>) -> Result<Values> {
    let value = value.evaluate(rows)?;
    let mut found: Option<Values> = None;
    for item in items {
        let item = item.evaluate(rows)?;
        let equal = compare(Comparison::Equal, &value, &item);
        let equal = both(
            &value,
            &item,
            Arc::new(equal.map_err(|it| whole.failed(it))?),
        );
        found = Some(match found {
            None => equal,
            Some(found) if found.is_one() == equal.is_one() => {
                let (one, other) = (found.array().as_boolean(), equal.array().as_boolean());
                let either = or_kleene(one, other).map_err(|it| whole.failed(it))?;
                found.with(Arc::new(either))
            }
            Some(found) => {
                let (one, other) = (found.into_array(rows.len)?, equal.into_array(rows.len)?);
                let either = or_kleene(one.as_boolean(), other.as_boolean());
                Values::Each(Arc::new(either.map_err(|it| whole.failed(it))?))
            }
        });
    }
    // Nothing is in an empty list.
    Ok(found.unwrap_or_else(|| Values::One(Arc::new(BooleanArray::from(vec![false])))))
}

fn matched(of: Pattern, value: &Values, pattern: &Values) -> Result<BooleanArray, ArrowError> {
    use arrow_string::like::{ilike, like};
    match of {
        Pattern::Like => like(value, pattern),
        Pattern::LikeAnyCase => ilike(value, pattern),
        Pattern::Regex | Pattern::RegexAnyCase => matches(of, value.array(), pattern.array()),
    }
}

/// In which texts a regular expression is found, or which have the form of a pattern.
pub(super) fn matches(
    of: Pattern,
    array: &ArrayRef,
    pattern: &ArrayRef,
) -> Result<BooleanArray, ArrowError> {
    use arrow_string::regexp::regexp_is_match_scalar;
    let flag = match of {
        Pattern::Regex => None,
        Pattern::RegexAnyCase => Some("i"),
        _ => {
            let (value, pattern) = (Values::Each(array.clone()), Values::One(pattern.clone()));
            return matched(of, &value, &pattern);
        }
    };
    let text = arrow_cast::cast(pattern, &DataType::Utf8)?;
    if text.is_null(0) {
        return Ok(BooleanArray::new_null(array.len()));
    }
    let regex = text.as_string::<i32>().value(0);
    match array.data_type() {
        DataType::LargeUtf8 => regexp_is_match_scalar(array.as_string::<i64>(), regex, flag),
        DataType::Utf8View => regexp_is_match_scalar(array.as_string_view(), regex, flag),
        _ => regexp_is_match_scalar(array.as_string::<i32>(), regex, flag),
    }
}

/// `a AND b`, `a OR b` of three-valued logic.
fn kleene(
    of: super::node::Logic,
    one: &BooleanArray,
    other: &BooleanArray,
) -> Result<BooleanArray, ArrowError> {
    match of {
        super::node::Logic::And => and_kleene(one, other),
        super::node::Logic::Or => or_kleene(one, other),
    }
}
