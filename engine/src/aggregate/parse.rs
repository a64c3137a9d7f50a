//! Reads the textual form of aggregates: `sum(price * count) AS total`.

use std::str::FromStr;

use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::{AggregateExpr, entries};
use crate::expr::parse::call::plain_arguments;
use crate::expr::parse::{Columns, Names, named_list, read, unreadable};
use crate::expr::{lit, when};
use crate::{Error, Result};

impl FromStr for AggregateExpr {
    type Err = Error;

    /// Reads `count`, `count(*)`, `sum(column)`, `mean(price * 2) AS double` and so on.
    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::list(text)?;
        match all.len() {
            1 => Ok(all.remove(0)),
            _ => Err(unreadable(text, "these are several aggregates")),
        }
    }
}

impl AggregateExpr {
    /// Reads aggregates separated by commas: `count, sum(price) AS total`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a text that is not a list of aggregates.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::aggregate::AggregateExpr;
    ///
    /// let all = AggregateExpr::list("count, sum(price * count) AS total")?;
    /// assert_eq!(all[0].output_name(), "count(*)");
    /// assert_eq!(all[1].output_name(), "total");
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn list(text: &str) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for (ast, name) in named_list(text)? {
            let call = match &ast {
                ast::Expr::Identifier(name) => Self::by_name(&name.value, [], []).map(Some)?,
                ast::Expr::Function(call) => Self::read(call, &mut Columns)?,
                _ => None,
            };
            let call = call.ok_or_else(|| {
                let names = names().join(", ");
                let why = format!("write an aggregate, such as `sum(column)`; there are {names}");
                unreadable(&ast.to_string(), &why)
            })?;
            all.push(match name {
                Some(name) => call.alias(name),
                None => call,
            });
        }
        Ok(all)
    }

    /// The aggregate that a call stands for; `None` if there is no aggregate of that name.
    pub(crate) fn read(call: &ast::Function, columns: &mut dyn Names) -> Result<Option<Self>> {
        let name = call.name.to_string().to_lowercase();
        let name = match name.as_str() {
            "avg" => "mean",
            "variance" | "var_samp" => "var",
            "stddev_samp" => "stddev",
            "covar_samp" => "covar",
            name => name,
        };
        if !names().contains(&name) {
            return Ok(None);
        }
        let condition = call.filter.as_deref().map(|ast| read(ast, columns));
        let condition = condition.transpose()?;
        if is_of_rows(call) {
            // Counts the rows for which the condition is true.
            let inputs = condition.map(|condition| when(condition, lit(1)).end());
            let inputs: Vec<_> = inputs.into_iter().collect();
            return Self::by_name(name, inputs, []).map(Some);
        }
        let name = without_repeats(name, call)?;
        let mut arguments = plain_arguments(call)?.into_iter();
        let inputs = arguments.by_ref().take(Self::most_inputs(name)?);
        let inputs = inputs.map(|input| read(input, columns));
        let mut inputs = inputs.collect::<Result<Vec<_>>>()?;
        if let (Some(first), Some(condition)) = (inputs.first_mut(), condition) {
            // Every aggregate skips nulls.
            *first = when(condition, first.clone()).end();
        }
        let parameters: Vec<String> = arguments.map(parameter).collect();
        Self::by_name(name, inputs, parameters).map(Some)
    }
}

/// The aggregate of a call with `DISTINCT`.
fn without_repeats<'a>(name: &'a str, call: &ast::Function) -> Result<&'a str> {
    let FunctionArguments::List(list) = &call.args else {
        return Ok(name);
    };
    match (list.duplicate_treatment, name) {
        (Some(ast::DuplicateTreatment::Distinct), "count") => Ok("count_distinct"),
        (Some(ast::DuplicateTreatment::Distinct), name) if !IGNORES_REPEATS.contains(&name) => {
            let why = "DISTINCT is supported in count, min and max; write SELECT DISTINCT to a file first";
            Err(unreadable(&call.to_string(), why))
        }
        _ => Ok(name),
    }
}

/// Aggregates whose answer is the same without repeated values.
const IGNORES_REPEATS: [&str; 7] = [
    "min",
    "max",
    "any",
    "bit_and",
    "bit_or",
    "count_distinct",
    "approx_distinct",
];

/// A value after the columns, as text: that of a string is without its quotes.
fn parameter(argument: &ast::Expr) -> String {
    match argument {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => text.clone(),
            value => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// `count(*)` and `count()`.
fn is_of_rows(call: &ast::Function) -> bool {
    let FunctionArguments::List(list) = &call.args else {
        return false;
    };
    let every = FunctionArg::Unnamed(FunctionArgExpr::Wildcard);
    let distinct = Some(ast::DuplicateTreatment::Distinct);
    let plain = call.over.is_none() && list.duplicate_treatment != distinct;
    plain && (list.args.is_empty() || list.args == [every])
}

fn names() -> Vec<&'static str> {
    entries().map(|entry| entry.name).collect()
}
