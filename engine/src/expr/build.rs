//! Makes expressions in Rust: `col("count").gt(lit(0))`.

use std::ops;

use arrow_schema::DataType;

use super::Expr;
use super::literal::Literal;
use super::node::{Arithmetic, Comparison, Function, Logic, Node, Pattern, Truth};

/// The column of that name.
#[must_use]
pub fn col(name: impl Into<String>) -> Expr {
    Expr(Node::Column(name.into()))
}

/// A constant: a number, a text, a boolean; `None` is null.
///
/// A text takes the type of what it is compared with: `col("day").gt(lit("2026-01-31"))` compares dates.
#[must_use]
pub fn lit(value: impl Into<Literal>) -> Expr {
    Expr(Node::Literal(value.into()))
}

/// Begins a `CASE`: the first condition that is true decides the value.
///
/// # Examples
///
/// ```
/// use keymill::{col, lit, when};
///
/// let size = when(col("bytes").gt(lit(1000)), lit("large")).otherwise(lit("small"));
/// assert_eq!(size.to_string(), "CASE WHEN bytes > 1000 THEN 'large' ELSE 'small' END");
/// ```
pub fn when(condition: Expr, then: Expr) -> Case {
    Case(vec![(condition, then)])
}

/// The first value that is not null.
#[must_use]
pub fn coalesce(values: impl IntoIterator<Item = Expr>) -> Expr {
    call(Function::Coalesce, values)
}

/// The texts of all values, joined; null is empty.
#[must_use]
pub fn concat(values: impl IntoIterator<Item = Expr>) -> Expr {
    call(Function::Concat, values)
}

/// The conditions of a `CASE`. Call [`Case::otherwise`] or [`Case::end`] last.
#[derive(Clone, Debug)]
#[must_use = "`end` or `otherwise` makes the expression"]
pub struct Case(Vec<(Expr, Expr)>);

impl Case {
    /// Adds a condition and its value.
    pub fn when(mut self, condition: Expr, then: Expr) -> Self {
        self.0.push((condition, then));
        self
    }

    /// Ends the `CASE` with the value where no condition is true.
    #[must_use]
    pub fn otherwise(self, value: Expr) -> Expr {
        Expr(Node::Case {
            branches: self.0,
            otherwise: Some(Box::new(value)),
        })
    }

    /// Ends the `CASE`: where no condition is true, the value is null.
    #[must_use]
    pub fn end(self) -> Expr {
        Expr(Node::Case {
            branches: self.0,
            otherwise: None,
        })
    }
}

pub(crate) fn call(function: Function, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    Expr(Node::Call(function, arguments.into_iter().collect()))
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $comparison:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self, other: impl Into<Self>) -> Self {
            let (left, right) = (Box::new(self), Box::new(other.into()));
            Self(Node::Compare(Comparison::$comparison, left, right))
        }
    )*};
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident($($argument:ident),*) $function:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self $(, $argument: impl Into<Self>)*) -> Self {
            call(Function::$function, [self $(, $argument.into())*])
        }
    )*};
}

macro_rules! tests {
    ($($(#[$doc:meta])* $name:ident $truth:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self) -> Self {
            Self(Node::Is(Box::new(self), Truth::$truth))
        }
    )*};
}

/// A text is a column's name; use [`lit`] for a constant.
impl Expr {
    comparisons! {
        /// `self = other`; null if one of them is null.
        eq Equal;
        /// `self <> other`; null if one of them is null.
        not_eq NotEqual;
        /// `self < other`; null if one of them is null.
        lt Less;
        /// `self <= other`; null if one of them is null.
        lt_eq LessOrEqual;
        /// `self > other`; null if one of them is null.
        gt Greater;
        /// `self >= other`; null if one of them is null.
        gt_eq GreaterOrEqual;
        /// Whether the values differ, where null is a value.
        is_distinct_from Distinct;
    }

    tests! {
        /// Whether the value is null.
        is_null Null;
        /// Whether the value is true, and not null.
        is_true True;
        /// Whether the value is false, and not null.
        is_false False;
    }

    functions! {
        /// The text in lower case.
        lower() Lower;
        /// The text in upper case.
        upper() Upper;
        /// The text without spaces at both ends.
        trim() Trim;
        /// The number of characters of a text.
        length() Length;
        /// The characters from the first-th on, counted from 1; at most `count`.
        substr(first, count) Substr;
        /// The n-th part, counted from 1, of a text split at a separator; empty if there is none.
        split_part(separator, n) SplitPart;
        /// The text with every occurrence of `from` replaced.
        replace(from, to) Replace;
        /// Whether the text contains another.
        contains(text) Contains;
        /// Whether the text starts with another.
        starts_with(text) StartsWith;
        /// Whether the text ends with another.
        ends_with(text) EndsWith;
        /// The magnitude of a number.
        abs() Abs;
        /// Null if the two are equal, otherwise this value.
        nullif(other) NullIf;
    }

