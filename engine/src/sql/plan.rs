//! Makes a plan of a statement.

use arrow_schema::Schema;
use sqlparser::ast::{self, Distinct, GroupByExpr, SelectItem};

use super::columns::{GroupColumns, TableColumns};
use super::{Statement, refused};
use crate::Result;
use crate::aggregate::AggregateExpr;
use crate::expr::parse::{named, read};
use crate::expr::{Expr, col, lit};
use crate::operator::arrange::{Arrangement, SortBy};
use crate::state::ONE_GROUP;

/// What a statement does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Keeps the rows for which this is true.
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Body,
    /// Selects, orders and leaves out rows of the body.
    pub(crate) arrangement: Arrangement,
    pub(crate) limit: Option<usize>,
    /// What is done with the rows of this plan, to keep one of equal rows.
    pub(crate) then: Option<Box<Plan>>,
}

/// The rows that are arranged.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// The rows of the table.
    Rows,
    /// Groups of rows.
    Groups {
        keys: Vec<Expr>,
        aggregates: Vec<AggregateExpr>,
        /// Whether there is one group, even of no rows.
        one: bool,
    },
}

/// A column of the result.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) name: String,
    /// Over the columns of the table, with aggregates as columns.
    pub(super) expr: Expr,
}

impl Statement {
    /// The plan over the columns of the table.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for columns that do not exist, and for columns that are
    /// neither keys nor inside of an aggregate.
    pub(crate) fn plan(&self, schema: &Schema) -> Result<Plan> {
        let mut columns = TableColumns {
            schema,
            tables: self.table_names(),
        };
        let filter = self.select.selection.as_ref();
        let filter = filter.map(|it| read(it, &mut columns)).transpose()?;
        let mut aggregates = Vec::new();
        let outputs = self.outputs(&mut columns, &mut aggregates)?;
        let keys = self.keys(&mut columns, &outputs)?;
        let having = self.having(&mut columns, &mut aggregates, &outputs)?;
        let order = self.order(&mut columns, &mut aggregates, &outputs)?;
        let is_distinct = matches!(self.select.distinct, Some(Distinct::Distinct));
        let is_grouped = !keys.is_empty() || !aggregates.is_empty() || having.is_some();
        if !is_grouped {
            return Ok(match is_distinct {
                true => self.distinct(filter, outputs, order),
                false => self.rows(filter, outputs, order),
            });
        }
        let one = keys.is_empty();
        let keys = match one {
            true => vec![lit(true).alias(ONE_GROUP)],
            false => keys,
        };
        let grouped = Grouped {
            schema,
            keys: &keys,
            aggregates: &aggregates,
        };
        let selected = outputs
            .iter()
            .map(|output| Ok(grouped.over_groups(&output.expr)?.alias(&output.name)));
        let selected = selected.collect::<Result<Vec<_>>>()?;
        let having = having.map(|it| grouped.over_groups(&it)).transpose()?;
        let mut over_groups = Vec::new();
        for by in order {
            let by = SortBy {
                by: grouped.over_groups(&by.by)?,
                ..by
            };
            over_groups.push(by);
        }
        let keys = grouped.named_keys();
        let plan = Plan {
            filter,
            body: Body::Groups {
                keys,
                aggregates,
                one,
            },
            arrangement: Arrangement {
                having,
                select: Some(selected),
                order: over_groups,
                offset: self.offset,
                ..Arrangement::default()
            },
            limit: self.limit,
            then: None,
        };
        match is_distinct {
            true => self.distinct_groups(plan, outputs),
            false => Ok(plan),
        }
    }

    /// The names of the table: its alias, its path, and the stem of its file.
    fn table_names(&self) -> Vec<String> {
        let stem = std::path::Path::new(&self.table).file_stem();
        let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
        let all = self.alias.clone().into_iter().chain([self.table.clone()]);
        all.chain(stem).collect()
    }

    fn rows(&self, filter: Option<Expr>, outputs: Vec<Output>, order: Vec<SortBy>) -> Plan {
        let select = outputs.into_iter().map(|it| it.expr.alias(it.name));
        Plan {
            filter,
            body: Body::Rows,
            arrangement: Arrangement {
                select: Some(select.collect()),
                order,
                offset: self.offset,
                ..Arrangement::default()
            },
            limit: self.limit,
            then: None,
        }
    }

    /// `SELECT DISTINCT a, b` groups by `a` and `b`.
    fn distinct(&self, filter: Option<Expr>, outputs: Vec<Output>, order: Vec<SortBy>) -> Plan {
        let name = |expr: &Expr| {
            outputs
                .iter()
                .find(|it| it.expr == *expr)
                .map(|it| col(&it.name))
        };
        let order = order.into_iter().map(|by| SortBy {
            by: name(&by.by).unwrap_or(by.by),
            ..by
        });
        let order = order.collect();
        let select = outputs.iter().map(|it| col(&it.name)).collect();
        let keys = outputs.into_iter().map(|it| it.expr.alias(it.name));
        Plan {
            filter,
            body: Body::Groups {
                keys: keys.collect(),
                aggregates: Vec::new(),
                one: false,
            },
            arrangement: Arrangement {
                select: Some(select),
                order,
                offset: self.offset,
                ..Arrangement::default()
            },
            limit: self.limit,
            then: None,
        }
    }

