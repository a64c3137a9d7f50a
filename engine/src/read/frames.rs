//! The frames of a zstd stream, one after the other.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{Decoder, Operation};

use super::members::{Foreign, skip_zeros};

/// Decompresses every frame of a zstd stream. Zeros after a frame are skipped.
pub(super) struct Frames<R> {
    stream: R,
    decoder: Decoder<'static>,
    /// Whether the next byte begins a frame.
    is_between: bool,
    ended: bool,
}

/// The first bytes of frames and of skippable frames.
const MAGIC: u8 = 0x28;
const SKIPPED: std::ops::RangeInclusive<u8> = 0x50..=0x5f;

impl<R: BufRead> Frames<R> {
    pub(super) fn new(stream: R) -> io::Result<Self> {
        Ok(Self {
            stream,
            decoder: Decoder::new()?,
            is_between: false,
            ended: false,
        })
    }

    /// Returns the compressed stream.
    pub(super) fn stream(&self) -> &R {
        &self.stream
    }

    /// Moves to the next frame, if there is one.
    fn next(&mut self) -> io::Result<()> {
        match skip_zeros(&mut self.stream)? {
            None => self.ended = true,
            Some(first) if first == MAGIC || SKIPPED.contains(&first) => {
                self.decoder.reinit()?;
                self.is_between = false;
            }
            Some(first) => {
                return Err(io::Error::other(Foreign {
                    first,
                    wanted: MAGIC,
                }));
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !into.is_empty() {
            if self.is_between {
                self.next()?;
                continue;
            }
            let input = self.stream.fill_buf()?;
            let is_last = input.is_empty();
            let step = self.decoder.run_on_buffers(input, into)?;
            self.stream.consume(step.bytes_read);
            self.is_between = step.remaining == 0;
            if step.bytes_written > 0 {
                return Ok(step.bytes_written);
            }
            if is_last && !self.is_between {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}
