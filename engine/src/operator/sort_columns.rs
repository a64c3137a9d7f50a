//! Finds the columns that the rows of a result are sorted by.

use arrow_schema::SchemaRef;

use super::arrange::{Arrangement, Ties};
use crate::Result;
use crate::expr::{Bound, Expr, col};
use crate::sort::SortKey;

/// The selected columns, after them those that are only sorted by, and the keys of the sort.
pub(super) struct SortColumns {
    exprs: Vec<Expr>,
    pub(super) bound: Vec<Bound>,
    pub(super) keys: Vec<SortKey>,
}

impl SortColumns {
    /// # Errors
    ///
    /// [`crate::ErrorKind::Config`] for expressions that `input` does not have.
    pub(super) fn of(
        arrangement: &Arrangement,
        selected: Vec<Expr>,
        input: &SchemaRef,
    ) -> Result<Self> {
        let bound = selected.iter().map(|expr| expr.bind(input));
        let mut columns = Self {
            bound: bound.collect::<Result<_>>()?,
            exprs: selected,
            keys: Vec::new(),
        };
        if arrangement.order.is_empty() {
            return Ok(columns);
        }
        for by in &arrangement.order {
            let column = columns.column_of(&by.by, input)?;
            columns.add(SortKey {
                column,
                descending: by.descending,
                nulls_first: by.nulls_first,
            });
        }
        if let Ties::FirstColumns(count) = arrangement.ties {
            for field in input.fields().iter().take(count) {
                let column = columns.column_of(&col(field.name()), input)?;
                columns.add(SortKey::ascending(column));
            }
        }
        Ok(columns)
    }

    /// Returns the column with these values, which is appended if it is not selected.
    fn column_of(&mut self, by: &Expr, input: &SchemaRef) -> Result<usize> {
        let by = by.unaliased();
        if let Some(column) = self.exprs.iter().position(|expr| expr.unaliased() == by) {
            return Ok(column);
        }
        self.bound.push(by.bind(input)?);
        self.exprs.push(by.clone());
        Ok(self.exprs.len() - 1)
    }

    /// Rows that are equal in a key are equal in a later key of the same column.
    fn add(&mut self, key: SortKey) {
        if self.keys.iter().all(|other| other.column != key.column) {
            self.keys.push(key);
        }
    }
}
