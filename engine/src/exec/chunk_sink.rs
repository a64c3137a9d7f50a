//! Where texts go that are not counted on the processor at once.
#![forbid(unsafe_code)]

use super::Stats;
use crate::Result;
use crate::operator::CountOperator;

/// Takes texts, and gives their counts to an operator, now or later.
pub(super) trait ChunkSink: Send {
    /// Counts a text, whose end is a token boundary.
    fn push(&mut self, text: &[u8], operator: &mut CountOperator, stats: &mut Stats) -> Result<()>;

    /// Whether it should be given no more: it turned out slower than the processor.
    fn has_enough(&self) -> bool;

    /// Gives everything to the operator that it does not have yet.
    fn finish(&mut self, operator: &mut CountOperator, stats: &mut Stats) -> Result<()>;
}
