//! Cuts text in memory into chunks without copying it.
#![forbid(unsafe_code)]

use super::Boundary;

/// The chunks of a text.
pub(crate) struct Slices<'a> {
    rest: &'a [u8],
    boundary: &'a Boundary,
    chunk_bytes: usize,
}

impl<'a> Slices<'a> {
    pub(crate) fn new(text: &'a [u8], boundary: &'a Boundary, chunk_bytes: usize) -> Self {
        Self {
            rest: text,
            boundary,
            chunk_bytes: chunk_bytes.max(1),
        }
    }
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest;
        let cut = match text.get(..self.chunk_bytes) {
            Some(front) => self
                .boundary
                .last(front)
                .or_else(|| self.boundary.first(text, self.chunk_bytes)),
            None => None,
        };
        let chunk = cut.map_or(text, |cut| &text[..cut.end]);
        self.rest = cut.map_or(&[], |cut| &text[cut.next..]);
        (!chunk.is_empty()).then_some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Level, TokenRule};

    #[test]
    fn chunks_end_after_separators() {
        let boundary = Boundary::new(Level::Scalar, &TokenRule::Lines, false);
        let text = b"to be\nor\nnot to be";
        for chunk_bytes in 1..30 {
            let chunks: Vec<_> = Slices::new(text, &boundary, chunk_bytes).collect();
            assert_eq!(chunks.concat(), text);
            let (last, others) = chunks.split_last().unwrap();
            assert!(others.iter().all(|chunk| chunk.ends_with(b"\n")));
            assert!(last.ends_with(b"be"));
        }
    }
}
