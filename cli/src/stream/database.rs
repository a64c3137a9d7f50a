//! Databases as sinks.
#![forbid(unsafe_code)]

use keymill::Result;
use keymill::stream::Sink;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use keymill::{Error, ErrorKind};

/// `sqlite:FILE?table=NAME`.
#[cfg(feature = "sqlite")]
pub(super) fn sqlite(url: &str, rest: &str) -> Result<Box<dyn Sink>> {
    let Some((file, option)) = rest.rsplit_once('?') else {
        return Ok(keymill_connectors::SqliteSink::new(rest).into());
    };
    let sink = keymill_connectors::SqliteSink::new(file);
    match option.split_once('=') {
        Some(("table", name)) => Ok(sink.table(name).into()),
        _ => {
            let message = format!("`{url}`: `{option}` is not an option; use ?table=NAME");
            Err(Error::new(ErrorKind::Config, message))
        }
    }
}

/// `postgres://USER@HOST:PORT/DATABASE?table=NAME`, and the options of a connection.
#[cfg(feature = "postgres")]
pub(super) fn postgres(url: &str) -> Result<Box<dyn Sink>> {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let options = options.split('&').filter(|option| !option.is_empty());
    let is_table = |option: &&str| option.starts_with("table=");
    let (tables, others): (Vec<&str>, Vec<&str>) = options.partition(is_table);
    let sink = keymill_connectors::PostgresSink::new(&format!("{address}?{}", others.join("&")))?;
    match tables[..] {
        [] => Ok(sink.into()),
        [table] => Ok(sink.table(&table["table=".len()..]).into()),
        _ => Err(Error::new(ErrorKind::Config, "name one table: ?table=NAME")),
    }
}

#[cfg(not(feature = "sqlite"))]
pub(super) fn sqlite(_: &str, _: &str) -> Result<Box<dyn Sink>> {
    Err(super::not_built("sqlite"))
}

#[cfg(not(feature = "postgres"))]
pub(super) fn postgres(_: &str) -> Result<Box<dyn Sink>> {
    Err(super::not_built("postgres"))
}
