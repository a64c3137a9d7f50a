//! Topics of Kafka as sources and sinks.
#![forbid(unsafe_code)]

use keymill::Result;
use keymill::read::RowLines;
use keymill::stream::{Sink, StreamSource};

type Options = [(String, String)];

/// `kafka://HOST:PORT/TOPIC`
#[cfg(feature = "kafka")]
pub(super) fn source(
    url: &str,
    options: &Options,
    lines: Option<RowLines>,
) -> Result<Box<dyn StreamSource>> {
    let settings = crate::kafka::settings(url, options)?;
    let source = keymill_connectors::KafkaSource::new(settings)?;
    match lines {
        Some(lines) => source.rows(lines),
        None if source.keeps_dead_letters() => {
            let message = "`dead.letters` keeps lines that are no rows: name their --columns";
            Err(keymill::Error::new(keymill::ErrorKind::Config, message))
        }
        None => Ok(source.into()),
    }
}

/// `kafka://HOST:PORT/TOPIC`
#[cfg(feature = "kafka")]
pub(super) fn sink(url: &str, options: &Options) -> Result<Box<dyn Sink>> {
    let settings = crate::kafka::settings(url, options)?;
    Ok(keymill_connectors::KafkaSink::new(settings)?.into())
}

#[cfg(not(feature = "kafka"))]
pub(super) fn source(_: &str, _: &Options, _: Option<RowLines>) -> Result<Box<dyn StreamSource>> {
    Err(super::not_built("kafka"))
}

#[cfg(not(feature = "kafka"))]
pub(super) fn sink(_: &str, _: &Options) -> Result<Box<dyn Sink>> {
    Err(super::not_built("kafka"))
}
