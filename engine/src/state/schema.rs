//! The schema of state columns, with the version of their form in its metadata.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};

use crate::{Error, ErrorKind, Result};

/// The metadata entry that names the aggregate.
pub(crate) const AGGREGATE: &str = "keymill.aggregate";
/// The metadata entry that holds the version.
pub(crate) const VERSION: &str = "keymill.version";
/// The version that is written.
pub(crate) const CURRENT_VERSION: &str = "1";

/// The schema of state columns: `fields`, the name of the aggregate and the current version.
pub(crate) fn state_schema(fields: Vec<Field>, aggregate: &str) -> SchemaRef {
    let metadata = [(AGGREGATE, aggregate), (VERSION, CURRENT_VERSION)];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Arc::new(Schema::new_with_metadata(fields, metadata.into()))
}

/// Creates a batch of columns that were made for its schema.
pub(crate) fn batch_of(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|cause| {
        let message = "columns do not fit their schema";
        Error::new(ErrorKind::Internal, message).with_source(cause)
    })
}

/// Checks that columns hold the state of `aggregate`, in a version that this release reads.
///
/// Columns without metadata are accepted: their fields are checked by the reader.
///
/// # Errors
///
/// [`ErrorKind::State`] for another aggregate or another version.
pub(crate) fn check_version(schema: &Schema, aggregate: &str) -> Result<()> {
    let entry = |name: &str, default| schema.metadata().get(name).map_or(default, String::as_str);
    let found = entry(AGGREGATE, aggregate);
    let version = entry(VERSION, CURRENT_VERSION);
    if found == aggregate && version == CURRENT_VERSION {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::State,
        format!(
            "the columns hold the state of `{found}`, version {version}; \
             `{aggregate}`, version {CURRENT_VERSION}, is needed"
        ),
    ))
}

/// Checks that a batch has the columns and the version of a schema of state columns.
///
/// # Errors
///
/// [`ErrorKind::State`] for anything else, and for a null where there can be none.
pub(crate) fn check_columns(batch: &RecordBatch, schema: &Schema) -> Result<()> {
    let aggregate = schema.metadata().get(AGGREGATE);
    check_version(batch.schema_ref(), aggregate.map_or("", String::as_str))?;
    let (found, wanted) = (batch.schema_ref().fields(), schema.fields());
    if found.len() != wanted.len() {
        let message = format!(
            "the state has {} columns where {} are needed",
            found.len(),
            wanted.len()
        );
        return Err(Error::new(ErrorKind::State, message));
    }
    for ((found, wanted), column) in found.iter().zip(wanted).zip(batch.columns()) {
        if found.name() != wanted.name() || found.data_type() != wanted.data_type() {
            return Err(other_column(found, wanted));
        }
        if !wanted.is_nullable() && column.null_count() > 0 {
            let message = format!("column `{}` of the state has a null", wanted.name());
            return Err(Error::new(ErrorKind::State, message));
        }
    }
    Ok(())
}

fn other_column(found: &Field, wanted: &Field) -> Error {
    let [found, wanted] =
        [found, wanted].map(|field| format!("`{}` of {}", field.name(), field.data_type()));
    let message = format!("the state has column {found} where {wanted} is needed");
    Error::new(ErrorKind::State, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_entry(name: &str, value: &str) -> Schema {
        let metadata = [(name.to_owned(), value.to_owned())];
        Schema::empty().with_metadata(metadata.into())
    }

    #[test]
    fn only_the_same_aggregate_of_the_current_version_is_read() {
        assert!(check_version(&state_schema(Vec::new(), "sum"), "sum").is_ok());
        assert!(check_version(&Schema::empty(), "sum").is_ok());
        assert!(check_version(&with_entry(VERSION, "1"), "sum").is_ok());
        for other in [with_entry(VERSION, "2"), with_entry(AGGREGATE, "count")] {
            let error = check_version(&other, "sum").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State);
        }
    }
}
