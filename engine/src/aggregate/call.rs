//! An aggregate with its argument and name.

use std::fmt;
use std::sync::Arc;

use super::{Aggregate, by_name};
use crate::Result;
use crate::expr::Expr;
#[cfg(not(feature = "sql"))]
use crate::{Error, ErrorKind};

/// An aggregate of an expression, and the name of its result column.
///
/// # Examples
///
/// ```
/// use keymill::aggregate::{AggregateExpr, count_rows, sum};
///
/// assert_eq!(sum("visits").to_string(), "sum(visits)");
/// assert_eq!(sum("visits").alias("total").output_name(), "total");
/// assert_eq!(count_rows().output_name(), "count(*)");
/// assert_eq!("mean(visits)".parse::<AggregateExpr>()?.to_string(), "mean(visits)");
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AggregateExpr {
    aggregate: Arc<dyn Aggregate>,
    input: Option<Expr>,
    alias: Option<String>,
}

impl AggregateExpr {
    /// Creates an aggregate of the values of an expression; without an expression, of rows.
    #[must_use]
    pub fn new(aggregate: impl Aggregate + 'static, input: Option<Expr>) -> Self {
        Self {
            aggregate: Arc::new(aggregate),
            input,
            alias: None,
        }
    }

    /// Sets the name of the result column.
    #[must_use]
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.alias = Some(name.into());
        self
    }

    /// Returns the name of the result column.
    #[must_use]
    pub fn output_name(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.to_string())
    }

    /// Creates the call of an aggregate by its name; without an expression, of rows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an unknown name, and for an aggregate that needs an expression.
    #[cfg(feature = "sql")]
    pub(super) fn named(name: &str, input: Option<Expr>) -> Result<Self> {
        let aggregate = by_name(name)?;
        if input.is_none() {
            aggregate.output_type(None)?;
        }
        Ok(Self {
            aggregate,
            input,
            alias: None,
        })
    }

    pub(crate) fn aggregate(&self) -> &Arc<dyn Aggregate> {
        &self.aggregate
    }

    pub(crate) fn input(&self) -> Option<&Expr> {
        self.input.as_ref()
    }
}

impl fmt::Display for AggregateExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.input {
            Some(input) => write!(f, "{}({input})", self.aggregate.name()),
            None => write!(f, "{}(*)", self.aggregate.name()),
        }
    }
}

#[cfg(not(feature = "sql"))]
impl std::str::FromStr for AggregateExpr {
    type Err = Error;

    /// Parses `count`, `count(*)`, `sum(column)` and so on.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let (name, input) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, "*")) => (name, None),
            Some((name, column)) if !column.is_empty() => (name, Some(Expr::from(column))),
            Some(_) => return Err(unreadable(text)),
            None if text.contains(['(', ')']) => return Err(unreadable(text)),
            None => (text, None),
        };
        let aggregate = by_name(name)?;
        // An error for an aggregate that needs a column.
        if input.is_none() {
            aggregate.output_type(None)?;
        }
        Ok(Self {
            aggregate,
            input,
            alias: None,
        })
    }
}

#[cfg(not(feature = "sql"))]
fn unreadable(text: &str) -> Error {
    let message = format!("`{text}` is not an aggregate; write `count`, `sum(column)` and so on");
    Error::new(ErrorKind::Config, message)
}
