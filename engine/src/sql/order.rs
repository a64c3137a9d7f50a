//! `ORDER BY` and `HAVING`: expressions over the columns of the table, of the result, and aggregates.

use sqlparser::ast;

use super::columns::{GroupColumns, TableColumns};
use super::plan::Output;
use super::{Statement, refused};
use crate::Result;
use crate::aggregate::AggregateExpr;
use crate::expr::Expr;
use crate::expr::parse::{Names, read};
use crate::operator::arrange::SortBy;

impl Statement {
    /// What to sort by, over the columns of the table, with aggregates as columns.
    pub(super) fn order(
        &self,
        columns: &mut TableColumns<'_>,
        aggregates: &mut Vec<AggregateExpr>,
        outputs: &[Output],
    ) -> Result<Vec<SortBy>> {
        let mut order = Vec::new();
        for by in &self.order {
            if by.with_fill.is_some() {
                return Err(refused(by, "WITH FILL does not work"));
            }
            let expr = match (position(&by.expr, outputs)?, &by.expr) {
                (Some(output), _) => output.expr.clone(),
                (None, ast::Expr::Identifier(name)) if of_name(name, outputs).is_some() => {
                    let output = of_name(name, outputs).expect("it was just found");
                    output.expr.clone()
                }
                _ => over_outputs(&by.expr, columns, aggregates, outputs)?,
            };
            order.push(SortBy {
                by: expr,
                descending: by.options.asc == Some(false),
                nulls_first: by.options.nulls_first.unwrap_or(false),
            });
        }
        Ok(order)
    }
}

/// The column of the result with a number, counted from 1.
pub(super) fn position<'a>(ast: &ast::Expr, outputs: &'a [Output]) -> Result<Option<&'a Output>> {
    let ast::Expr::Value(value) = ast else {
        return Ok(None);
    };
    let ast::Value::Number(digits, _) = &value.value else {
        return Ok(None);
    };
    let number: Option<usize> = digits.parse().ok();
    let output = number.and_then(|number| outputs.get(number.checked_sub(1)?));
    match output {
        Some(output) => Ok(Some(output)),
        None => {
            let why = format!("the result has the columns 1 to {}", outputs.len());
            Err(refused(ast, why))
        }
    }
}

/// The column of the result with a name.
pub(super) fn of_name<'a>(name: &ast::Ident, outputs: &'a [Output]) -> Option<&'a Output> {
    let exact = outputs.iter().find(|output| output.name == name.value);
    let similar = || {
        let mut all = outputs.iter();
        all.find(|output| output.name.eq_ignore_ascii_case(&name.value))
    };
    match name.quote_style {
        None => exact.or_else(similar),
        Some(_) => exact,
    }
}

/// An expression over the columns of the table, names of the result, and aggregates.
pub(super) fn over_outputs(
    ast: &ast::Expr,
    columns: &mut TableColumns<'_>,
    aggregates: &mut Vec<AggregateExpr>,
    outputs: &[Output],
) -> Result<Expr> {
    let groups = GroupColumns {
        table: columns,
        aggregates,
    };
    read(ast, &mut OutputColumns { groups, outputs })
}

/// The columns of the table; where it has none of a name, those of the result.
struct OutputColumns<'a, 'b> {
    groups: GroupColumns<'a, 'b>,
    outputs: &'a [Output],
}

impl Names for OutputColumns<'_, '_> {
    fn column(&mut self, name: &ast::Ident) -> Result<Expr> {
        match (self.groups.table.find(name), of_name(name, self.outputs)) {
            (None, Some(output)) => Ok(output.expr.clone()),
            _ => self.groups.column(name),
        }
    }

    fn qualified(&mut self, parts: &[ast::Ident]) -> Result<Expr> {
        self.groups.qualified(parts)
    }

    fn call(&mut self, call: &ast::Function) -> Result<Option<Expr>> {
        self.groups.call(call)
    }
}
