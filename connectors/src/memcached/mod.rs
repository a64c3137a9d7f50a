//! memcached: a cache of results.
//!
//! ```text
//! ms PREFIX:ID LENGTH T60 q ─▶ {"count":3}      mn ─▶ MN
//! ```
//!
//! Commands are sent without waiting for answers; `mn` is answered after all of them. No client crate sends
//! more than one command at a time, which is the slowest way to fill a cache.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};

use keymill::stream::{Delivery, SinkContext};
use keymill::{Error, ErrorKind, Result};

use crate::settings::Settings;
use crate::upsert::{Place, Refused, Rows, SHARED, Store, UpsertSink, percent_encoded};

const FORM: &str = "memcached://HOST:PORT/PREFIX";

/// The longest key of memcached.
const LONGEST_KEY: usize = 250;

/// The largest value of a server with default settings, with room for its key.
const LARGEST_VALUE: usize = 1_000_000;

/// The longest time to live that is not taken for a date.
const LONGEST_TTL: u64 = 30 * 86_400;

/// Writes an entry for each row: its key is `PREFIX:ID`, its value a JSON object of the columns that are not
/// the key. Spaces, control characters and `%` in a key are written as `%20`.
///
/// A cache forgets: entries may be gone at any time, and nothing keeps an older one from replacing a newer one.
pub type MemcachedSink = UpsertSink<Memcached>;

/// Entries of a memcached server.
pub struct Memcached {
    place: Place,
    ttl: u64,
    connection: Option<BufReader<TcpStream>>,
}

impl UpsertSink<Memcached> {
    /// Writes to `memcached://HOST:PORT/PREFIX`, with the settings of [`UpsertSink`] and
    ///
    /// | setting | meaning |
    /// |---|---|
    /// | `ttl.seconds` | how long an entry may be read: 3600, at most 30 days |
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the URL or a setting is wrong.
    pub fn new(url: &str, mut settings: Settings) -> Result<Self> {
        let place = Place::new(url, FORM, 11_211, &mut settings)?;
        if place.user.is_some() || place.password.is_some() {
            let message = "memcached is written to without user and password; take them out";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let ttl = settings.whole("ttl.seconds")?.unwrap_or(3600);
        if ttl > LONGEST_TTL {
            let message = format!("`ttl.seconds` is at most {LONGEST_TTL} for memcached");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let memcached = Memcached {
            place,
            ttl,
            connection: None,
        };
        Self::to(memcached, settings, &format!("{SHARED}, ttl.seconds"))
    }
}

impl Memcached {
    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let mut last = io::Error::other("the name of the host has no address");
        for address in self.place.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.place.timeout) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(self.place.timeout))?;
                    stream.set_write_timeout(Some(self.place.timeout))?;
                    stream.set_nodelay(true)?;
                    return Ok(BufReader::new(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends commands, and returns the lines of the answer before that of `mn`.
    fn send(&mut self, commands: &[u8]) -> io::Result<Vec<String>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let mut writer = connection.get_ref().try_clone()?;
        // It does not read further while its answers are not read; quiet commands have few.
        writer.write_all(commands)?;
        writer.write_all(b"mn\r\n")?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "MN" => break,
                other => lines.push(other.to_owned()),
            }
        }
        self.connection = Some(connection);
        Ok(lines)
    }

    fn failed(&self, cause: io::Error) -> Error {
        let message = format!("`{}` does not take results", self.place.describe());
        Error::new(ErrorKind::Unavailable, message).with_source(cause)
    }

    fn key(&self, id: &str) -> String {
        let is_kept = |byte: u8| byte > b' ' && byte != b'%' && byte != 0x7f;
        percent_encoded(&format!("{}:{id}", self.place.name), is_kept)
    }
}

impl Store for Memcached {
    fn describe(&self) -> String {
        self.place.describe()
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn claim(&mut self, context: &SinkContext) -> Result<String> {
        let answer = self.send(b"").map_err(|cause| self.failed(cause))?;
        match answer.first() {
            // A cache keeps no owner.
            None => Ok(context.query.clone()),
            Some(other) => {
                let message = format!(
                    "`{}` is not memcached 1.6 or later: {other}",
                    self.place.describe()
                );
                Err(Error::new(ErrorKind::Sink, message))
            }
        }
    }

    fn write(&mut self, rows: &Rows<'_>) -> Result<Vec<Refused>> {
        let values = rows.json_of_values()?;
        let (mut commands, mut refused) = (Vec::new(), Vec::new());
        let values = values.split_inclusive(|&byte| byte == b'\n');
        for (row, (id, value)) in rows.ids.iter().zip(values).enumerate() {
            let key = self.key(id);
            let value = value.strip_suffix(b"\n").unwrap_or(value);
            if key.len() > LONGEST_KEY {
                refused.push((
                    row,
                    format!(
                        "a key has at most {LONGEST_KEY} bytes, and this one {}",
                        key.len()
                    ),
                ));
                continue;
            }
            if value.len() > LARGEST_VALUE {
                refused.push((
                    row,
                    format!(
                        "a value has at most {LARGEST_VALUE} bytes, and this one {}",
                        value.len()
                    ),
                ));
                continue;
            }
            let head = format!("ms {key} {} T{} q\r\n", value.len(), self.ttl);
            commands.extend_from_slice(head.as_bytes());
            commands.extend_from_slice(value);
            commands.extend_from_slice(b"\r\n");
        }
        let answers = self.send(&commands).map_err(|cause| self.failed(cause))?;
        match answers.first() {
            None => Ok(refused),
            Some(other) => {
                let message = format!(
                    "`{}` does not take an entry: {other}",
                    self.place.describe()
                );
                // It has no memory left, for now.
                let kind = match other.starts_with("SERVER_ERROR") {
                    true => ErrorKind::Unavailable,
                    false => ErrorKind::Sink,
                };
                Err(Error::new(kind, message))
            }
        }
    }
}
