//! Keyed aggregations: pushed to, merged, spilled and drained.
#![forbid(unsafe_code)]

pub(crate) mod text_count;

pub(crate) use text_count::MultiTable;
#[cfg(feature = "gpu")]
pub(crate) use text_count::cut_text;
pub use text_count::{BatchLimits, Batches, CountOperator, Drain, OperatorMetrics, Order};
