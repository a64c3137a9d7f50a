//! The request ListTransactions of Kafka's protocol, which librdkafka does not have.
//!
//! ```text
//! length, API 66, version 0, correlation, client, tags, states, producers, tags
//! ```
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a broker may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The most bytes of an answer.
const MOST_BYTES: usize = 64 << 20;

/// A transactional id, its producer, and the state of its last transaction.
pub(super) type Listed = (String, i64, String);

/// All transactions whose coordinator is one broker.
pub(super) fn list_transactions(host: &str, port: u16) -> io::Result<Vec<Listed>> {
    let address = (host, port).to_socket_addrs()?.next();
    let address = address.ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(&request())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MOST_BYTES {
        return Err(wrong());
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    parse(&answer)
}

fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&66_i16.to_be_bytes());
    body.extend_from_slice(&0_i16.to_be_bytes());
    body.extend_from_slice(&7_i32.to_be_bytes());
    let client = b"keymill";
    body.extend_from_slice(&(client.len() as i16).to_be_bytes());
    body.extend_from_slice(client);
    // No tags; no states and no producers to filter by (arrays of none); no tags.
    body.extend_from_slice(&[0, 1, 1, 0]);
    let mut request = (body.len() as i32).to_be_bytes().to_vec();
    request.extend(body);
    request
}

fn parse(answer: &[u8]) -> io::Result<Vec<Listed>> {
    let mut answer = Answer(answer);
    let _correlation = answer.take(4)?;
    answer.tags()?;
    let _throttled = answer.take(4)?;
    let error = answer.number::<2>().map(i16::from_be_bytes)?;
    if error != 0 {
        let message = format!("the broker answers with error {error}");
        return Err(io::Error::other(message));
    }
    for _ in 0..answer.array()? {
        answer.text()?;
    }
    let mut all = Vec::new();
    for _ in 0..answer.array()? {
        let id = answer.text()?;
        let producer = answer.number::<8>().map(i64::from_be_bytes)?;
        all.push((id, producer, answer.text()?));
        answer.tags()?;
    }
    Ok(all)
}

/// What was not read yet of an answer.
struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    fn take(&mut self, bytes: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or_else(wrong)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| wrong())
    }

    /// A number of seven bits a byte, the lowest first.
    fn varint(&mut self) -> io::Result<usize> {
        let mut value = 0_u32;
        for shift in (0..28).step_by(7) {
            let [byte] = self.number::<1>()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value as usize);
            }
        }
        Err(wrong())
    }

    /// The length of an array: one less than what is written.
    fn array(&mut self) -> io::Result<usize> {
        self.varint().map(|length| length.saturating_sub(1))
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.array()?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn tags(&mut self) -> io::Result<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(length)?;
        }
        Ok(())
    }
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is not an answer of Kafka")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_cut_ones_refused() {
        let answer = [
            &[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0][..],
            &[1, 3, 3, b'a', b'b', 0, 0, 0, 0, 0, 0, 1, 0, 8],
            b"Ongoing\0",
            &[2, b'c', 0, 0, 0, 0, 0, 0, 0, 9, 6],
            b"Empty\x01\x05\x02xy\0",
        ]
        .concat();
        let expected = [
            ("ab".to_owned(), 256, "Ongoing".to_owned()),
            ("c".to_owned(), 9, "Empty".to_owned()),
        ];
        assert_eq!(parse(&answer).unwrap(), expected);
        for length in 0..answer.len() - 1 {
            assert!(parse(&answer[..length]).is_err(), "{length}");
        }
        let refused = [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 53, 1, 1, 0];
        assert!(parse(&refused).unwrap_err().to_string().contains("53"));
    }
}
