//! A plain evaluator of expressions, row by row, and random expressions to compare with.
//!
//! It knows nothing of Arrow's kernels, of batches and of constants that are computed once: each row is
//! a list of values, and each node is computed as SQL defines it.

mod random;

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::literal::{Constant, Literal};
use super::node::{Arithmetic, Comparison, Function, Logic, Node, Pattern, Truth};
use super::{Expr, Rows};
use random::{Choices, batch_of};

/// A value of one row.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// Some row has no value: a division by zero, an overflow, a text that is no number.
#[derive(Debug)]
struct Failed;

type Outcome = Result<Value, Failed>;

/// Compares the values of a random expression over random rows with those of this evaluator.
///
/// # Panics
///
/// If they differ.
pub fn check(seed: &[u8]) {
    let mut choices = Choices(seed);
    let rows = choices.rows();
    let batch = batch_of(&rows);
    let kind = [Kind::Boolean, Kind::Integer, Kind::Float, Kind::Text][choices.below(4)];
    let expr = choices.expression(kind, 4);
    let schema = batch.schema();
    let bound = expr
        .bind(&schema)
        .unwrap_or_else(|error| panic!("{expr}: {error}"));
    let found = bound.values(&Rows::new(&batch, &schema));
    let wanted: Result<Vec<Value>, Failed> = rows.iter().map(|row| value(&expr, row)).collect();
    match (found, wanted) {
        (Ok(found), Ok(wanted)) => {
            for (row, wanted) in wanted.iter().enumerate() {
                let found = value_at(&found, row);
                assert!(
                    same(&found, wanted),
                    "{expr} of {:?}: {found:?}, not {wanted:?}",
                    rows[row]
                );
            }
        }
        (Err(_), Err(Failed)) => {}
        (Ok(found), Err(Failed)) => panic!("{expr} of {rows:?} must fail, and gives {found:?}"),
        (Err(error), Ok(wanted)) => panic!("{expr} of {rows:?}: {error}, not {wanted:?}"),
    }
    #[cfg(feature = "sql")]
    {
        let written = expr.to_string();
        let read: Expr = written
            .parse()
            .unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(read.to_string(), written);
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => {
            one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
        }
        _ => one == other,
    }
}

/// The columns of a row, by name.
const COLUMNS: [(&str, Kind); 8] = [
    ("i", Kind::Integer),
    ("j", Kind::Integer),
    ("small", Kind::Integer),
    ("unsigned", Kind::Integer),
    ("x", Kind::Float),
    ("flag", Kind::Boolean),
    ("name", Kind::Text),
    ("word", Kind::Text),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Boolean,
    Integer,
    Float,
    Text,
}

fn value(expr: &Expr, row: &[Value]) -> Outcome {
    Ok(match &expr.0 {
        Node::Column(name) => {
            let number = COLUMNS.iter().position(|column| column.0 == name);
            row[number.expect("the columns of this module")].clone()
        }
        Node::Literal(Literal(constant)) => match constant {
            Constant::Null => Value::Null,
            Constant::Boolean(value) => Value::Boolean(*value),
            Constant::Integer(value) => Value::Integer(*value as i64),
            Constant::Float(bits) => Value::Float(f64::from_bits(*bits)),
            Constant::Text(text) => Value::Text(text.clone()),
            other => unreachable!("{other:?} is not made here"),
        },
        Node::Alias(inner, _) => value(inner, row)?,
        Node::Arithmetic(of, left, right) => {
            arithmetic(*of, value(left, row)?, value(right, row)?)?
        }
        Node::Negate(inner) => match value(inner, row)? {
            Value::Integer(value) => Value::Integer(value.checked_neg().ok_or(Failed)?),
            Value::Float(value) => Value::Float(-value),
            other => other,
        },
        Node::Compare(of, left, right) => compare(*of, &value(left, row)?, &value(right, row)?),
        Node::Logic(of, parts) => logic(*of, parts, row)?,
        Node::Not(inner) => match value(inner, row)? {
            Value::Boolean(value) => Value::Boolean(!value),
            other => other,
        },
        Node::Is(inner, truth) => {
            let inner = value(inner, row)?;
            Value::Boolean(match truth {
                Truth::Null => inner == Value::Null,
                Truth::True => inner == Value::Boolean(true),
                Truth::False => inner == Value::Boolean(false),
            })
        }
        Node::InList(needle, items) => {
            let needle = value(needle, row)?;
            let mut answer = Value::Boolean(false);
            for item in items {
                let equal = compare(Comparison::Equal, &needle, &value(item, row)?);
                answer = or(answer, equal);
            }
            answer
        }
        Node::Match(of, text, pattern) => {
            let (text, pattern) = (value(text, row)?, value(pattern, row)?);
            match (text, pattern) {
                (Value::Text(text), Value::Text(pattern)) => {
                    let (text, pattern) = match of {
                        Pattern::Like => (text, pattern),
                        _ => (text.to_lowercase(), pattern.to_lowercase()),
                    };
                    let (text, pattern): (Vec<char>, Vec<char>) =
                        (text.chars().collect(), pattern.chars().collect());
                    Value::Boolean(is_like(&text, &pattern))
                }
                _ => Value::Null,
            }
        }
        Node::Case {
            branches,
            otherwise,
        } => {
            for (condition, then) in branches {
                if value(condition, row)? == Value::Boolean(true) {
                    return value(then, row);
                }
            }
            match otherwise {
                Some(otherwise) => value(otherwise, row)?,
                None => Value::Null,
            }
        }
        Node::Cast {
            value: inner,
            to,
            or_null,
        } => match cast(value(inner, row)?, to) {
            Err(Failed) if *or_null => Value::Null,
            other => other?,
        },
        Node::Call(function, arguments) => call(*function, arguments, row)?,
    })
}

