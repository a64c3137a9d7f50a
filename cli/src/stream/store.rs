//! Stores as sinks.
#![forbid(unsafe_code)]

use keymill::stream::Sink;
use keymill::{Error, ErrorKind, Result};

type Options = [(String, String)];

/// The sink of a store, if the scheme of the URL is one.
pub(super) fn sink(url: &str, options: &Options) -> Option<Result<Box<dyn Sink>>> {
    let open = match url.split_once("://")?.0 {
        "opensearch" | "elasticsearch" => opensearch,
        "hbase" => hbase,
        "redis" | "rediss" => redis,
        "memcached" => memcached,
        "cassandra" => cassandra,
        _ => return None,
    };
    let options = options.iter().map(|(name, value)| environment(name, value));
    let options = options.collect::<Result<Vec<_>>>();
    Some(options.and_then(|options| open(url, &options)))
}

/// `NAME.env=VARIABLE` is the setting NAME with the value of a variable.
fn environment(name: &str, value: &str) -> Result<(String, String)> {
    let Some(setting) = name.strip_suffix(".env") else {
        return Ok((name.to_owned(), value.to_owned()));
    };
    match std::env::var(value) {
        Ok(secret) => Ok((setting.to_owned(), secret)),
        Err(_) => {
            let message = format!("`{name}` names the variable `{value}`, which is not set");
            Err(Error::new(ErrorKind::Config, message))
        }
    }
}

#[cfg(any(
    feature = "opensearch",
    feature = "hbase",
    feature = "redis",
    feature = "memcached",
    feature = "cassandra"
))]
fn settings(options: &Options) -> keymill_connectors::Settings {
    let none = keymill_connectors::Settings::new();
    let options = options.iter();
    options.fold(none, |settings, (name, value)| settings.set(name, value))
}

/// A function that opens a store, or says that it was not built in.
macro_rules! store {
    ($name:ident, $feature:literal, $sink:ident) => {
        #[cfg(feature = $feature)]
        fn $name(url: &str, options: &Options) -> Result<Box<dyn Sink>> {
            Ok(keymill_connectors::$sink::new(url, settings(options))?.into())
        }

        #[cfg(not(feature = $feature))]
        fn $name(_: &str, _: &Options) -> Result<Box<dyn Sink>> {
            Err(super::not_built($feature))
        }
    };
}

store!(opensearch, "opensearch", OpenSearchSink);
store!(hbase, "hbase", HBaseSink);
store!(redis, "redis", RedisSink);
store!(memcached, "memcached", MemcachedSink);
store!(cassandra, "cassandra", CassandraSink);
