//! The context that the buffers and the merge of one sort share.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, SchemaRef, SortOptions};

use super::{SortKey, canonical_floats};
use crate::runtime::Resources;
use crate::spill::SpillSpace;
use crate::{Error, ErrorKind, Result};

/// The schema, the keys and the resources of a sort.
pub(super) struct SortContext {
    pub(super) schema: SchemaRef,
    keys: Vec<SortKey>,
    converter: RowConverter,
    pub(super) resources: Resources,
    pub(super) space: SpillSpace,
}

impl SortContext {
    /// Creates a context.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without a key, for a column that does not exist, and for one whose
    /// type has no order.
    pub(super) fn new(
        schema: &SchemaRef,
        keys: &[SortKey],
        resources: &Resources,
        space: &SpillSpace,
    ) -> Result<Arc<Self>> {
        let fields: Vec<SortField> = keys
            .iter()
            .map(|key| sort_field(schema, key))
            .collect::<Result<_>>()?;
        if fields.is_empty() {
            return Err(config("a sort needs at least one column to sort by"));
        }
        let converter = RowConverter::new(fields)
            .map_err(|cause| config("these columns cannot be sorted").with_source(cause))?;
        Ok(Arc::new(Self {
            schema: schema.clone(),
            keys: keys.to_vec(),
            converter,
            resources: resources.clone(),
            space: space.clone(),
        }))
    }

    /// Encodes the keys of every row as bytes that compare as the rows do.
    pub(super) fn encode(&self, batch: &RecordBatch) -> Result<Rows> {
        let columns: Vec<ArrayRef> = self
            .keys
            .iter()
            .map(|key| canonical_floats(batch.column(key.column)))
            .collect();
        self.converter.convert_columns(&columns).map_err(not_sorted)
    }

    /// Returns the same columns with the schema of this sort.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for other columns.
    pub(super) fn checked(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().to_vec();
        RecordBatch::try_new(self.schema.clone(), columns).map_err(not_sorted)
    }
}

fn sort_field(schema: &SchemaRef, key: &SortKey) -> Result<SortField> {
    let Some(field) = schema.fields().get(key.column) else {
        let message = format!("there is no column {} to sort by", key.column);
        return Err(config(message));
    };
    let options = SortOptions {
        descending: key.descending,
        nulls_first: key.nulls_first,
    };
    let data_type = field.data_type().clone();
    Ok(SortField::new_with_options(data_type, options))
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

pub(super) fn not_sorted(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "a batch could not be sorted").with_source(cause)
}