fn arithmetic(of: Arithmetic, left: Value, right: Value) -> Outcome {
    Ok(match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => {
            let result = match of {
                Arithmetic::Add => left.checked_add(right),
                Arithmetic::Subtract => left.checked_sub(right),
                Arithmetic::Multiply => left.checked_mul(right),
                Arithmetic::Divide => left.checked_div(right),
                Arithmetic::Remainder if right == 0 => None,
                Arithmetic::Remainder => Some(left.wrapping_rem(right)),
            };
            Value::Integer(result.ok_or(Failed)?)
        }
        (left, right) => match (float(&left), float(&right)) {
            (Some(left), Some(right)) => Value::Float(match of {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
                Arithmetic::Divide => left / right,
                Arithmetic::Remainder => left % right,
            }),
            _ => Value::Null,
        },
    })
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn compare(of: Comparison, left: &Value, right: &Value) -> Value {
    let order = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => {
            let differs = left != right;
            return match of {
                Comparison::Distinct => Value::Boolean(differs),
                Comparison::NotDistinct => Value::Boolean(!differs),
                _ => Value::Null,
            };
        }
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        _ => float_order(left, right),
    };
    Value::Boolean(match of {
        Comparison::Equal | Comparison::NotDistinct => order == Ordering::Equal,
        Comparison::NotEqual | Comparison::Distinct => order != Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
    })
}

/// NaN equals NaN and is larger than all other values.
fn float_order(left: &Value, right: &Value) -> Ordering {
    let (left, right) = (
        float(left).expect("a number"),
        float(right).expect("a number"),
    );
    let by_nan = left.is_nan().cmp(&right.is_nan());
    left.partial_cmp(&right).unwrap_or(by_nan)
}

fn logic(of: Logic, parts: &[Expr], row: &[Value]) -> Outcome {
    let decided = Value::Boolean(of == Logic::Or);
    let mut answer = Value::Boolean(of == Logic::And);
    for part in parts {
        if answer == decided {
            return Ok(answer);
        }
        let part = value(part, row)?;
        answer = match of {
            Logic::Or => or(answer, part),
            Logic::And if part == decided => decided.clone(),
            Logic::And if part == Value::Null => Value::Null,
            Logic::And => answer,
        };
    }
    Ok(answer)
}

fn or(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Boolean(true), _) | (_, Value::Boolean(true)) => Value::Boolean(true),
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        _ => Value::Boolean(false),
    }
}

fn is_like(text: &[char], pattern: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['%', rest @ ..], _) => (0..=text.len()).any(|skip| is_like(&text[skip..], rest)),
        (['\\', c, rest @ ..], [first, others @ ..]) => first == c && is_like(others, rest),
        (['_', rest @ ..], [_, others @ ..]) => is_like(others, rest),
        ([c, rest @ ..], [first, others @ ..]) => first == c && is_like(others, rest),
        _ => false,
    }
}

