//! Calls of functions.

use sqlparser::ast::{self, CeilFloorKind, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::{Reader, unreadable, unsupported};
use crate::Result;
use crate::expr::build::call;
use crate::expr::node::{Function, Node, Pattern};
use crate::expr::{Expr, lit};

/// Other names of functions.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("char_length", "length"),
    ("character_length", "length"),
    ("len", "length"),
    ("lcase", "lower"),
    ("ucase", "upper"),
    ("substring", "substr"),
    ("ifnull", "coalesce"),
    ("nvl", "coalesce"),
    ("ceiling", "ceil"),
    ("datepart", "date_part"),
    ("datetrunc", "date_trunc"),
    ("btrim", "trim"),
];

/// Functions whose name is the part of a date.
const DATE_PARTS: [&str; 9] = [
    "year", "quarter", "month", "week", "day", "hour", "minute", "second", "epoch",
];

impl Reader<'_> {
    pub(super) fn function(&mut self, function: &ast::Function) -> Result<Expr> {
        let name = function.name.to_string().to_lowercase();
        if has_clauses(function) {
            let why = "DISTINCT and FILTER are for aggregates";
            return Err(unreadable(&function.to_string(), why));
        }
        let arguments = plain_arguments(function)?;
        let arguments = arguments.into_iter().map(|one| self.read(one));
        let mut arguments = arguments.collect::<Result<Vec<_>>>()?;
        if DATE_PARTS.contains(&name.as_str()) && arguments.len() == 1 {
            return Ok(arguments.remove(0).date_part(name));
        }
        if matches!(name.as_str(), "regexp_like" | "regexp_matches") && arguments.len() == 2 {
            let pattern = arguments.remove(1).into();
            return Ok(Expr(Node::Match(
                Pattern::Regex,
                arguments.remove(0).into(),
                pattern,
            )));
        }
        let mut others = OTHER_NAMES.iter();
        let known = others.find(|row| row.0 == name).map_or(&*name, |row| row.1);
        match Function::ALL.iter().find(|row| row.0 == known) {
            Some((_, function, ..)) => Ok(call(*function, arguments)),
            None => Err(unreadable(
                &function.to_string(),
                &format!("there is no function `{name}`; there are {}", names()),
            )),
        }
    }

    /// Calls with a grammar of their own: `extract(year FROM day)`.
    pub(super) fn special_call(&mut self, ast: &ast::Expr) -> Result<Expr> {
        match ast {
            ast::Expr::Extract { field, expr, .. } => {
                let part = field.to_string().to_lowercase();
                Ok(self.read(expr)?.date_part(part.trim_matches('\'')))
            }
            ast::Expr::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let first = match substring_from {
                    Some(first) => self.read(first)?,
                    None => lit(1),
                };
                let mut arguments = vec![self.read(expr)?, first];
                if let Some(count) = substring_for {
                    arguments.push(self.read(count)?);
                }
                Ok(call(Function::Substr, arguments))
            }
            ast::Expr::Trim {
                expr,
                trim_where,
                trim_what,
                trim_characters,
            } => {
                let function = match trim_where {
                    Some(ast::TrimWhereField::Leading) => Function::TrimStart,
                    Some(ast::TrimWhereField::Trailing) => Function::TrimEnd,
                    _ => Function::Trim,
                };
                let chars = trim_characters.iter().flatten().chain(trim_what.as_deref());
                let mut arguments = vec![self.read(expr)?];
                for chars in chars {
                    arguments.push(self.read(chars)?);
                }
                Ok(call(function, arguments))
            }
            ast::Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => Ok(call(Function::Floor, [self.read(expr)?])),
            ast::Expr::Ceil {
                expr,
                field: CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => Ok(call(Function::Ceil, [self.read(expr)?])),
            other => Err(unsupported(other)),
        }
    }
}

fn has_clauses(function: &ast::Function) -> bool {
    let distinct = match &function.args {
        FunctionArguments::List(list) => list.duplicate_treatment.is_some(),
        _ => false,
    };
    distinct || function.filter.is_some()
}

/// The arguments of a call; it may have `DISTINCT` and `FILTER`, but no other clause.
pub(crate) fn plain_arguments(function: &ast::Function) -> Result<Vec<&ast::Expr>> {
    let refused = |why: &str| Err(unreadable(&function.to_string(), why));
    if function.over.is_some() {
        return refused("window functions (OVER) are not supported; group by columns instead");
    }
    if !function.within_group.is_empty() {
        return refused("WITHIN GROUP is not supported; write quantile(x, 0.9)");
    }
    let list = match &function.args {
        FunctionArguments::None => return Ok(Vec::new()),
        FunctionArguments::Subquery(_) => return refused("subqueries are not supported"),
        FunctionArguments::List(list) => list,
    };
    if !list.clauses.is_empty() {
        return refused("clauses inside of a call are not supported");
    }
    let arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        other => Err(unreadable(
            &other.to_string(),
            "an argument is an expression, without a name",
        )),
    });
    arguments.collect()
}

/// The names of all functions.
fn names() -> String {
    let names = Function::ALL.iter().map(|row| row.0);
    names.collect::<Vec<_>>().join(", ")
}
