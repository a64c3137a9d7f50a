//! The textual form of an expression, which can be parsed again.

use std::fmt::{self, Formatter};

use arrow_schema::{DataType, TimeUnit};

use super::Expr;
use super::literal::{Constant, Literal};
use super::node::{Arithmetic, Function, Logic, Node, Truth};

/// How tightly the outermost step of an expression binds. A part that binds less tightly than its
/// place needs is written in parentheses.
mod binds {
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const NOT: u8 = 3;
    pub(super) const COMPARE: u8 = 4;
    pub(super) const ADD: u8 = 5;
    pub(super) const MULTIPLY: u8 = 6;
    pub(super) const NEGATE: u8 = 7;
    pub(super) const ATOM: u8 = 8;
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Node::Column(name) => f.write_str(&identifier(name)),
            Node::Literal(literal) => literal.fmt(f),
            Node::Alias(inner, name) => write!(f, "{inner} AS {}", identifier(name)),
            Node::Arithmetic(of, left, right) => {
                let at = self.binds();
                write!(f, "{} {} {}", left.at(at), of.symbol(), right.at(at + 1))
            }
            Node::Compare(of, left, right) => {
                let at = binds::ADD;
                write!(f, "{} {} {}", left.at(at), of.symbol(), right.at(at))
            }
            Node::Logic(of, parts) => {
                let parts = parts.iter().map(|part| part.at(self.binds() + 1));
                let word = format!(" {} ", of.word());
                list(f, &word, parts)
            }
            Node::Not(inner) => negated(inner, f),
            // `-5` is a constant.
            Node::Negate(inner) => match inner.0 {
                Node::Literal(_) => write!(f, "-({inner})"),
                _ => write!(f, "-{}", inner.at(binds::ATOM)),
            },
            Node::Is(value, truth) => is(value, "", *truth, f),
            Node::InList(value, items) => in_list(value, "", items, f),
            Node::Match(of, value, pattern) => {
                let (value, pattern) = (value.at(binds::ATOM), pattern.at(binds::ATOM));
                write!(f, "{value} {} {pattern}", of.symbol())
            }
            Node::Case {
                branches,
                otherwise,
            } => case(branches, otherwise.as_deref(), f),
            Node::Cast { value, to, or_null } => {
                let name = if *or_null { "TRY_CAST" } else { "CAST" };
                write!(f, "{name}({value} AS {})", type_name(to))
            }
            Node::Call(Function::Join, arguments) => {
                list(f, " || ", arguments.iter().map(|one| one.at(binds::ATOM)))
            }
            Node::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                list(f, ", ", arguments)?;
                f.write_str(")")
            }
        }
    }
}

impl Expr {
    fn binds(&self) -> u8 {
        match &self.0 {
            Node::Alias(..) => 0,
            Node::Logic(Logic::Or, _) => binds::OR,
            Node::Logic(Logic::And, _) => binds::AND,
            Node::Not(inner) => match &inner.0 {
                Node::Is(..) | Node::InList(..) | Node::Match(..) => binds::COMPARE,
                _ => binds::NOT,
            },
            Node::Compare(..) | Node::Is(..) | Node::InList(..) | Node::Match(..) => binds::COMPARE,
            Node::Call(Function::Join, arguments) if arguments.len() > 1 => binds::COMPARE,
            Node::Arithmetic(Arithmetic::Add | Arithmetic::Subtract, ..) => binds::ADD,
            Node::Arithmetic(..) => binds::MULTIPLY,
            Node::Negate(_) => binds::NEGATE,
            Node::Literal(Literal(constant)) if is_negative(constant) => binds::NEGATE,
            _ => binds::ATOM,
        }
    }

    /// The expression as part of another one that needs it to bind this tightly.
    fn at(&self, least: u8) -> Part<'_> {
        Part(self, least)
    }
}

fn is_negative(constant: &Constant) -> bool {
    match constant {
        Constant::Integer(value) => *value < 0,
        Constant::Float(bits) => {
            let value = f64::from_bits(*bits);
            value.is_finite() && value.is_sign_negative()
        }
        _ => false,
    }
}

struct Part<'a>(&'a Expr, u8);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.binds() < self.1 {
            true => write!(f, "({})", self.0),
            false => self.0.fmt(f),
        }
    }
}

fn list(
    f: &mut Formatter<'_>,
    between: &str,
    items: impl IntoIterator<Item = impl fmt::Display>,
) -> fmt::Result {
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            f.write_str(between)?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn negated(inner: &Expr, f: &mut Formatter<'_>) -> fmt::Result {
    match &inner.0 {
        Node::Is(value, truth) => is(value, "NOT ", *truth, f),
        Node::InList(value, items) => in_list(value, "NOT ", items, f),
        Node::Match(of, value, pattern) => {
            let (value, pattern) = (value.at(binds::ATOM), pattern.at(binds::ATOM));
            let not = if of.symbol().starts_with('~') {
                "!"
            } else {
                "NOT "
            };
            write!(f, "{value} {not}{} {pattern}", of.symbol())
        }
        _ => write!(f, "NOT {}", inner.at(binds::ATOM)),
    }
}

fn is(value: &Expr, not: &str, truth: Truth, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{} IS {not}{}", value.at(binds::ATOM), truth.word())
}

fn in_list(value: &Expr, not: &str, items: &[Expr], f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{} {not}IN (", value.at(binds::ATOM))?;
    list(f, ", ", items)?;
    f.write_str(")")
}

fn case(branches: &[(Expr, Expr)], otherwise: Option<&Expr>, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str("CASE")?;
    for (condition, then) in branches {
        write!(f, " WHEN {condition} THEN {then}")?;
    }
    if let Some(otherwise) = otherwise {
        write!(f, " ELSE {otherwise}")?;
    }
    f.write_str(" END")
}

/// Words that cannot be a column's name without quotes.
const RESERVED: [&str; 22] = [
    "ALL",
    "ANY",
    "CURRENT_CATALOG",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "DISTINCT",
    "EXISTS",
    "FALSE",
    "INTERVAL",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "NOT",
    "NULL",
    "RETURNING",
    "SESSION_USER",
    "SOME",
    "STRUCT",
    "TRIM",
    "TRUE",
    "USER",
];

/// A name as it is written in an expression: in double quotes unless it is a plain word.
pub(crate) fn identifier(name: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = name
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    let plain = starts && name.bytes().all(is_word);
    match plain && !RESERVED.contains(&name.to_ascii_uppercase().as_str()) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A type as it is written in `CAST`.
pub(crate) fn type_name(of: &DataType) -> String {
    match of {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INTEGER UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 => "TEXT",
        DataType::Binary => "BYTEA",
        DataType::Date32 => "DATE",
        DataType::Time64(TimeUnit::Microsecond) => "TIME",
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP(0)",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP(3)",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP(9)",
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "+00:00" => {
            "TIMESTAMP WITH TIME ZONE"
        }
        DataType::Decimal128(digits, scale) => return format!("DECIMAL({digits}, {scale})"),
        other => return other.to_string(),
    }
    .to_owned()
}
