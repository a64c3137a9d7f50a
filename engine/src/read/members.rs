//! The members of a gzip stream, one after the other, and the zeros between the members or frames of
//! any stream.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
#[cfg(feature = "gzip")]
use std::io::Read;
use std::io::{self, BufRead};

#[cfg(feature = "gzip")]
use flate2::bufread::GzDecoder;

#[cfg(feature = "gzip")]
/// Decompresses every member of a gzip stream. Zeros after a member, with which tapes and block
/// devices are padded, are skipped.
pub(super) struct Members<R> {
    /// The member that is being read; `None` only while it is replaced by the next one.
    member: Option<GzDecoder<R>>,
    ended: bool,
}

#[cfg(feature = "gzip")]
/// The first byte of every member.
const MAGIC: u8 = 0x1f;

/// The cause of the error for bytes of another format after the end of a stream.
#[derive(Debug)]
pub(super) struct Foreign {
    /// The first of these bytes.
    pub(super) first: u8,
    /// The expected byte.
    pub(super) wanted: u8,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, wanted } = self;
        write!(f, "they begin with byte {first:#04x}, not {wanted:#04x}")
    }
}

impl Error for Foreign {}

#[cfg(feature = "gzip")]
impl<R: BufRead> Members<R> {
    pub(super) fn new(stream: R) -> Self {
        Self {
            member: Some(GzDecoder::new(stream)),
            ended: false,
        }
    }

    /// Returns the compressed stream.
    pub(super) fn stream(&self) -> &R {
        self.member.as_ref().expect("there is a member").get_ref()
    }
}

#[cfg(feature = "gzip")]
impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !into.is_empty() {
            let member = self.member.as_mut().expect("there is a member");
            let bytes = member.read(into)?;
            if bytes > 0 {
                return Ok(bytes);
            }
            if let Some(first) = skip_zeros(member.get_mut())? {
                if first != MAGIC {
                    let wanted = MAGIC;
                    return Err(io::Error::other(Foreign { first, wanted }));
                }
                let stream = self.member.take().map(GzDecoder::into_inner);
                self.member = stream.map(GzDecoder::new);
            } else {
                self.ended = true;
            }
        }
        Ok(0)
    }
}

/// Skips zeros and returns the first other byte, without consuming it.
pub(super) fn skip_zeros(stream: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let bytes = stream.fill_buf()?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        if zeros < bytes.len() || bytes.is_empty() {
            let first = bytes.get(zeros).copied();
            stream.consume(zeros);
            return Ok(first);
        }
        stream.consume(zeros);
    }
}
