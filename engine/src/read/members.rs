//! The members of a gzip stream, one after the other; and what may stand between those of any stream.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
#[cfg(feature = "gzip")]
use std::io::Read;
use std::io::{self, BufRead};

#[cfg(feature = "gzip")]
use flate2::bufread::GzDecoder;

#[cfg(feature = "gzip")]
/// Decompresses every member of a gzip stream; zeros behind one, with which tapes and block devices
/// are filled up, are passed over.
pub(super) struct Members<R> {
    /// The member that is being read; none only while it gives way to the next one.
    member: Option<GzDecoder<R>>,
    ended: bool,
}

#[cfg(feature = "gzip")]
/// The first byte of every member.
const MAGIC: u8 = 0x1f;

/// The cause of the error where something follows a stream's end that is not of its form.
#[derive(Debug)]
pub(super) struct Foreign {
    /// The first byte of it.
    pub(super) first: u8,
    /// The first byte that it would have in the stream's form.
    pub(super) wanted: u8,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, wanted } = self;
        write!(f, "it begins with byte {first:#04x}, not {wanted:#04x}")
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

    /// The compressed stream.
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

/// Passes zeros over; gives the first byte of what else follows.
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