    /// Keeps one of equal rows of a plan.
    fn distinct_groups(&self, mut plan: Plan, outputs: Vec<Output>) -> Result<Plan> {
        let selected = plan.arrangement.select.clone().unwrap_or_default();
        let mut order = Vec::new();
        for by in std::mem::take(&mut plan.arrangement.order) {
            let mut places = selected.iter().zip(&outputs);
            let Some((_, output)) = places.find(|(expr, _)| expr.unaliased() == &by.by) else {
                let why = "with DISTINCT, order by selected columns";
                return Err(refused(&by.by, why));
            };
            order.push(SortBy {
                by: col(&output.name),
                ..by
            });
        }
        let columns = outputs.into_iter().map(|output| Output {
            expr: col(&output.name),
            name: output.name,
        });
        plan.limit = None;
        plan.arrangement.offset = 0;
        let then = self.distinct(None, columns.collect(), order);
        plan.then = Some(Box::new(then));
        Ok(plan)
    }

    fn outputs(
        &self,
        columns: &mut TableColumns<'_>,
        aggregates: &mut Vec<AggregateExpr>,
    ) -> Result<Vec<Output>> {
        let mut outputs: Vec<Output> = Vec::new();
        for item in &self.select.projection {
            let (ast, name) = match item {
                SelectItem::UnnamedExpr(ast) => (ast, None),
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.clone())),
                SelectItem::Wildcard(options) if is_plain(options) => {
                    let names = columns.schema.fields().iter().map(|field| field.name());
                    outputs.extend(names.map(|name| Output {
                        name: name.clone(),
                        expr: col(name),
                    }));
                    continue;
                }
                other => return Err(refused(other, "write * or name the columns")),
            };
            let expr = read(
                ast,
                &mut GroupColumns {
                    table: &mut *columns,
                    aggregates: &mut *aggregates,
                },
            )?;
            let name = name.unwrap_or_else(|| match expr.as_column() {
                Some(column) if !matches!(ast, ast::Expr::Function(_)) => column.to_owned(),
                _ => ast.to_string(),
            });
            outputs.push(Output { name, expr });
        }
        distinct_names(&mut outputs);
        Ok(outputs)
    }

    /// The expressions of `GROUP BY`: of columns, positions or names of the result.
    fn keys(&self, columns: &mut TableColumns<'_>, outputs: &[Output]) -> Result<Vec<Expr>> {
        let asts = match &self.select.group_by {
            GroupByExpr::Expressions(asts, _) => asts,
            GroupByExpr::All(_) => {
                return Err(refused("GROUP BY ALL", "name the columns to group by"));
            }
        };
        let mut keys: Vec<Expr> = Vec::new();
        for ast in asts {
            let expr = match (super::order::position(ast, outputs)?, ast) {
                (Some(output), _) => output.expr.clone(),
                (None, ast::Expr::Identifier(name)) if columns.find(name).is_none() => {
                    match super::order::of_name(name, outputs) {
                        Some(output) => output.expr.clone(),
                        None => read(ast, columns)?,
                    }
                }
                _ => read(ast, columns)?,
            };
            if !keys.contains(&expr) {
                keys.push(expr);
            }
        }
        Ok(keys)
    }

    fn having(
        &self,
        columns: &mut TableColumns<'_>,
        aggregates: &mut Vec<AggregateExpr>,
        outputs: &[Output],
    ) -> Result<Option<Expr>> {
        let Some(ast) = &self.select.having else {
            return Ok(None);
        };
        super::order::over_outputs(ast, columns, aggregates, outputs).map(Some)
    }
}

fn is_plain(options: &ast::WildcardAdditionalOptions) -> bool {
    let ast::WildcardAdditionalOptions {
        opt_ilike: None,
        opt_exclude: None,
        opt_except: None,
        opt_replace: None,
        opt_rename: None,
        opt_alias: None,
        ..
    } = options
    else {
        return false;
    };
    true
}

/// Adds a number to a name that occurs again.
fn distinct_names(outputs: &mut [Output]) {
    let mut used = std::collections::HashSet::new();
    for output in outputs {
        let (first, mut number) = (output.name.clone(), 0);
        while !used.insert(output.name.clone()) {
            number += 1;
            output.name = format!("{first}_{number}");
        }
    }
}

/// The groups of a statement.
struct Grouped<'a> {
    schema: &'a Schema,
    keys: &'a [Expr],
    aggregates: &'a [AggregateExpr],
}

impl Grouped<'_> {
    /// An expression over the columns of the groups, from one over the columns of the table.
    fn over_groups(&self, expr: &Expr) -> Result<Expr> {
        let replaced = expr.clone().replaced(&mut |part| {
            let position = self.keys.iter().position(|key| key == part)?;
            Some(col(self.key_name(position)))
        });
        let mut wrong = None;
        replaced.each_column(&mut |name| {
            let is_key = (0..self.keys.len()).any(|number| self.key_name(number) == name);
            let is_answer = self.aggregates.iter().any(|it| it.output_name() == name);
            if !is_key && !is_answer {
                wrong = Some(name.to_owned());
            }
        });
        match wrong {
            None => Ok(replaced),
            Some(name) => {
                let why = "this column is not in GROUP BY: add it there, or put it inside of an \
                           aggregate such as min";
                Err(refused(named(&name), why))
            }
        }
    }

    /// The name of a key among the groups. It is never that of a column of the table, unless it is that
    /// column.
    fn key_name(&self, number: usize) -> String {
        let key = &self.keys[number];
        let mut name = key.output_name();
        if key.as_column().is_none() {
            let is_taken = |name: &str| {
                self.schema.field_with_name(name).is_ok()
                    || self.aggregates.iter().any(|it| it.output_name() == name)
            };
            while is_taken(&name) {
                name.push('\'');
            }
        }
        name
    }

    fn named_keys(&self) -> Vec<Expr> {
        let keys = self.keys.iter().cloned().enumerate();
        keys.map(|(number, key)| match key.as_column() {
            Some(_) => key,
            None => key.alias(self.key_name(number)),
        })
        .collect()
    }
}
