//! Reads the metrics of a stream over HTTP.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use keymill::{Error, ErrorKind, Result, shown_name};

use super::sample::Sample;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most bytes of an answer.
const MOST_BYTES: u64 = 4 << 20;

/// Reads the state of the stream at an address.
pub(super) fn sample(address: &str) -> Result<Sample> {
    let read = || {
        let (_, metrics) = get(address, "/metrics")?;
        let (_, progress) = get(address, "/progress")?;
        let (is_healthy, health) = get(address, "/healthz")?;
        let progress = serde_json::from_str(&progress)?;
        io::Result::Ok(Sample {
            taken: Instant::now(),
            metrics: metrics.lines().filter_map(metric).collect(),
            progress,
            is_healthy,
            status: shown_name(health.trim()),
        })
    };
    read().map_err(|cause| {
        let address = shown_name(address);
        let message = format!(
            "no stream serves metrics at `{address}`; start one with `--metrics {address}`"
        );
        Error::new(ErrorKind::Source, message).with_source(cause)
    })
}

/// A sample of a metric: its name with its labels, and its value.
fn metric(line: &str) -> Option<(String, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let is_comment = line.starts_with('#');
    let value = value.parse().ok()?;
    (!is_comment).then(|| (series.to_owned(), value))
}

/// Returns whether the status is 200, and the body.
fn get(address: &str, path: &str) -> io::Result<(bool, String)> {
    let invalid = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut last = invalid("no such address");
    for address in address.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => stream,
            Err(error) => {
                last = error;
                continue;
            }
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(MOST_BYTES).read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer).map_err(|_| invalid("the answer is no text"))?;
        let parts = answer.split_once("\r\n\r\n");
        let (head, body) = parts.ok_or_else(|| invalid("the answer is no HTTP"))?;
        if !head.starts_with("HTTP/1.") {
            return Err(invalid("the answer is no HTTP"));
        }
        let is_ok = head.split(' ').nth(1) == Some("200");
        return Ok((is_ok, body.to_owned()));
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read() {
        for (line, expected) in [
            ("a 1", Some(("a", 1.0))),
            ("a{b=\"c d\"} 1.5e3", Some(("a{b=\"c d\"}", 1500.0))),
            ("# TYPE a 1", None),
            ("a", None),
            ("a b", None),
            ("", None),
        ] {
            let expected = expected.map(|(name, value)| (name.to_owned(), value));
            assert_eq!(metric(line), expected);
        }
    }
}
