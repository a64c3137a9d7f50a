//! Where texts go that are not counted on the processor at once.
#![forbid(unsafe_code)]

use super::Tally;
use crate::Result;
use crate::operator::CountOperator;

/// Takes texts, and gives their counts to an operator, now or later.
pub(super) trait Elsewhere {
    /// Counts a text, whose end is a token boundary.
    fn push(&mut self, text: &[u8], operator: &mut CountOperator, tally: &mut Tally) -> Result<()>;

    /// Gives everything to the operator that it does not have yet.
    fn finish(&mut self, operator: &mut CountOperator, tally: &mut Tally) -> Result<()>;
}