fn cast(value: Value, to: &DataType) -> Outcome {
    Ok(match (value, to) {
        (Value::Null, _) => Value::Null,
        (Value::Integer(value), DataType::Float64) => Value::Float(value as f64),
        (Value::Integer(value), DataType::Int16) => {
            Value::Integer(i16::try_from(value).map_err(|_| Failed)?.into())
        }
        (Value::Integer(value), DataType::Utf8) => Value::Text(value.to_string()),
        (Value::Text(text), DataType::Int64) => {
            Value::Integer(text.trim().parse().map_err(|_| Failed)?)
        }
        (value, to) => unreachable!("{value:?} is not cast to {to} here"),
    })
}

fn call(function: Function, arguments: &[Expr], row: &[Value]) -> Outcome {
    if function == Function::Coalesce {
        for argument in arguments {
            let value = value(argument, row)?;
            if value != Value::Null {
                return Ok(value);
            }
        }
        return Ok(Value::Null);
    }
    let values = arguments.iter().map(|argument| value(argument, row));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    if function == Function::Concat {
        let text = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            _ => String::new(),
        };
        return Ok(Value::Text(values.iter().map(text).collect()));
    }
    if function == Function::NullIf {
        let equal = compare(Comparison::Equal, &values[0], &values[1]);
        return Ok(match equal == Value::Boolean(true) {
            true => Value::Null,
            false => values[0].clone(),
        });
    }
    if values.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    if function == Function::Join {
        let text = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            other => unreachable!("{other:?} is no text"),
        };
        return Ok(Value::Text(values.iter().map(text).collect()));
    }
    Ok(match (function, &values[..]) {
        (Function::Lower, [Value::Text(text)]) => Value::Text(text.to_lowercase()),
        (Function::Upper, [Value::Text(text)]) => Value::Text(text.to_uppercase()),
        (Function::Trim, [Value::Text(text)]) => Value::Text(text.trim_matches(' ').to_owned()),
        (Function::Length, [Value::Text(text)]) => Value::Integer(text.chars().count() as i64),
        (Function::OctetLength, [Value::Text(text)]) => Value::Integer(text.len() as i64),
        (Function::Contains, [Value::Text(text), Value::Text(part)]) => {
            Value::Boolean(text.contains(part.as_str()))
        }
        (Function::StartsWith, [Value::Text(text), Value::Text(part)]) => {
            Value::Boolean(text.starts_with(part.as_str()))
        }
        (
            Function::Substr,
            [
                Value::Text(text),
                Value::Integer(first),
                Value::Integer(count),
            ],
        ) => {
            if *count < 0 {
                return Err(Failed);
            }
            let places = (1i128..).zip(text.chars());
            let end = i128::from(*first) + i128::from(*count);
            let within = places.filter(|(place, _)| *place >= i128::from(*first) && *place < end);
            Value::Text(within.map(|(_, c)| c).collect())
        }
        (Function::SplitPart, [Value::Text(text), Value::Text(separator), Value::Integer(n)]) => {
            let parts: Vec<&str> = match separator.is_empty() {
                true => vec![text],
                false => text.split(separator.as_str()).collect(),
            };
            let place = match *n {
                0 => return Err(Failed),
                n if n > 0 => i128::from(n) - 1,
                n => parts.len() as i128 + i128::from(n),
            };
            let part = usize::try_from(place)
                .ok()
                .and_then(|place| parts.get(place));
            Value::Text((*part.unwrap_or(&"")).to_owned())
        }
        (Function::Abs, [Value::Integer(value)]) => {
            Value::Integer(value.checked_abs().ok_or(Failed)?)
        }
        (Function::Abs, [Value::Float(value)]) => Value::Float(value.abs()),
        (Function::Floor, [Value::Float(value)]) => Value::Float(value.floor()),
        other => unreachable!("{other:?} is not made here"),
    })
}

/// The value of a row of an array.
fn value_at(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        of if of.is_integer() => {
            let integers = arrow_cast::cast(array, &DataType::Int64).expect("integers fit");
            Value::Integer(integers.as_primitive::<Int64Type>().value(row))
        }
        _ => {
            let texts = arrow_cast::cast(array, &DataType::Utf8).expect("texts");
            Value::Text(texts.as_string::<i32>().value(row).to_owned())
        }
    }
}
