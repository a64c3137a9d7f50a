//! Requests as a sink.
#![forbid(unsafe_code)]

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use keymill::stream::{Delivery, EpochOutput, Sink, SinkContext};
use keymill::{Error, ErrorKind, Result};
use ureq::Agent;
use ureq::http::Response;

use crate::attempt::{failed, passes, retry_after, tls};
use crate::json_lines::json_lines;
use crate::pauses::Pauses;
use crate::settings::{Settings, wrong};

const KNOWN: &str = "token, token.file, max.part.bytes, compression, timeout.ms, tls.ca, tls.cert, tls.key \
                     and idempotent";

/// The most bytes of an answer that an error shows.
const SHOWN: u64 = 200;

/// Sends the rows of an epoch as JSON objects, one per line, by `POST`.
///
/// An epoch is sent in parts. Every part has the header `Idempotency-Key: QUERY-EPOCH-PART`, and the same
/// bytes when it is sent again: after an attempt that failed, and after a kill.
///
/// | setting | meaning |
/// |---|---|
/// | `max.part.bytes` | the size of a part, 1 MiB; a longer row is a part of its own |
/// | `compression` | `none` (default) or `gzip` |
/// | `token`, `token.file` | sent as `Authorization: Bearer TOKEN` |
/// | `timeout.ms` | how long an attempt may take: 30 000 |
/// | `tls.ca` | a file of PEM: the authorities of `https` that are trusted, instead of the public ones |
/// | `tls.cert`, `tls.key` | files of PEM: the certificate of this client and its key |
/// | `idempotent` | `true` says that the receiver takes every key once; then results arrive as if once |
pub struct HttpSink {
    url: String,
    /// The URL without user and password, for people and reports.
    name: String,
    token: Option<String>,
    part_bytes: usize,
    is_gzip: bool,
    is_idempotent: bool,
    agent: Agent,
    query: String,
    /// The epoch that is sent, and how many parts of it the receiver has.
    sent: (u64, u64),
    pauses: Pauses,
}

impl HttpSink {
    /// Sends to a URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the URL or a setting is wrong.
    pub fn new(url: impl Into<String>, mut settings: Settings) -> Result<Self> {
        let url = url.into();
        let parsed = url.parse::<ureq::http::Uri>().ok();
        let has_host = parsed.as_ref().is_some_and(|it| it.host().is_some());
        let scheme = parsed.as_ref().and_then(|it| it.scheme_str());
        if !has_host || !matches!(scheme, Some("http" | "https")) {
            // It may have a password, and is not repeated.
            let message =
                "this is not a URL of an HTTP sink; write http://HOST:PORT/PATH or https://…";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let timeout = settings.time("timeout.ms", Duration::from_secs(30))?;
        let is_gzip = match settings.take("compression").as_deref() {
            None | Some("none") => false,
            Some("gzip") => true,
            Some(other) => return Err(wrong("compression", other, "none or gzip")),
        };
        let sink = Self {
            name: without_user(&url),
            url,
            token: settings.token()?,
            part_bytes: settings.number("max.part.bytes", 1 << 20)?,
            is_gzip,
            is_idempotent: settings.switch("idempotent", false)?,
            agent: Agent::config_builder()
                .timeout_global(Some(timeout))
                .http_status_as_error(false)
                .max_redirects(0)
                .tls_config(tls(&mut settings)?.unwrap_or_default())
                .user_agent(concat!("keymill/", env!("CARGO_PKG_VERSION")))
                .build()
                .into(),
            query: String::new(),
            sent: (0, 0),
            pauses: Pauses::default(),
        };
        settings.finish(KNOWN)?;
        Ok(sink)
    }

    /// Sends a part, unless the receiver has it.
    fn send(&mut self, epoch: u64, part: u64, lines: &[u8]) -> Result<()> {
        if self.sent.0 == epoch && self.sent.1 > part {
            return Ok(());
        }
        self.pauses.wait();
        let answer = self.post(epoch, part, lines);
        let error = match answer {
            Ok(answer) if answer.status().is_success() => {
                self.pauses.reset();
                self.sent = (epoch, part + 1);
                return Ok(());
            }
            Ok(answer) => {
                let wait = retry_after(&answer);
                let passes = self.refused(answer)?;
                self.pauses.lengthen(wait);
                return Err(passes);
            }
            Err(cause) => failed(&self.name, cause),
        };
        self.pauses.lengthen(Duration::ZERO);
        Err(error)
    }

    fn post(
        &self,
        epoch: u64,
        part: u64,
        lines: &[u8],
    ) -> std::result::Result<Response<ureq::Body>, ureq::Error> {
        let key = format!("{}-{epoch}-{part}", self.query);
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/x-ndjson")
            .header("Idempotency-Key", key);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if !self.is_gzip {
            return request.send(lines);
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(lines)?;
        let packed = packed.finish()?;
        request.header("Content-Encoding", "gzip").send(&packed[..])
    }

    /// The error of an answer that may be another one later; an error if it will not.
    fn refused(&self, mut answer: Response<ureq::Body>) -> Result<Error> {
        let status = answer.status();
        let body = answer
            .body_mut()
            .with_config()
            .limit(SHOWN)
            .lossy_utf8(true);
        let body = body.read_to_string().unwrap_or_default();
        let message = format!("`{}` answers {status} {}", self.name, body.trim());
        let message = message.trim_end();
        match passes(status) {
            true => Ok(Error::new(ErrorKind::Unavailable, message)),
            false => Err(Error::new(ErrorKind::Sink, message)),
        }
    }
}

/// Returns a URL without what stands before the host.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

impl Sink for HttpSink {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn delivery(&self) -> Delivery {
        match self.is_idempotent {
            true => Delivery::Idempotent,
            false => Delivery::AtLeastOnce,
        }
    }

    fn start(&mut self, context: &SinkContext) -> Result<()> {
        self.query.clone_from(&context.query);
        self.sent = (0, 0);
        Ok(())
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        let (mut part, mut waiting) = (0, Vec::new());
        for batch in output.batches {
            for line in json_lines(&batch?)?.split_inclusive(|&byte| byte == b'\n') {
                if !waiting.is_empty() && waiting.len() + line.len() > self.part_bytes {
                    self.send(output.epoch, part, &waiting)?;
                    part += 1;
                    waiting.clear();
                }
                waiting.extend_from_slice(line);
            }
        }
        match waiting.is_empty() {
            true => Ok(()),
            false => self.send(output.epoch, part, &waiting),
        }
    }

    fn commit(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_in_the_name() {
        for (url, name) in [
            ("http://host:80/path", "http://host:80/path"),
            ("https://me:secret@host/path@2", "https://host/path@2"),
            ("http://me:secret@host?a=b@c", "http://host?a=b@c"),
            ("http://me:secret@host", "http://host"),
        ] {
            let sink = HttpSink::new(url, Settings::default()).unwrap();
            assert_eq!(sink.describe(), name);
        }
    }
}
