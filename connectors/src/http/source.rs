//! A server as a source of lines.
#![forbid(unsafe_code)]

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keymill::stream::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource};
use keymill::{Error, ErrorKind, Result};

use super::budget::Budget;
use super::log::Log;
use super::segment;
use super::server::{Rules, Server};
use super::tls;
use crate::settings::{Settings, wrong};

const KNOWN: &str = "ack, token, token.file, max.body.bytes, max.decompressed.bytes, max.connections, \
                     timeout.ms, tls.cert and tls.key";

/// The lines of bodies that clients send to `POST /ingest`.
///
/// | setting | meaning |
/// |---|---|
/// | `ack` | when a body is answered with 200: `durable`, when it is in the log on disk (default), or `accepted`, when it is in memory |
/// | `token`, `token.file` | clients need `Authorization: Bearer TOKEN` |
/// | `max.body.bytes` | of a body as it is sent, 16 MiB |
/// | `max.decompressed.bytes` | of a body of gzip, 64 MiB |
/// | `max.connections` | 256; further ones wait |
/// | `timeout.ms` | how long the head of a request, or the next piece of its body, may take: 30 000 |
/// | `tls.cert`, `tls.key` | files of PEM: the server speaks HTTPS with this certificate, and those up to its authority, and with this key |
pub struct HttpSource {
    address: String,
    rules: Rules,
    folder: Option<PathBuf>,
    /// Dropped before the log: it waits for requests that are under way.
    server: Option<Server>,
    log: Option<Log>,
    /// The lock of the log's folder.
    lock: Option<File>,
}

impl HttpSource {
    /// Listens on an address from the start of the query on. `log` is the folder of the log, in which
    /// bodies stay until their epoch is committed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a setting is wrong, or if bodies must be durable and there is no log.
    pub fn new(
        address: impl Into<String>,
        mut settings: Settings,
        log: Option<PathBuf>,
    ) -> Result<Self> {
        let address = address.into();
        match (settings.take("ack").as_deref(), &log) {
            (None | Some("durable"), Some(_)) | (Some("accepted"), None) => {}
            (Some("accepted"), Some(_)) => {
                let message = "`ack` is `accepted`, which needs no log; leave one of them out";
                return Err(Error::new(ErrorKind::Config, message));
            }
            (None | Some("durable"), None) => {
                let message = format!(
                    "`http-listen://{address}` answers when bodies are durable: name a folder for its \
                     log (--wal DIR), or set `ack` to `accepted`, and a crash loses what no epoch has \
                     committed"
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
            (Some(other), _) => return Err(wrong("ack", other, "durable or accepted")),
        }
        let rules = Rules {
            token: settings.token()?,
            most_body: settings.number("max.body.bytes", 16 << 20)?,
            most_decompressed: settings.number("max.decompressed.bytes", 64 << 20)?,
            most_connections: settings.number("max.connections", 256)?.min(1 << 20),
            patience: settings.time("timeout.ms", Duration::from_secs(30))?,
            tls: tls::acceptor(&mut settings)?,
        };
        settings.finish(KNOWN)?;
        Ok(Self {
            address,
            rules,
            folder: log,
            server: None,
            log: None,
            lock: None,
        })
    }

    /// Keeps other queries from the log.
    fn lock(folder: &Path) -> Result<File> {
        let locked = segment::lock(folder).map_err(|cause| {
            let message = format!("cannot use the log `{}`", folder.display());
            Error::new(ErrorKind::Source, message).with_source(cause)
        })?;
        locked.ok_or_else(|| {
            let message = format!(
                "the log `{}` is in use by another query; give each query a folder of its own",
                folder.display()
            );
            Error::new(ErrorKind::Checkpoint, message)
        })
    }

    fn log(&self) -> Result<&Log> {
        let message = "the source was not started";
        let log = self.log.as_ref();
        log.ok_or_else(|| Error::new(ErrorKind::Internal, message))
    }
}

impl StreamSource for HttpSource {
    fn describe(&self) -> String {
        format!("http-listen://{}", self.address)
    }

    fn kind(&self) -> &'static str {
        "http"
    }

    fn replay(&self) -> Replay {
        match self.folder {
            Some(_) => Replay::SameBytes,
            None => Replay::Nothing,
        }
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        let listener = TcpListener::bind(&self.address).map_err(|cause| {
            let message = format!(
                "cannot listen on `{}`; choose a free HOST:PORT",
                self.address
            );
            Error::new(ErrorKind::Source, message).with_source(cause)
        })?;
        self.lock = self.folder.as_deref().map(Self::lock).transpose()?;
        let log = Log::open(
            self.folder.as_deref(),
            context.history.number(),
            context.wake,
            Budget::new(context.memory),
            context.memory,
        )?;
        self.server = Some(Server::start(listener, log.clone(), self.rules.clone())?);
        self.log = Some(log);
        Ok(())
    }

    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        self.log()?.next_range(limits)
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        Ok(EpochInput::Text(Arc::new(self.log()?.read(range)?)))
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        self.log()?.commit(range)
    }

    fn position(&self) -> serde_json::Value {
        self.log.as_ref().map_or(0, Log::committed).into()
    }

    fn waiting_bytes(&self) -> Option<u64> {
        self.log.as_ref().map(Log::waiting_bytes)
    }
}

impl Drop for HttpSource {
    fn drop(&mut self) {
        self.server = None;
        if let Some(log) = &self.log {
            log.close();
        }
    }
}
