//! What names and calls in a statement stand for.

use arrow_schema::Schema;
use sqlparser::ast;

use super::refused;
use crate::Result;
use crate::aggregate::AggregateExpr;
use crate::expr::parse::Names;
use crate::expr::{Expr, col, column_names};

/// The columns of the table.
pub(super) struct TableColumns<'a> {
    pub(super) schema: &'a Schema,
    /// The names that may stand in front of a column: of the table, and its alias.
    pub(super) tables: Vec<String>,
}

impl TableColumns<'_> {
    /// The column of a name. Without quotes, upper and lower case are the same if that is clear.
    pub(super) fn find(&self, name: &ast::Ident) -> Option<&str> {
        let names = || {
            self.schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
        };
        if let Some(found) = names().find(|found| *found == name.value) {
            return Some(found);
        }
        let mut similar = names().filter(|found| found.eq_ignore_ascii_case(&name.value));
        match (name.quote_style, similar.next(), similar.next()) {
            (None, Some(found), None) => Some(found),
            _ => None,
        }
    }
}

impl Names for TableColumns<'_> {
    fn column(&mut self, name: &ast::Ident) -> Result<Expr> {
        if let Some(found) = self.find(name) {
            return Ok(col(found));
        }
        let hint = match name.quote_style {
            Some(_) => "; texts are written in single quotes",
            None => "",
        };
        let names = column_names(self.schema);
        let why = format!("there is no such column{hint}; the columns are: {names}");
        Err(refused(name, why))
    }

    fn qualified(&mut self, parts: &[ast::Ident]) -> Result<Expr> {
        match parts {
            [table, name]
                if self
                    .tables
                    .iter()
                    .any(|it| it.eq_ignore_ascii_case(&table.value)) =>
            {
                self.column(name)
            }
            [table, _] => {
                let tables = self.tables.join("`, `");
                Err(refused(
                    table,
                    format!("this is not the table; it is called `{tables}`"),
                ))
            }
            _ => Err(refused(
                ast::Expr::CompoundIdentifier(parts.to_vec()),
                "write the column's name alone",
            )),
        }
    }

    fn call(&mut self, call: &ast::Function) -> Result<Option<Expr>> {
        let why =
            "an aggregate stands in SELECT, HAVING or ORDER BY, and not inside of another one";
        match AggregateExpr::read(call, &mut Plain(self))? {
            Some(_) => Err(refused(call, why)),
            None => Ok(None),
        }
    }
}

/// The columns, to read an aggregate only to see that it is one.
struct Plain<'a, 'b>(&'a mut TableColumns<'b>);

impl Names for Plain<'_, '_> {
    fn column(&mut self, name: &ast::Ident) -> Result<Expr> {
        Ok(col(&name.value))
    }

    fn qualified(&mut self, parts: &[ast::Ident]) -> Result<Expr> {
        self.0.qualified(parts)
    }
}

/// The columns of the table, and aggregates, which become columns of the groups.
pub(super) struct GroupColumns<'a, 'b> {
    pub(super) table: &'a mut TableColumns<'b>,
    pub(super) aggregates: &'a mut Vec<AggregateExpr>,
}

impl Names for GroupColumns<'_, '_> {
    fn column(&mut self, name: &ast::Ident) -> Result<Expr> {
        self.table.column(name)
    }

    fn qualified(&mut self, parts: &[ast::Ident]) -> Result<Expr> {
        self.table.qualified(parts)
    }

    fn call(&mut self, call: &ast::Function) -> Result<Option<Expr>> {
        let Some(aggregate) = AggregateExpr::read(call, self.table)? else {
            return Ok(None);
        };
        let same = |known: &&AggregateExpr| known.to_string() == aggregate.to_string();
        if let Some(known) = self.aggregates.iter().find(same) {
            return Ok(Some(col(known.output_name())));
        }
        let name = self.unused_name(&aggregate.to_string());
        self.aggregates.push(aggregate.alias(&name));
        Ok(Some(col(name)))
    }
}

impl GroupColumns<'_, '_> {
    /// A name that no column of the table has.
    fn unused_name(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.table.schema.field_with_name(&name).is_ok() {
            name.push('\'');
        }
        name
    }
}
