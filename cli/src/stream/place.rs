//! Sources and sinks by their URLs.
#![forbid(unsafe_code)]

use std::io::Read;
use std::path::Path;

use keymill::stream::{
    ConsoleSink, FilesSink, FolderSource, RateSource, ReaderStream, Sink, StreamSource, TailSource,
    TcpSource,
};
use keymill::write::Format;
use keymill::{Error, ErrorKind, Result};

use super::dataset::DatasetSource;
use super::topic::{self, Group};
use super::{database, store, web};
use crate::args::SinkArgs;
use crate::storage;

const SOURCES: &str = "tcp://HOST:PORT, tcp-listen://HOST:PORT, unix:PATH, dir:PATH, tail:FILE, \
                       hdfs://HOST:PORT/PATH, s3://BUCKET/PREFIX, stdin:, \
                       kafka://HOST:PORT/TOPIC, http-listen://HOST:PORT, \
                       rate:ROWS_PER_SECOND, rate-per-epoch:ROWS or dataset:NAME";

const SINKS: &str = "console:, files:DIR, hdfs://HOST:PORT/PATH, s3://BUCKET/PREFIX, sqlite:FILE?table=NAME, \
                     postgres://USER@HOST:PORT/DATABASE?table=NAME, \
                     kafka://HOST:PORT/TOPIC, http://HOST:PORT/PATH, opensearch://HOST:PORT/INDEX, \
                     hbase://HOST:PORT/TABLE, cassandra://HOST:PORT/KEYSPACE/TABLE, \
                     redis://HOST:PORT/PREFIX or memcached://HOST:PORT/PREFIX";

/// The source of a URL, but for Kafka.
pub(super) fn source(
    url: &str,
    options: &[(String, String)],
    log: Option<&Path>,
) -> Result<Box<dyn StreamSource>> {
    if let Some(address) = url.strip_prefix("http-listen://") {
        return web::source(address, options, log);
    }
    if let Some(folder) = storage::folder(url, options)? {
        return Ok(folder.into());
    }
    refuse_options(url, options)?;
    if url == "-" {
        return source("stdin:", options, log);
    }
    let reader = |source: ReaderStream| match log {
        Some(log) => source.write_ahead_log(log).into(),
        None => source.into(),
    };
    let tcp = |source: TcpSource| match log {
        Some(log) => source.write_ahead_log(log).into(),
        None => source.into(),
    };
    let unknown = || unknown("source", url, SOURCES);
    let (scheme, rest) = url.split_once(':').ok_or_else(unknown)?;
    let address = rest.strip_prefix("//");
    Ok(match (scheme, address) {
        ("tcp", Some(address)) => tcp(TcpSource::connect(address)),
        ("tcp-listen", Some(address)) => tcp(TcpSource::listen_on_start(address)),
        ("unix", _) => reader(unix(address.unwrap_or(rest))),
        ("dir", _) => FolderSource::new(rest).into(),
        ("dataset", _) => DatasetSource::parse(url, rest)?.into(),
        ("tail", _) if !rest.is_empty() => TailSource::new(rest).into(),
        ("stdin", _) if rest.is_empty() => reader(ReaderStream::stdin()),
        ("rate", _) => rate(url, rest, RateSource::per_second)?.into(),
        ("rate-per-epoch", _) => rate(url, rest, RateSource::per_epoch)?.into(),
        _ => return Err(unknown()),
    })
}

fn unix(path: &str) -> ReaderStream {
    let connected = path.to_owned();
    ReaderStream::open_on_start(&format!("unix:{path}"), move || connect(&connected))
}

#[cfg(unix)]
fn connect(path: &str) -> Result<Box<dyn Read + Send>> {
    let stream = std::os::unix::net::UnixStream::connect(path).map_err(|cause| {
        let message = format!("cannot connect to `{path}`; start the server first");
        Error::new(ErrorKind::Source, message).with_source(cause)
    })?;
    Ok(Box::new(stream))
}

#[cfg(not(unix))]
fn connect(path: &str) -> Result<Box<dyn Read + Send>> {
    let message = format!("`unix:{path}`: this system has no Unix sockets");
    Err(Error::new(ErrorKind::Config, message))
}

/// The source of `ROWS`, or of `ROWS?keys=KEYS`.
fn rate(url: &str, rest: &str, source: impl Fn(u64) -> RateSource) -> Result<RateSource> {
    let wrong = || {
        let message =
            format!("`{url}`: write a number of rows, such as rate:1000, or rate:1000?keys=50");
        Error::new(ErrorKind::Config, message)
    };
    let number = |text: &str| text.parse().map_err(|_| wrong());
    match rest.split_once('?') {
        None => Ok(source(number(rest)?)),
        Some((rows, options)) => {
            let keys = options.strip_prefix("keys=").ok_or_else(wrong)?;
            let keys = number(keys)?;
            match keys {
                0 => Err(wrong()),
                _ => Ok(source(number(rows)?).keys(keys)),
            }
        }
    }
}

/// The sink of a URL. With a group, a topic of Kafka commits the offsets of the source.
pub(super) fn sink(url: &str, args: &SinkArgs, group: Option<&Group>) -> Result<Box<dyn Sink>> {
    if url.starts_with("kafka:") {
        return topic::sink(url, &args.to_option, group);
    }
    if url.starts_with("http:") || url.starts_with("https:") {
        return web::sink(url, &args.to_option);
    }
    if let Some(sink) = store::sink(url, &args.to_option) {
        return sink;
    }
    let format = args.format.unwrap_or(Format::Tsv);
    if let Some(sink) = storage::sink(url, &args.to_option)? {
        return Ok(sink.format(format).into());
    }
    refuse_options(url, &args.to_option)?;
    match url.split_once(':') {
        Some(("console", "")) => Ok(args
            .top
            .map_or_else(ConsoleSink::new, ConsoleSink::top)
            .into()),
        Some(("files", folder)) if !folder.is_empty() => {
            Ok(FilesSink::new(folder).format(format).into())
        }
        Some(("sqlite", rest)) if !rest.is_empty() => database::sqlite(url, rest),
        Some(("postgres" | "postgresql", _)) => database::postgres(url),
        _ => Err(unknown("sink", url, SINKS)),
    }
}

fn refuse_options(url: &str, options: &[(String, String)]) -> Result<()> {
    match options.first() {
        Some((name, _)) => {
            let message = format!(
                "`{name}` is a setting, and `{}` has none; only Kafka, HTTP, HDFS, S3 and stores have settings",
                without_password(url)
            );
            Err(Error::new(ErrorKind::Config, message))
        }
        None => Ok(()),
    }
}

fn unknown(what: &str, url: &str, known: &str) -> Error {
    let url = without_password(url);
    let message = format!("`{url}` is not a {what}; use {known}");
    Error::new(ErrorKind::Config, message)
}

/// A URL that may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((login, place)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        None => url.to_owned(),
    }
}
