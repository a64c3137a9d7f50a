//! What `tokenize.wgsl` is told and tells.

use bytemuck::{Pod, Zeroable};

/// `Params` of `tokenize.wgsl`.
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
    /// Nothing; a uniform's size is a multiple of 16.
    pub pad_0: u32,
    /// Nothing.
    pub pad_1: u32,
    /// Nothing.
    pub pad_2: u32,
}

/// `Summary` of `tokenize.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TokenizeSummary {
    /// Tokens that start.
    pub starts: u32,
    /// Tokens that end.
    pub ends: u32,
    /// Bytes of tokens.
    pub token_bytes: u32,
    /// Bytes of white space.
    pub space_bytes: u32,
    /// The run that wrote the spans.
    pub run: u32,
}
