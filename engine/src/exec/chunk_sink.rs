//! The interface to a device for chunks that the operator does not count itself.
#![forbid(unsafe_code)]

use super::Stats;
use crate::Result;
use crate::operator::Input;

/// Counts chunks and pushes their groups to an operator, immediately or later.
pub(crate) trait ChunkSink<O>: Send {
    /// Adds a chunk: a text that ends at a token boundary, or rows.
    fn push(&mut self, chunk: Input<'_>, operator: &mut O, stats: &mut Stats) -> Result<()>;

    /// Returns whether it should get no more chunks because it is slower than the processor.
    fn has_enough(&self) -> bool;

    /// Pushes the remaining groups to the operator.
    fn finish(&mut self, operator: &mut O, stats: &mut Stats) -> Result<()>;
}
