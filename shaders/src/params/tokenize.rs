//! What the shaders that cut a text are told and tell: `tokenize.wgsl`, those in `tokenize/`, and
//! `frame.wgsl`.

use bytemuck::{Pod, Zeroable};

/// `Params` of `shared/spans.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TokenizeParams {
    /// Bytes of text.
    pub text_bytes: u32,
    /// Not 0 if the text has records.
    pub records: u32,
    /// Tiles of the text.
    pub tiles: u32,
    /// Spans that there is room for.
    pub capacity: u32,
    /// Which run this is.
    pub run: u32,
    /// Bytes of the separator: 16 at most, and 0 if no line can have it.
    pub separator_bytes: u32,
    /// Which field of a line is taken, from 1.
    pub field: u32,
    /// Nothing; a vector lies at a multiple of 16.
    pub pad_0: u32,
    /// The separator, and zeros behind it.
    pub separator: [u32; 4],
}

/// `Summary` of `shared/spans.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TokenizeSummary {
    /// Tokens that start.
    pub starts: u32,
    /// Tokens that end.
    pub ends: u32,
    /// Bytes of tokens.
    pub token_bytes: u32,
    /// Bytes of no token.
    pub other_bytes: u32,
    /// Lines, where one field of each is taken.
    pub rows: u32,
    /// Lines without that field.
    pub rejected: u32,
    /// The run that wrote the spans.
    pub run: u32,
}
