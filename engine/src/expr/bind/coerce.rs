//! Brings values to one type.

use arrow_schema::DataType::{self, Decimal128, Dictionary, Float16, Float32, Null, Timestamp};

use super::super::bound::{Bound, CastMode, Step};
use super::types::{adapt, cast_strictly, common, is_text, whole_number, widens};
use crate::{Error, ErrorKind, Result};

/// The error of an expression whose types do not fit.
pub(super) fn refused(text: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("`{text}`: {why}"))
}

/// A value of a type that the kernels take: without dictionary, and with a time zone as an offset.
pub(super) fn plain(bound: Bound) -> Result<Bound> {
    let to = match &bound.of {
        Dictionary(_, of) => (**of).clone(),
        Float16 => Float32,
        DataType::Decimal32(digits, scale) | DataType::Decimal64(digits, scale) => {
            Decimal128(*digits, *scale)
        }
        Timestamp(unit, Some(zone)) if matches!(&**zone, "UTC" | "Etc/UTC" | "Z" | "utc") => {
            Timestamp(*unit, Some("+00:00".into()))
        }
        _ => return Ok(bound),
    };
    plain(stepped(bound, to, CastMode::Widen))
}

/// The value as another type. A constant is cast now.
pub(super) fn cast(bound: Bound, to: &DataType) -> Result<Bound> {
    if bound.of == *to {
        return Ok(bound);
    }
    if let Step::Constant(array) = &bound.step {
        let array = cast_strictly(array, to).map_err(|why| refused(&bound.text, why))?;
        return Ok(constant(array, &bound));
    }
    let mode = match widens(&bound.of, to) {
        true => CastMode::Widen,
        false => CastMode::Fail,
    };
    Ok(stepped(bound, to.clone(), mode))
}

fn stepped(bound: Bound, to: DataType, mode: CastMode) -> Bound {
    Bound {
        text: bound.text.clone(),
        step: Step::Cast(Box::new(bound), mode),
        of: to,
    }
}

fn constant(array: arrow_array::ArrayRef, like: &Bound) -> Bound {
    Bound {
        of: array.data_type().clone(),
        step: Step::Constant(array),
        text: like.text.clone(),
    }
}

/// Gives a constant the type of the value that it stands beside, where it has one there.
pub(super) fn adapted(left: Bound, right: Bound) -> Result<(Bound, Bound)> {
    match (left.is_constant(), right.is_constant()) {
        (true, false) => Ok((one_adapted(left, &right.of)?, right)),
        (false, true) => {
            let right = one_adapted(right, &left.of)?;
            Ok((left, right))
        }
        (true, true) if is_text(&left.of) && !is_text(&right.of) => {
            Ok((one_adapted(left, &right.of)?, right))
        }
        (true, true) if is_text(&right.of) && !is_text(&left.of) => {
            let right = one_adapted(right, &left.of)?;
            Ok((left, right))
        }
        _ => Ok((left, right)),
    }
}

fn one_adapted(bound: Bound, to: &DataType) -> Result<Bound> {
    let Step::Constant(array) = &bound.step else {
        return Ok(bound);
    };
    match adapt(array, to) {
        None => Ok(bound),
        Some(Ok(array)) => Ok(constant(array, &bound)),
        Some(Err(why)) => Err(refused(
            &bound.text,
            format!("this is not a value of the type {to} that it is used with: {why}"),
        )),
    }
}

/// Two values as one type to compare them in: a float without a fraction beside an integer is one.
pub(super) fn compared(left: Bound, right: Bound, text: &str) -> Result<(Bound, Bound)> {
    let left = whole(left, &right.of);
    let right = whole(right, &left.of);
    same_type(left, right, text)
}

fn whole(bound: Bound, beside: &DataType) -> Bound {
    match &bound.step {
        Step::Constant(array) if beside.is_integer() => {
            let number = whole_number(array);
            number.map_or_else(|| bound.clone(), |array| constant(array, &bound))
        }
        _ => bound,
    }
}

/// Two values as one type.
pub(super) fn same_type(left: Bound, right: Bound, text: &str) -> Result<(Bound, Bound)> {
    let (left, right) = adapted(left, right)?;
    match common(&left.of, &right.of) {
        Some(of) => Ok((cast(left, &of)?, cast(right, &of)?)),
        None => Err(cannot_stand_together(&left, &right, text)),
    }
}

pub(super) fn cannot_stand_together(left: &Bound, right: &Bound, text: &str) -> Error {
    let (one, other) = (&left.text, &right.text);
    let why = format!(
        "`{one}` is {} and `{other}` is {}, and these do not go together; CAST one of them",
        left.of, right.of
    );
    refused(text, why)
}

/// All values as one type.
pub(super) fn one_type(values: Vec<Bound>, text: &str) -> Result<Vec<Bound>> {
    let mut of = Null;
    let mut last: Option<&Bound> = None;
    let (constants, rest): (Vec<&Bound>, Vec<&Bound>) =
        values.iter().partition(|value| value.is_constant());
    for value in rest.into_iter().chain(constants) {
        let adapted = one_adapted(value.clone(), &of)?;
        let found = if value.is_constant() {
            &adapted.of
        } else {
            &value.of
        };
        of = match (common(&of, found), last) {
            (Some(of), _) => of,
            (None, Some(last)) => return Err(cannot_stand_together(last, value, text)),
            (None, None) => found.clone(),
        };
        last = Some(value);
    }
    let cast_all = values.into_iter().map(|value| {
        let value = one_adapted(value, &of)?;
        cast(value, &of)
    });
    cast_all.collect()
}

/// A condition.
pub(super) fn boolean(bound: Bound, text: &str) -> Result<Bound> {
    match &bound.of {
        DataType::Boolean => Ok(bound),
        Null => cast(bound, &DataType::Boolean),
        other => {
            let why = format!("`{}` is {other}, where a condition is needed", bound.text);
            Err(refused(text, why))
        }
    }
}

/// A text, as `Utf8`.
pub(super) fn text(bound: Bound, whole: &str) -> Result<Bound> {
    match &bound.of {
        of if is_text(of) || *of == Null => cast(bound, &DataType::Utf8),
        of => {
            let why = format!(
                "`{}` is {of}, where a text is needed; CAST it AS TEXT",
                bound.text
            );
            Err(refused(whole, why))
        }
    }
}

/// A whole number, as `Int64`.
pub(super) fn integer(bound: Bound, whole: &str) -> Result<Bound> {
    match &bound.of {
        of if of.is_integer() || *of == Null => cast(bound, &DataType::Int64),
        of => {
            let why = format!("`{}` is {of}, where an integer is needed", bound.text);
            Err(refused(whole, why))
        }
    }
}
