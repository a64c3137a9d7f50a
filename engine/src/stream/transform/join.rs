//! Joins rows with a table that does not change.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::take;

use super::{BoundTransform, RowTransform};
use crate::expr::without_dictionary;
use crate::{Error, ErrorKind, Result};

/// Which rows a join gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinKind {
    /// The rows whose key is in the table.
    Inner,
    /// All rows; those whose key is not in the table have null in its columns.
    Left,
}

impl fmt::Display for JoinKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Inner => "join",
            Self::Left => "left join",
        })
    }
}

/// A table in memory that rows of a stream are joined with.
#[derive(Clone, Debug)]
pub struct StaticTable {
    name: String,
    batch: RecordBatch,
}

impl StaticTable {
    /// Creates a table from batches of one schema.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without a batch, and for batches of different columns.
    pub fn new(name: impl Into<String>, batches: &[RecordBatch]) -> Result<Self> {
        let name = name.into();
        let Some(first) = batches.first() else {
            let message = format!("the table `{name}` has no batch, so its columns are unknown");
            return Err(Error::new(ErrorKind::Config, message));
        };
        let batch = concat_batches(&first.schema(), batches).map_err(|cause| {
            let message = format!("the batches of the table `{name}` do not fit together");
            Error::new(ErrorKind::Config, message).with_source(cause)
        })?;
        Ok(Self { name, batch })
    }

    fn column(&self, name: &str) -> Result<ArrayRef> {
        let column = self.batch.column_by_name(name).ok_or_else(|| {
            let message = format!("the table `{}` has no column `{name}`", self.name);
            Error::new(ErrorKind::Config, message)
        });
        without_dictionary(column?)
    }
}

/// A join by columns that must be equal. Null is equal to nothing.
pub(crate) struct Join {
    pub(crate) table: StaticTable,
    pub(crate) kind: JoinKind,
    /// A column of the stream, and one of the table.
    pub(crate) on: Vec<(String, String)>,
}

impl RowTransform for Join {
    fn describe(&self) -> String {
        let on = self.on.iter().map(|(stream, table)| match stream == table {
            true => stream.clone(),
            false => format!("{stream} = {table}"),
        });
        let on = on.collect::<Vec<_>>().join(", ");
        format!("{} with {} on {on}", self.kind, self.table.name)
    }

    fn bind(self: Box<Self>, input: &SchemaRef) -> Result<BoundTransform> {
        if self.on.is_empty() {
            let message = "a join needs a column: name those that must be equal";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut places = Vec::new();
        let mut keys = Vec::new();
        for (stream, table) in &self.on {
            let place = input.index_of(stream).map_err(|_| {
                let names = crate::expr::column_names(input);
                let message = format!("there is no column `{stream}`; the columns are: {names}");
                Error::new(ErrorKind::Config, message)
            })?;
            let of = value_type(input.field(place).data_type());
            keys.push(self.of_type(&self.table.column(table)?, of, table)?);
            places.push(place);
        }
        let added = self.added_columns();
        let schema = self.schema(input, &added)?;
        let lookup = Lookup::new(&keys)?;
        let columns = added.iter().map(|&column| self.table.batch.column(column));
        let columns: Vec<ArrayRef> = columns.cloned().collect();
        let (kind, joined) = (self.kind, schema.clone());
        let apply = move |batch: &RecordBatch| {
            let keys = places
                .iter()
                .map(|&place| without_dictionary(batch.column(place)));
            let (left, right) = lookup.rows(&keys.collect::<Result<Vec<_>>>()?, kind)?;
            let left = batch
                .columns()
                .iter()
                .map(|column| take(column, &left, None));
            let right = columns.iter().map(|column| take(column, &right, None));
            let columns = left.chain(right).collect::<std::result::Result<_, _>>();
            let columns = columns.map_err(cannot_join)?;
            RecordBatch::try_new(joined.clone(), columns).map_err(cannot_join)
        };
        Ok(BoundTransform {
            schema,
            apply: Arc::new(apply),
        })
    }
}

impl Join {
    /// The columns of the table that are not compared.
    fn added_columns(&self) -> Vec<usize> {
        let schema = self.table.batch.schema();
        let is_key = |name: &String| self.on.iter().any(|(_, table)| table == name);
        let fields = schema.fields().iter().enumerate();
        fields
            .filter(|(_, field)| !is_key(field.name()))
            .map(|(place, _)| place)
            .collect()
    }

    fn schema(&self, input: &SchemaRef, added: &[usize]) -> Result<SchemaRef> {
        let table = self.table.batch.schema();
        let mut fields = input.fields().to_vec();
        for &column in added {
            let field = table.field(column);
            if input.field_with_name(field.name()).is_ok() {
                let message = format!(
                    "the stream and the table `{}` both have a column `{}`; rename one of them",
                    self.table.name,
                    field.name()
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
            fields.push(Arc::new(field.clone().with_nullable(true)));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// A key column of the table, with the type of the stream's column.
    fn of_type(&self, column: &ArrayRef, of: &DataType, name: &str) -> Result<ArrayRef> {
        if column.data_type() == of {
            return Ok(column.clone());
        }
        let is_same_kind = |is: fn(&DataType) -> bool| is(of) && is(column.data_type());
        let is_text = |of: &DataType| of.is_string();
        if is_same_kind(DataType::is_integer) || is_same_kind(is_text) {
            let options = arrow_cast::CastOptions {
                safe: false,
                ..arrow_cast::CastOptions::default()
            };
            if let Ok(column) = arrow_cast::cast_with_options(column, of, &options) {
                return Ok(column);
            }
        }
        let message = format!(
            "the column `{name}` of the table `{}` is {}, and the stream's column is {of}; give them \
             one type",
            self.table.name,
            column.data_type()
        );
        Err(Error::new(ErrorKind::Config, message))
    }
}

fn value_type(of: &DataType) -> &DataType {
    match of {
        DataType::Dictionary(_, of) => of,
        of => of,
    }
}

/// The rows of a table by their keys.
struct Lookup {
    converter: RowConverter,
    rows: HashMap<Box<[u8]>, Vec<u32>>,
}

impl Lookup {
    fn new(keys: &[ArrayRef]) -> Result<Self> {
        let fields = keys
            .iter()
            .map(|key| SortField::new(key.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(cannot_join)?;
        let converted = converter.convert_columns(keys).map_err(cannot_join)?;
        let mut rows: HashMap<Box<[u8]>, Vec<u32>> = HashMap::new();
        for (number, key) in (0..).zip(&converted) {
            if keys.iter().all(|column| column.is_valid(number as usize)) {
                rows.entry(key.as_ref().into()).or_default().push(number);
            }
        }
        Ok(Self { converter, rows })
    }

    /// The rows of the stream, and those of the table that they are joined with.
    fn rows(&self, keys: &[ArrayRef], kind: JoinKind) -> Result<(UInt32Array, UInt32Array)> {
        let converted = self.converter.convert_columns(keys).map_err(cannot_join)?;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (number, key) in (0..).zip(&converted) {
            let found = self.rows.get(key.as_ref()).map_or(&[][..], Vec::as_slice);
            left.extend(std::iter::repeat_n(number, found.len()));
            right.extend(found.iter().copied().map(Some));
            if found.is_empty() && kind == JoinKind::Left {
                left.push(number);
                right.push(None);
            }
        }
        Ok((UInt32Array::from(left), UInt32Array::from(right)))
    }
}

fn cannot_join(cause: arrow_schema::ArrowError) -> Error {
    let message = "rows cannot be joined with the table";
    Error::new(ErrorKind::Format, message).with_source(cause)
}
