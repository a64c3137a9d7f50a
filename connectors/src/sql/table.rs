//! The table of a sink, and the statements that any database understands.
#![forbid(unsafe_code)]

use keymill::stream::{OutputMode, SinkContext};
use keymill::{Error, ErrorKind, Result};

use super::SqlColumn;

/// The table in which sinks note their last epochs.
pub(crate) const EPOCHS: &str = "keymill_epochs";

/// The table of a sink.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<SqlColumn>,
    /// Whether a point in the name is after the name of a schema.
    pub(crate) has_schema: bool,
    /// How many of the first columns are the key.
    pub(crate) key_columns: usize,
    /// Whether a row replaces the row with the same key.
    pub(crate) is_keyed: bool,
}

impl Table {
    pub(crate) fn new(name: &str, has_schema: bool, context: &SinkContext) -> Result<Self> {
        let fields = context.schema.fields().iter();
        let columns = fields.map(|field| SqlColumn::of(field));
        let table = Self {
            name: name.to_owned(),
            has_schema,
            columns: columns.collect::<Result<_>>()?,
            key_columns: context.key_columns,
            is_keyed: context.mode != OutputMode::Append,
        };
        if name.is_empty() || name == EPOCHS {
            let message = format!("`{name}` cannot be the table of a sink; choose another name");
            return Err(Error::new(ErrorKind::Config, message));
        }
        if table.is_keyed && table.key_columns == 0 {
            let message = format!(
                "table `{name}`: rows without a key column can only be added; use the mode `append`"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(table)
    }

    pub(crate) fn keys(&self) -> &[SqlColumn] {
        &self.columns[..self.key_columns]
    }

    pub(crate) fn values(&self) -> &[SqlColumn] {
        &self.columns[self.key_columns..]
    }

    /// The schema, if it is named, and the name.
    pub(crate) fn parts(&self) -> (Option<&str>, &str) {
        match self.name.split_once('.') {
            Some((schema, name)) if self.has_schema => (Some(schema), name),
            _ => (None, &self.name),
        }
    }

    /// The name in quotes.
    pub(crate) fn quoted(&self) -> String {
        match self.parts() {
            (Some(schema), name) => format!("{}.{}", quoted(schema), quoted(name)),
            (None, name) => quoted(name),
        }
    }

    /// The name of the index that makes the key unique.
    pub(crate) fn index_name(&self) -> String {
        format!("keymill_key_of_{}", self.parts().1)
    }

    /// The statement that creates the table. `type_name` names a column's type.
    pub(crate) fn create(&self, type_name: impl Fn(&SqlColumn) -> &'static str) -> String {
        let columns = self.columns.iter();
        let columns = list(columns.map(|it| format!("{} {}", quoted(&it.name), type_name(it))));
        format!("CREATE TABLE {} ({columns})", self.quoted())
    }

    /// The statement that makes the key unique. `ending` is what the database needs at its end.
    pub(crate) fn create_index(&self, ending: &str) -> String {
        let name = quoted(&self.index_name());
        let keys = list(self.keys().iter().map(|it| quoted(&it.name)));
        let table = self.quoted();
        format!("CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {table} ({keys}){ending}")
    }

    /// The names of all columns in quotes.
    pub(crate) fn column_list(&self) -> String {
        list(self.columns.iter().map(|it| quoted(&it.name)))
    }

    /// Checks that a table that is there has these columns. `found` has names and types;
    /// `same_type` compares a column of results with a type.
    pub(crate) fn check(
        &self,
        found: &[(String, String)],
        type_name: impl Fn(&SqlColumn) -> &'static str,
        same_type: impl Fn(&SqlColumn, &str) -> bool,
    ) -> Result<()> {
        let fits = |column: &SqlColumn| {
            let mut same = found.iter().filter(|(name, _)| *name == column.name);
            same.any(|(_, of)| same_type(column, of))
        };
        if found.len() == self.columns.len() && self.columns.iter().all(fits) {
            return Ok(());
        }
        let found = list(found.iter().map(|(name, of)| format!("{name} {of}")));
        let columns = self.columns.iter();
        let wanted = list(columns.map(|it| format!("{} {}", it.name, type_name(it))));
        let message = format!(
            "table `{}` has other columns than the results: it has ({found}), and the results have \
             ({wanted}); name another table, or drop this one",
            self.name
        );
        Err(Error::new(ErrorKind::Sink, message))
    }
}

/// A name in quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The items of a list, with commas.
pub(crate) fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
