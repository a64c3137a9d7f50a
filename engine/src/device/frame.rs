//! `frame` on a device: finds the lines of a text, in order.
#![forbid(unsafe_code)]

use keymill_kernels::stage::tokenize::Span;

use super::{Device, Fault, tokenize};
use crate::TokenRule;

/// Returns the spans of the lines of a text, without their LF or CRLF.
pub(crate) fn run(device: &dyn Device, text: &[u8]) -> Result<Vec<Span>, Fault> {
    // The rule `lines` splits nothing, so a line is one token. The shader of both is `frame.wgsl`.
    let cut = tokenize::run(device, &TokenRule::Lines, text, None)?;
    Ok(cut.spans)
}
