//! The nodes of the expression tree.

use arrow_schema::DataType;

use super::Expr;
use super::literal::Literal;

/// One step of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Column(String),
    Literal(Literal),
    /// An expression with the name of its column.
    Alias(Box<Expr>, String),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    /// `a AND b AND c`, or with `OR`. It has at least two parts.
    Logic(Logic, Vec<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// `IS NULL`, `IS TRUE`, `IS FALSE`.
    Is(Box<Expr>, Truth),
    InList(Box<Expr>, Vec<Expr>),
    /// A value and a pattern of `LIKE`, or a regular expression.
    Match(Pattern, Box<Expr>, Box<Expr>),
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        value: Box<Expr>,
        to: DataType,
        /// Whether a value that does not fit becomes null. Without it, it is an error.
        or_null: bool,
    },
    Call(Function, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Like `NotEqual`, but null is a value: the answer is never null.
    Distinct,
    NotDistinct,
}

impl Comparison {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Distinct => "IS DISTINCT FROM",
            Self::NotDistinct => "IS NOT DISTINCT FROM",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logic {
    And,
    Or,
}

impl Logic {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::Or => "OR",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Null,
    True,
    False,
}

impl Truth {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::True => "TRUE",
            Self::False => "FALSE",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Like,
    LikeAnyCase,
    Regex,
    RegexAnyCase,
}

impl Pattern {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Like => "LIKE",
            Self::LikeAnyCase => "ILIKE",
            Self::Regex => "~",
            Self::RegexAnyCase => "~*",
        }
    }
}

/// A function of values of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Coalesce,
    NullIf,
    Lower,
    Upper,
    Trim,
    TrimStart,
    TrimEnd,
    Length,
    OctetLength,
    Substr,
    SplitPart,
    /// Joins texts; null is empty.
    Concat,
    /// Joins texts; with a null the answer is null.
    Join,
    Replace,
    Contains,
    StartsWith,
    EndsWith,
    Abs,
    Floor,
    Ceil,
    Round,
    /// The first argument is the name of the part.
    DatePart,
    /// The first argument is the name of the unit.
    DateTrunc,
    /// A timestamp of seconds since 1970.
    ToTimestamp,
}

impl Function {
    /// All functions that are written as a call: name, and least and most arguments.
    pub(crate) const ALL: [(&'static str, Self, usize, usize); 23] = [
        ("coalesce", Self::Coalesce, 1, usize::MAX),
        ("nullif", Self::NullIf, 2, 2),
        ("lower", Self::Lower, 1, 1),
        ("upper", Self::Upper, 1, 1),
        ("trim", Self::Trim, 1, 2),
        ("ltrim", Self::TrimStart, 1, 2),
        ("rtrim", Self::TrimEnd, 1, 2),
        ("length", Self::Length, 1, 1),
        ("octet_length", Self::OctetLength, 1, 1),
        ("substr", Self::Substr, 2, 3),
        ("split_part", Self::SplitPart, 3, 3),
        ("concat", Self::Concat, 1, usize::MAX),
        ("replace", Self::Replace, 3, 3),
        ("contains", Self::Contains, 2, 2),
        ("starts_with", Self::StartsWith, 2, 2),
        ("ends_with", Self::EndsWith, 2, 2),
        ("abs", Self::Abs, 1, 1),
        ("floor", Self::Floor, 1, 1),
        ("ceil", Self::Ceil, 1, 1),
        ("round", Self::Round, 1, 2),
        ("date_part", Self::DatePart, 2, 2),
        ("date_trunc", Self::DateTrunc, 2, 2),
        ("to_timestamp", Self::ToTimestamp, 1, 1),
    ];

    /// Its name. `Join` is written as the operator `||`.
    pub(crate) fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|row| row.1 == self).map_or("||", |row| row.0)
    }
}
