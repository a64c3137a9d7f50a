//! Parses a `SELECT` over one table, and refuses by name what does not work.

use sqlparser::ast::{
    self, Distinct, GroupByExpr, LimitClause, OrderByExpr, OrderByKind, Query, Select, SetExpr,
    TableFactor,
};
use sqlparser::tokenizer::Token;

use super::refused;
use crate::Result;
use crate::expr::parse::{parser, parser_error};

const ONE_TABLE: &str = "a statement reads one table; run the other part first, and write its \
                         result to a file";

/// A `SELECT` over one table.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// The table as it is written: a path, a pattern, or `-`.
    pub(crate) table: String,
    pub(super) alias: Option<String>,
    pub(super) select: Select,
    pub(super) order: Vec<OrderByExpr>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

impl Statement {
    /// Parses a statement.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for a text that is not one `SELECT` over one table.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let query = one_query(text)?;
        check_query(&query)?;
        let Query {
            body,
            order_by,
            limit_clause,
            ..
        } = query;
        let select = match *body {
            SetExpr::Select(select) => *select,
            SetExpr::SetOperation { op, .. } => {
                return Err(refused(
                    op,
                    format!("set operations do not work: {ONE_TABLE}"),
                ));
            }
            other => return Err(refused(other, "write a SELECT … FROM 'file'")),
        };
        check_select(&select)?;
        let (table, alias) = table(&select)?;
        let (limit, offset) = limits(limit_clause)?;
        let order = match order_by.map(|order| order.kind) {
            None => Vec::new(),
            Some(OrderByKind::Expressions(order)) => order,
            Some(OrderByKind::All(_)) => {
                return Err(refused("ORDER BY ALL", "name the columns to order by"));
            }
        };
        Ok(Self {
            table,
            alias,
            select,
            order,
            limit,
            offset,
        })
    }
}

fn one_query(text: &str) -> Result<Query> {
    let failed = |error| parser_error(text, error);
    let mut parser = parser(text)?;
    let first = parser.peek_token();
    let statement = parser.parse_statement().map_err(failed)?;
    while parser.consume_token(&Token::SemiColon) {}
    if parser.peek_token().token != Token::EOF {
        let next = parser.peek_token().token;
        return Err(refused(next, "this is not expected here; write one SELECT"));
    }
    match statement {
        ast::Statement::Query(query) => Ok(*query),
        _ => Err(refused(
            first,
            "only SELECT works: files are read and never changed",
        )),
    }
}

fn check_query(query: &Query) -> Result<()> {
    if query.with.is_some() {
        return Err(refused(
            "WITH",
            format!("common tables do not work: {ONE_TABLE}"),
        ));
    }
    if query.fetch.is_some() {
        return Err(refused("FETCH", "write LIMIT 10 instead"));
    }
    let known = Query {
        order_by: query.order_by.clone(),
        limit_clause: query.limit_clause.clone(),
        ..plain(query.body.clone())
    };
    match *query == known {
        true => Ok(()),
        false => Err(refused(query, "a clause of this statement does not work")),
    }
}

fn plain(body: Box<SetExpr>) -> Query {
    Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn check_select(select: &Select) -> Result<()> {
    const GROUPS: &str = "group by columns instead; window functions do not work";
    let named = [
        (
            select.top.is_some(),
            "TOP",
            "write LIMIT 10 at the end instead",
        ),
        (
            select.into.is_some(),
            "INTO",
            "write the result to a file with -o",
        ),
        (select.qualify.is_some(), "QUALIFY", GROUPS),
        (!select.named_window.is_empty(), "WINDOW", GROUPS),
        (
            matches!(select.distinct, Some(Distinct::On(_))),
            "DISTINCT ON",
            "write DISTINCT, or GROUP BY with min and max",
        ),
        (
            !select.lateral_views.is_empty(),
            "LATERAL VIEW",
            "nested values are not unpacked",
        ),
    ];
    if let Some((_, part, why)) = named.into_iter().find(|row| row.0) {
        return Err(refused(part, why));
    }
    let group_by = match &select.group_by {
        GroupByExpr::Expressions(_, modifiers) | GroupByExpr::All(modifiers) => modifiers,
    };
    if let Some(modifier) = group_by.first() {
        return Err(refused(
            modifier,
            "run one statement for each set of columns",
        ));
    }
    let known = Select {
        optimizer_hints: Vec::new(),
        select_modifiers: None,
        exclude: None,
        prewhere: None,
        connect_by: Vec::new(),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        value_table_mode: None,
        ..select.clone()
    };
    match *select == known {
        true => Ok(()),
        false => Err(refused(select, "a clause of this statement does not work")),
    }
}

/// The one table, and its other name.
fn table(select: &Select) -> Result<(String, Option<String>)> {
    let from = match &select.from[..] {
        [] => return Err(refused(select, "the table is missing: add FROM 'file.csv'")),
        [from] => from,
        [_, other, ..] => {
            let why = format!("joins do not work: {ONE_TABLE}");
            return Err(refused(other, why));
        }
    };
    if let Some(join) = from.joins.first() {
        let why = format!("joins do not work: {ONE_TABLE}");
        return Err(refused(join.to_string().trim(), why));
    }
    match &from.relation {
        TableFactor::Table {
            name,
            alias,
            args: None,
            version: None,
            sample: None,
            ..
        } => {
            let parts = name.0.iter().map(|part| match part.as_ident() {
                Some(ident) => Ok(ident.value.as_str()),
                None => Err(refused(name, "write the file in quotes: 'file.csv'")),
            });
            let path = parts.collect::<Result<Vec<_>>>()?.join(".");
            if let Some(named) = alias.as_ref().filter(|alias| !alias.columns.is_empty()) {
                return Err(refused(named, "name the columns in SELECT: a AS x"));
            }
            let alias = alias.as_ref().map(|alias| alias.name.value.clone());
            Ok((path, alias))
        }
        TableFactor::Derived { .. } => {
            let why = format!("subqueries do not work: {ONE_TABLE}");
            Err(refused(&from.relation, why))
        }
        TableFactor::Table { args: None, .. } => {
            let why = "only another name for the table may follow it";
            Err(refused(&from.relation, why))
        }
        other => Err(refused(other, "write the file in quotes: FROM 'file.csv'")),
    }
}

/// The number of rows, and of first rows that are left out.
fn limits(clause: Option<LimitClause>) -> Result<(Option<usize>, usize)> {
    match clause {
        None => Ok((None, 0)),
        Some(LimitClause::LimitOffset {
            limit,
            offset,
            limit_by,
        }) => {
            if !limit_by.is_empty() {
                return Err(refused("LIMIT … BY", "write LIMIT 10"));
            }
            let limit = limit.as_ref().map(count).transpose()?;
            let offset = offset.as_ref().map(|offset| count(&offset.value));
            Ok((limit, offset.transpose()?.unwrap_or(0)))
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
            Ok((Some(count(&limit)?), count(&offset)?))
        }
    }
}

fn count(ast: &ast::Expr) -> Result<usize> {
    let digits = match ast {
        ast::Expr::Value(value) => value.to_string(),
        _ => String::new(),
    };
    let why = "LIMIT and OFFSET take a number of rows, such as 10";
    digits.parse().map_err(|_| refused(ast, why))
}
