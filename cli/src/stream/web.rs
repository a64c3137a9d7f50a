//! HTTP as sources and sinks.
#![forbid(unsafe_code)]

use std::path::Path;

use keymill::Result;
use keymill::stream::{Sink, StreamSource};
#[cfg(feature = "http")]
use keymill_connectors::{HttpSink, HttpSource, Settings};

type Options = [(String, String)];

#[cfg(feature = "http")]
fn settings(options: &Options) -> Settings {
    let options = options.iter();
    options.fold(Settings::new(), |settings, (name, value)| {
        settings.set(name, value)
    })
}

/// `http-listen://HOST:PORT`
#[cfg(feature = "http")]
pub(super) fn source(
    address: &str,
    options: &Options,
    log: Option<&Path>,
) -> Result<Box<dyn StreamSource>> {
    let log = log.map(Path::to_owned);
    Ok(HttpSource::new(address, settings(options), log)?.into())
}

/// `http://HOST:PORT/PATH`
#[cfg(feature = "http")]
pub(super) fn sink(url: &str, options: &Options) -> Result<Box<dyn Sink>> {
    Ok(HttpSink::new(url, settings(options))?.into())
}

#[cfg(not(feature = "http"))]
pub(super) fn source(_: &str, _: &Options, _: Option<&Path>) -> Result<Box<dyn StreamSource>> {
    Err(super::not_built("http"))
}

#[cfg(not(feature = "http"))]
pub(super) fn sink(_: &str, _: &Options) -> Result<Box<dyn Sink>> {
    Err(super::not_built("http"))
}
