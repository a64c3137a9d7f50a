//! The order of floats.
#![forbid(unsafe_code)]

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_schema::DataType;

/// Floats with one zero and one NaN, so that −0.0 equals 0.0, and NaN equals NaN and is larger than all
/// other values. Values of other types are returned as they are.
pub(crate) fn canonical_floats(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Float32 => {
            let values = values.as_primitive::<Float32Type>();
            Arc::new(values.unary::<_, Float32Type>(|value| match value {
                value if value.is_nan() => f32::NAN,
                value => value + 0.0,
            }))
        }
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>();
            Arc::new(values.unary::<_, Float64Type>(|value| match value {
                value if value.is_nan() => f64::NAN,
                value => value + 0.0,
            }))
        }
        _ => values.clone(),
    }
}
