//! Bytes in, token spans out, by any [`crate::TokenRule`].
#![forbid(unsafe_code)]

pub(crate) mod tile;
pub(crate) mod whitespace;
