//! Where chunks go that are not pushed to the operator at once.
#![forbid(unsafe_code)]

use super::Stats;
use crate::Result;
use crate::operator::Input;

/// Takes chunks, and gives their groups to an operator, now or later.
pub(crate) trait ChunkSink<O>: Send {
    /// Takes in a chunk: a text that ends at a token boundary, or rows.
    fn push(&mut self, chunk: Input<'_>, operator: &mut O, stats: &mut Stats) -> Result<()>;

    /// Whether it should be given no more chunks: it turned out slower than the processor.
    fn has_enough(&self) -> bool;

    /// Gives everything to the operator that it does not have yet.
    fn finish(&mut self, operator: &mut O, stats: &mut Stats) -> Result<()>;
}
