//! An aggregate with its arguments and name.

use std::fmt;
use std::sync::Arc;

use super::{Aggregate, Entry, entry};
use crate::expr::Expr;
use crate::{Error, ErrorKind, Result};

/// An aggregate of expressions, and the name of its result column.
///
/// # Examples
///
/// ```
/// use keymill::aggregate::{AggregateExpr, corr, count_rows, quantile, sum};
///
/// assert_eq!(sum("visits").to_string(), "sum(visits)");
/// assert_eq!(sum("visits").alias("total").output_name(), "total");
/// assert_eq!(count_rows().output_name(), "count(*)");
/// assert_eq!(corr("x", "y").to_string(), "corr(x, y)");
/// assert_eq!("quantile(x, 0.9)".parse::<AggregateExpr>()?.to_string(), "quantile(x, 0.9)");
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AggregateExpr {
    aggregate: Arc<dyn Aggregate>,
    inputs: Vec<Expr>,
    alias: Option<String>,
}

impl AggregateExpr {
    /// Creates an aggregate of the values of expressions; without expressions, of rows.
    #[must_use]
    pub fn new(aggregate: impl Aggregate + 'static, inputs: impl Into<Vec<Expr>>) -> Self {
        Self {
            aggregate: Arc::new(aggregate),
            inputs: inputs.into(),
            alias: None,
        }
    }

    /// Creates an aggregate by its name. `parameters` are the values after the columns, as text: `0.9`, or
    /// the separator of `string_agg`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an unknown name, for another number of columns or parameters than the
    /// aggregate has, and for a parameter that it cannot take.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::aggregate::AggregateExpr;
    ///
    /// let call = AggregateExpr::by_name("string_agg", ["name".into()], [", ".to_owned()])?;
    /// assert_eq!(call.to_string(), "string_agg(name, ', ')");
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn by_name(
        name: &str,
        inputs: impl Into<Vec<Expr>>,
        parameters: impl Into<Vec<String>>,
    ) -> Result<Self> {
        let (inputs, parameters) = (inputs.into(), parameters.into());
        let entry = entry(name)?;
        let (least, most) = entry.inputs;
        let counted = inputs.len() + parameters.len();
        if !(least..=most).contains(&inputs.len()) || parameters.len() != entry.parameters {
            return Err(wrong_count(entry, counted));
        }
        Ok(Self {
            aggregate: (entry.make)(&parameters)?,
            inputs,
            alias: None,
        })
    }

    /// Parses aggregates separated by commas: `count, corr(x, y)`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a text that is not a list of aggregates.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::aggregate::AggregateExpr;
    ///
    /// let all = AggregateExpr::list("count, corr(x, y)")?;
    /// assert_eq!(all[1].output_name(), "corr(x, y)");
    /// # Ok::<(), keymill::Error>(())
    /// ```
    #[cfg(not(feature = "sql"))]
    pub fn list(text: &str) -> Result<Vec<Self>> {
        let calls = arguments_in(text).ok_or_else(|| unreadable(text))?;
        calls.into_iter().map(str::parse).collect()
    }

    /// Returns how many columns the aggregate of a name takes at most. What is written after these are
    /// parameters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an unknown name.
    pub(crate) fn most_inputs(name: &str) -> Result<usize> {
        entry(name).map(|entry| entry.inputs.1)
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

    pub(crate) fn aggregate(&self) -> &Arc<dyn Aggregate> {
        &self.aggregate
    }

    /// Returns the name of the aggregate.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.aggregate.name()
    }

    /// Returns the columns that it takes.
    #[must_use]
    pub fn inputs(&self) -> &[Expr] {
        &self.inputs
    }
}

fn wrong_count(entry: &Entry, found: usize) -> Error {
    let Entry { name, usage, .. } = entry;
    let message = match found {
        0 => format!("`{name}` needs a column: `{usage}`"),
        1 => format!("`{name}` does not take 1 argument; write `{usage}`"),
        found => format!("`{name}` does not take {found} arguments; write `{usage}`"),
    };
    Error::new(ErrorKind::Config, message)
}

impl fmt::Display for AggregateExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs = self.inputs.iter().map(ToString::to_string);
        let arguments: Vec<String> = inputs.chain(self.aggregate.parameters()).collect();
        match arguments.is_empty() {
            true => write!(f, "{}(*)", self.aggregate.name()),
            false => write!(f, "{}({})", self.aggregate.name(), arguments.join(", ")),
        }
    }
}

#[cfg(not(feature = "sql"))]
impl std::str::FromStr for AggregateExpr {
    type Err = Error;

    /// Parses `count`, `count(*)`, `sum(column)`, `quantile(column, 0.9)` and so on.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let (name, arguments) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, "*")) => (name, Vec::new()),
            Some((name, list)) => (name, arguments_in(list).ok_or_else(|| unreadable(text))?),
            None if text.contains(['(', ')']) => return Err(unreadable(text)),
            None => (text, Vec::new()),
        };
        let inputs = Self::most_inputs(name)?.min(arguments.len());
        let (inputs, parameters) = arguments.split_at(inputs);
        let inputs: Vec<Expr> = inputs.iter().map(|&input| Expr::from(input)).collect();
        let parameters: Vec<String> = parameters.iter().map(|text| unquoted(text)).collect();
        Self::by_name(name, inputs, parameters)
    }
}

#[cfg(not(feature = "sql"))]
/// Splits a list at the commas that are not in parentheses or quotes; `None` if an argument is empty or
/// a parenthesis or quote has no partner.
fn arguments_in(list: &str) -> Option<Vec<&str>> {
    let (mut arguments, mut first) = (Vec::new(), 0);
    let (mut depth, mut quote) = (0usize, None);
    for (at, letter) in list.char_indices() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(letter),
            ('(', None) => depth += 1,
            (')', None) => depth = depth.checked_sub(1)?,
            (',', None) if depth == 0 => {
                arguments.push(list[first..at].trim());
                first = at + 1;
            }
            _ => {}
        }
    }
    arguments.push(list[first..].trim());
    let is_whole = depth == 0 && quote.is_none() && arguments.iter().all(|it| !it.is_empty());
    is_whole.then_some(arguments)
}

#[cfg(not(feature = "sql"))]
/// Removes the quotes of a text in single quotes. Two quotes inside it stand for one.
fn unquoted(text: &str) -> String {
    let inside = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    inside.map_or(text.to_owned(), |inside| inside.replace("''", "'"))
}

/// Puts a text in single quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(not(feature = "sql"))]
fn unreadable(text: &str) -> Error {
    let message = format!(
        "`{text}` is not an aggregate; write `count`, `sum(column)`, `quantile(column, 0.9)` and so on"
    );
    Error::new(ErrorKind::Config, message)
}
