//! The request ListTransactions of Kafka's protocol, which librdkafka does not have.
//!
//! ```text
//! length, API, version, correlation, client, body
//!    17 SaslHandshake, 36 SaslAuthenticate, if there is a login; then 66 ListTransactions
//! ```
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::login::{Duplex, Login, Mechanism, Sasl};

/// How long a broker may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The most bytes of an answer.
const MOST_BYTES: usize = 64 << 20;

/// A transactional id, its producer, and the state of its last transaction.
pub(super) type Listed = (String, i64, String);

/// All transactions whose coordinator is one broker.
pub(super) fn list_transactions(host: &str, port: u16, login: &Login) -> io::Result<Vec<Listed>> {
    let mut broker = Broker::connect(host, port, login)?;
    // No tags; no states and no producers to filter by (arrays of none); no tags.
    parse(&broker.call((66, 0), &[0, 1, 1, 0])?)
}

/// A connection to a broker.
struct Broker(Box<dyn Duplex>);

impl Broker {
    fn connect(host: &str, port: u16, login: &Login) -> io::Result<Self> {
        let mut connected = Err(io::ErrorKind::NotFound.into());
        for address in (host, port).to_socket_addrs()? {
            connected = TcpStream::connect_timeout(&address, ANSWER);
            if connected.is_ok() {
                break;
            }
        }
        let stream = connected?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let mut broker = Self(login.encrypt(host, stream)?);
        if let Some(sasl) = &login.sasl {
            broker.log_in(sasl)?;
        }
        Ok(broker)
    }

    /// Sends a request, and returns the answer, which begins with the correlation.
    fn call(&mut self, (api, version): (i16, i16), body: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(&request((api, version), body))?;
        self.0.flush()?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MOST_BYTES {
            return Err(wrong());
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer)?;
        Ok(answer)
    }

    fn log_in(&mut self, sasl: &Sasl) -> io::Result<()> {
        let name = sasl.mechanism.name();
        let answer = self.call((17, 1), &text(name))?;
        let mut answer = Answer(&answer);
        let _correlation = answer.take(4)?;
        if answer.number::<2>().map(i16::from_be_bytes)? != 0 {
            let message = format!("the broker does not take the SASL mechanism {name}");
            return Err(io::Error::other(message));
        }
        match sasl.mechanism {
            Mechanism::Plain => {
                let message = format!("\0{}\0{}", sasl.user, sasl.password);
                self.authenticate(message.as_bytes()).map(|_| ())
            }
            #[cfg(feature = "kafka-tls")]
            mechanism => self.scram(mechanism, sasl),
        }
    }

    #[cfg(feature = "kafka-tls")]
    fn scram(&mut self, mechanism: Mechanism, sasl: &Sasl) -> io::Result<()> {
        use super::scram::{Scram, is_signed};
        use openssl::hash::MessageDigest;

        let digest = match mechanism {
            Mechanism::ScramSha512 => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        let mut random = [0; 18];
        openssl::rand::rand_bytes(&mut random)?;
        let nonce = openssl::base64::encode_block(&random);
        let scram = Scram::new(digest, (&sasl.user, &sasl.password), nonce);
        let answer = self.authenticate(scram.first_message().as_bytes())?;
        let answer = String::from_utf8_lossy(&answer);
        let (last, signature) = scram.last_message(&answer).map_err(io::Error::other)?;
        let answer = self.authenticate(last.as_bytes())?;
        match is_signed(&String::from_utf8_lossy(&answer), &signature) {
            true => Ok(()),
            false => Err(io::Error::other("the broker does not know the password")),
        }
    }

    /// Sends a message of a login, and returns that of the broker.
    fn authenticate(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        let mut body = (message.len() as i32).to_be_bytes().to_vec();
        body.extend_from_slice(message);
        let answer = self.call((36, 0), &body)?;
        let mut answer = Answer(&answer);
        let _correlation = answer.take(4)?;
        let error = answer.number::<2>().map(i16::from_be_bytes)?;
        let length = answer.number::<2>().map(i16::from_be_bytes)?;
        let why = answer.take(usize::try_from(length).unwrap_or(0))?;
        if error != 0 {
            let why = String::from_utf8_lossy(why);
            let message = format!("the broker refuses the login: {why} (error {error})");
            return Err(io::Error::other(message));
        }
        let length = answer.number::<4>().map(i32::from_be_bytes)?;
        let message = answer.take(usize::try_from(length).unwrap_or(0))?;
        Ok(message.to_vec())
    }
}

/// A text with its length.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as i16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn request((api, version): (i16, i16), body: &[u8]) -> Vec<u8> {
    let mut request = vec![0; 4];
    request.extend_from_slice(&api.to_be_bytes());
    request.extend_from_slice(&version.to_be_bytes());
    request.extend_from_slice(&7_i32.to_be_bytes());
    request.extend(text("keymill"));
    request.extend_from_slice(body);
    let length = (request.len() - 4) as i32;
    request[..4].copy_from_slice(&length.to_be_bytes());
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

    /// A number with seven bits in each byte, the lowest first.
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
