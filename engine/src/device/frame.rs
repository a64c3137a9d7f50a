//! `frame` on a device: the lines of a text as spans, in order.
#![forbid(unsafe_code)]

use keymill_kernels::stage::tokenize::Span;

use super::{Device, Fault, tokenize};
use crate::TokenRule;

/// Finds the lines of a text, without their LF or CRLF.
pub(crate) fn run(device: &dyn Device, text: &[u8]) -> Result<Vec<Span>, Fault> {
    // A line is a token of the rule that splits nothing, here as in the kernels: the shader of
    // both is `frame.wgsl`.
    let cut = tokenize::run(device, &TokenRule::Lines, text, None)?;
    Ok(cut.spans)
}
