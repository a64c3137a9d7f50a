//! Positions of rows, for aggregates that depend on their order.

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef};

use super::not_its_state;
use crate::Result;

/// Returns the positions of rows, none of which is null.
pub(super) fn positions<'a>(column: Option<&'a ArrayRef>, name: &str) -> Result<&'a [i128]> {
    column
        .and_then(|column| column.as_primitive_opt::<Decimal128Type>())
        .filter(|column| column.null_count() == 0)
        .map(|column| &column.values()[..])
        .ok_or_else(|| not_its_state(name))
}