    /// Whether both are true.
    #[must_use]
    pub fn and(self, other: impl Into<Self>) -> Self {
        logic(Logic::And, self, other.into())
    }

    /// Whether one of them is true.
    #[must_use]
    pub fn or(self, other: impl Into<Self>) -> Self {
        logic(Logic::Or, self, other.into())
    }

    /// Whether the value is not null.
    #[must_use]
    pub fn is_not_null(self) -> Self {
        !self.is_null()
    }

    /// Whether the value equals one of these.
    #[must_use]
    pub fn is_in(self, values: impl IntoIterator<Item = Self>) -> Self {
        Self(Node::InList(Box::new(self), values.into_iter().collect()))
    }

    /// Whether the value is between two others, or equals one of them.
    #[must_use]
    pub fn between(self, low: impl Into<Self>, high: impl Into<Self>) -> Self {
        self.clone().gt_eq(low).and(self.lt_eq(high))
    }

    /// Whether the text has this form: `%` is any text, `_` any character, `\` takes the next character
    /// as it is.
    #[must_use]
    pub fn like(self, pattern: impl Into<String>) -> Self {
        matching(Pattern::Like, self, pattern.into())
    }

    /// Whether a regular expression is found in the text.
    #[must_use]
    pub fn matches(self, regex: impl Into<String>) -> Self {
        matching(Pattern::Regex, self, regex.into())
    }

    /// The value as another type; a value that does not fit is an error.
    #[must_use]
    pub fn cast(self, to: DataType) -> Self {
        self.cast_to(to, false)
    }

    /// The value as another type; a value that does not fit becomes null.
    #[must_use]
    pub fn try_cast(self, to: DataType) -> Self {
        self.cast_to(to, true)
    }

    fn cast_to(self, to: DataType, or_null: bool) -> Self {
        Self(Node::Cast {
            value: Box::new(self),
            to,
            or_null,
        })
    }

    /// A part of a date or timestamp: `year`, `month`, `day`, `hour`, …
    #[must_use]
    pub fn date_part(self, part: impl Into<String>) -> Self {
        call(Function::DatePart, [lit(part.into()), self])
    }

    /// The start of the `year`, `month`, `week`, `day`, `hour`, … that a date or timestamp is in.
    #[must_use]
    pub fn date_trunc(self, unit: impl Into<String>) -> Self {
        call(Function::DateTrunc, [lit(unit.into()), self])
    }

    /// Names the column of the result.
    #[must_use]
    pub fn alias(self, name: impl Into<String>) -> Self {
        let inner = match self.0 {
            Node::Alias(inner, _) => *inner,
            other => Self(other),
        };
        Self(Node::Alias(Box::new(inner), name.into()))
    }
}

/// Joins two conditions. A chain of the same kind is one node, however long.
pub(crate) fn logic(of: Logic, left: Expr, right: Expr) -> Expr {
    let mut parts = Vec::new();
    for side in [left, right] {
        match side.0 {
            Node::Logic(same, inner) if same == of => parts.extend(inner),
            other => parts.push(Expr(other)),
        }
    }
    Expr(Node::Logic(of, parts))
}

/// Joins two texts. A chain is one node, however long.
#[cfg(any(test, feature = "sql", feature = "oracle"))]
pub(crate) fn join(left: Expr, right: Expr) -> Expr {
    let mut parts = match left.0 {
        Node::Call(Function::Join, parts) => parts,
        other => vec![Expr(other)],
    };
    parts.push(right);
    call(Function::Join, parts)
}

pub(crate) fn matching(of: Pattern, value: Expr, pattern: String) -> Expr {
    Expr(Node::Match(of, Box::new(value), Box::new(lit(pattern))))
}

pub(crate) fn arithmetic(of: Arithmetic, left: Expr, right: Expr) -> Expr {
    Expr(Node::Arithmetic(of, Box::new(left), Box::new(right)))
}

macro_rules! operators {
    ($($of:ident::$method:ident => $arithmetic:ident),*) => {$(
        impl<T: Into<Expr>> ops::$of<T> for Expr {
            type Output = Expr;

            fn $method(self, other: T) -> Expr {
                arithmetic(Arithmetic::$arithmetic, self, other.into())
            }
        }
    )*};
}
operators! { Add::add => Add, Sub::sub => Subtract, Mul::mul => Multiply, Div::div => Divide, Rem::rem => Remainder }

impl ops::Not for Expr {
    type Output = Self;

    fn not(self) -> Self {
        Self(Node::Not(Box::new(self)))
    }
}

impl ops::Neg for Expr {
    type Output = Self;

    fn neg(self) -> Self {
        Self(Node::Negate(Box::new(self)))
    }
}
