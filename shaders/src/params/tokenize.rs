//! Parameters and results of the shaders that cut a text: `tokenize.wgsl`, those in `tokenize/`,
//! and `frame.wgsl`.

use bytemuck::{Pod, Zeroable};

/// `Params` of `shared/spans.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TokenizeParams {
    /// Length of the text in bytes.
    pub text_bytes: u32,
    /// Not 0 if the text has records.
    pub records: u32,
    /// Number of tiles of the text.
    pub tiles: u32,
    /// Maximum number of spans.
    pub capacity: u32,
    /// Number of this run.
    pub run: u32,
    /// Length of the separator, at most 16; 0 if no line can contain it.
    pub separator_bytes: u32,
    /// Number of the wanted field, from 1.
    pub field: u32,
    /// Unused; a vector must be aligned to 16 bytes.
    pub pad_0: u32,
    /// The separator, padded with zeros.
    pub separator: [u32; 4],
}

/// `Summary` of `shared/spans.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TokenizeSummary {
    /// Number of token starts.
    pub starts: u32,
    /// Number of token ends.
    pub ends: u32,
    /// Bytes inside of tokens.
    pub token_bytes: u32,
    /// Bytes outside of tokens.
    pub other_bytes: u32,
    /// Number of lines, if one field of each line is wanted.
    pub rows: u32,
    /// Number of lines without that field.
    pub rejected: u32,
    /// Number of the run that wrote the spans.
    pub run: u32,
}
