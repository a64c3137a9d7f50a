//! The members of a gzip stream, one after the other.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Decompresses every member of a gzip stream; zeros behind one, with which tapes and block devices
/// are filled up, are passed over.
pub(super) struct Members<R> {
    /// The member that is being read; none only while it gives way to the next one.
    member: Option<GzDecoder<R>>,
    ended: bool,
}

/// The first byte of every member.
const MAGIC: u8 = 0x1f;

/// The cause of the error where something follows a member that is none; its first byte.
#[derive(Debug)]
pub(super) struct NoMember(u8);

impl fmt::Display for NoMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it begins with byte {:#04x}, not {MAGIC:#04x}", self.0)
    }
}

impl Error for NoMember {}

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
                    return Err(io::Error::other(NoMember(first)));
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
fn skip_zeros(stream: &mut impl BufRead) -> io::Result<Option<u8>> {
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
