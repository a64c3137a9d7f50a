//! The types of function calls.

use arrow_array::cast::AsArray;
use arrow_schema::DataType::{self, Date32, Float64, Int64, Null, Timestamp, Utf8};
use arrow_schema::TimeUnit;

use super::super::bound::{Bound, CastMode, Step};
use super::super::eval::dates::{PARTS, UNITS};
use super::super::node::{Comparison, Function};
use super::coerce::{cast, compared, integer, one_type, refused, text};
use crate::Result;

pub(super) fn bind(function: Function, mut all: Vec<Bound>, whole: String) -> Result<Bound> {
    use Function as F;
    check_count(function, all.len(), &whole)?;
    let step = match function {
        F::Coalesce => {
            let all = one_type(all, &whole)?;
            let of = all.first().map_or(Null, |first| first.of.clone());
            return Ok(Bound {
                step: Step::Coalesce(all),
                of,
                text: whole.into(),
            });
        }
        F::NullIf => return null_if(all, whole),
        F::Lower
        | F::Upper
        | F::Length
        | F::OctetLength
        | F::Trim
        | F::TrimStart
        | F::TrimEnd
        | F::Replace
        | F::Contains
        | F::StartsWith
        | F::EndsWith => Step::Call(
            function,
            all.into_iter()
                .map(|one| text(one, &whole))
                .collect::<Result<_>>()?,
        ),
        F::Concat | F::Join => {
            let as_text = all.into_iter().map(|one| cast(one, &Utf8));
            Step::Call(function, as_text.collect::<Result<_>>()?)
        }
        F::Substr | F::SplitPart => {
            let texts = if function == F::Substr { 1 } else { 2 };
            let numbers = all.split_off(texts);
            let texts = all.into_iter().map(|one| text(one, &whole));
            let numbers = numbers.into_iter().map(|one| integer(one, &whole));
            Step::Call(function, texts.chain(numbers).collect::<Result<_>>()?)
        }
        F::Abs | F::Floor | F::Ceil | F::Round => return number(function, all, whole),
        F::DatePart | F::DateTrunc => return date(function, all, whole),
        F::ToTimestamp => {
            let seconds = integer(all.remove(0), &whole)?;
            let of = Timestamp(TimeUnit::Second, None);
            return Ok(Bound {
                step: Step::Cast(seconds.into(), CastMode::Fail),
                of,
                text: whole.into(),
            });
        }
    };
    let of = match function {
        F::Length | F::OctetLength => Int64,
        F::Contains | F::StartsWith | F::EndsWith => DataType::Boolean,
        _ => Utf8,
    };
    Ok(called(step, of, whole))
}

fn called(step: Step, of: DataType, whole: String) -> Bound {
    Bound {
        step,
        of,
        text: whole.into(),
    }
}

fn check_count(function: Function, count: usize, whole: &str) -> Result<()> {
    let mut all = Function::ALL.iter();
    let Some(&(name, _, least, most)) = all.find(|row| row.1 == function) else {
        return Ok(());
    };
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let takes = match most {
        usize::MAX => format!("at least {least}"),
        most if most == least => format!("{least}"),
        most => format!("{least} or {most}"),
    };
    let why = format!("`{name}` takes {takes} arguments, and not {count}");
    Err(refused(whole, why))
}

/// `nullif(a, b)` is `CASE WHEN a = b THEN null ELSE a END`.
fn null_if(mut all: Vec<Bound>, whole: String) -> Result<Bound> {
    let (value, other) = (all.remove(0), all.remove(0));
    let (left, right) = compared(value.clone(), other, &whole)?;
    let equal = super::compare(Comparison::Equal, left, right, whole.clone())?;
    let null = arrow_array::new_null_array(&value.of, 1);
    let null = Bound {
        step: Step::Constant(null),
        of: value.of.clone(),
        text: "NULL".into(),
    };
    Ok(Bound {
        of: value.of.clone(),
        step: Step::Case(vec![(equal, null)], value.into()),
        text: whole.into(),
    })
}

fn number(function: Function, mut all: Vec<Bound>, whole: String) -> Result<Bound> {
    let value = all.remove(0);
    let of = match &value.of {
        Null => Int64,
        of if of.is_integer() => Int64,
        of if of.is_floating() => Float64,
        DataType::Decimal128(..) if function == Function::Abs => value.of.clone(),
        DataType::Decimal128(..) => Float64,
        of => {
            let why = format!("`{}` is {of}, where a number is needed", value.text);
            return Err(refused(&whole, why));
        }
    };
    // Integers have no fraction.
    if of == Int64 && function != Function::Abs && all.is_empty() {
        return cast(value, &of);
    }
    let of = match function {
        Function::Round => Float64,
        _ => of,
    };
    let digits = all.into_iter().map(|one| integer(one, &whole));
    let mut arguments = vec![cast(value, &of)?];
    arguments.extend(digits.collect::<Result<Vec<_>>>()?);
    if let Some(digits) = arguments.get(1).filter(|digits| !digits.is_constant()) {
        let why = format!("the number of digits `{}` must be a constant", digits.text);
        return Err(refused(&whole, why));
    }
    Ok(called(Step::Call(function, arguments), of, whole))
}

fn date(function: Function, mut all: Vec<Bound>, whole: String) -> Result<Bound> {
    let (part, value) = (all.remove(0), all.remove(0));
    let name = match &part.step {
        Step::Constant(array) if array.data_type() == &Utf8 => {
            array.as_string::<i32>().value(0).to_lowercase()
        }
        _ => return Err(refused(&whole, "the part must be a constant text: 'year'")),
    };
    let known: Vec<&str> = match function {
        Function::DatePart => PARTS.iter().map(|row| row.0).collect(),
        _ => UNITS.to_vec(),
    };
    if !known.contains(&name.as_str()) {
        let why = format!("there is no part `{name}`; there are {}", known.join(", "));
        return Err(refused(&whole, why));
    }
    let value = match &value.of {
        DataType::Date64 => cast(value, &Date32)?,
        Date32 | Timestamp(..) => value,
        of if *of == Null || (of == &Utf8 && value.is_constant()) => {
            cast(value, &Timestamp(TimeUnit::Microsecond, None))?
        }
        of => {
            let why = format!(
                "`{}` is {of}, where a date or timestamp is needed; CAST it AS TIMESTAMP",
                value.text
            );
            return Err(refused(&whole, why));
        }
    };
    let of = value.of.clone();
    let hours = matches!(name.as_str(), "hour" | "minute" | "second");
    if of == Date32 && hours {
        let why = format!("`{}` is a date, which has no {name}", value.text);
        return Err(refused(&whole, why));
    }
    let is_epoch = name == "epoch";
    let part = Bound {
        step: Step::Constant(std::sync::Arc::new(arrow_array::StringArray::from(vec![
            name,
        ]))),
        of: Utf8,
        text: part.text,
    };
    let of = match (function, is_epoch) {
        (Function::DateTrunc, _) => of,
        (_, true) => Float64,
        (_, false) => Int64,
    };
    Ok(called(Step::Call(function, vec![part, value]), of, whole))
}
