//! The metrics of an operator.

/// The metrics of an operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OperatorMetrics {
    /// Bytes of texts and of columns of text that were pushed.
    pub bytes: u64,
    /// Texts, and rows of batches, that were pushed.
    pub rows: u64,
    /// Rows of state columns that were pushed.
    pub state_rows: u64,
    /// Tokens that were counted, or rows that were aggregated.
    pub tokens: u64,
    /// Lines without the field of the token rule.
    pub rejected: u64,
    /// Bytes that were written to disk.
    pub spilled_bytes: u64,
}

impl OperatorMetrics {
    /// Returns the sum of both.
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            rows: self.rows + other.rows,
            state_rows: self.state_rows + other.state_rows,
            tokens: self.tokens + other.tokens,
            rejected: self.rejected + other.rejected,
            spilled_bytes: self.spilled_bytes + other.spilled_bytes,
        }
    }
}
