//! Topics of Kafka as sources and sinks.
#![forbid(unsafe_code)]

use keymill::Result;
use keymill::read::RowLines;
use keymill::stream::{Sink, StreamSource};

use crate::args::{Share, SourceArgs};

type Options = [(String, String)];

/// The consumer group of a query, which its source and its sink must know.
pub(super) struct Group(#[cfg(feature = "kafka")] keymill_connectors::KafkaGroup);

impl Group {
    /// The group that the sources name.
    pub(super) fn of<'a>(mut sources: impl Iterator<Item = &'a SourceArgs>) -> Option<Self> {
        sources.find_map(|source| match &source.share {
            Some(Share::Group(_name)) => Some(Self(
                #[cfg(feature = "kafka")]
                keymill_connectors::KafkaGroup::new(_name),
            )),
            _ => None,
        })
    }
}

/// `kafka://HOST:PORT/TOPIC`
#[cfg(feature = "kafka")]
pub(super) fn source(
    url: &str,
    args: &SourceArgs,
    group: Option<&Group>,
    lines: Option<RowLines>,
) -> Result<Box<dyn StreamSource>> {
    let settings = crate::kafka::settings(url, &args.from_option)?;
    let source = keymill_connectors::KafkaSource::new(settings)?;
    let source = match (&args.share, group) {
        (Some(Share::Fixed(share, of)), _) => source.share(*share, *of)?,
        (Some(Share::Group(_)), Some(group)) => source.in_group(&group.0)?,
        _ => source,
    };
    match lines {
        Some(lines) => source.rows(lines),
        None if source.keeps_dead_letters() => {
            let message = "`dead.letters` keeps lines that are not valid rows: name the columns with --columns";
            Err(keymill::Error::new(keymill::ErrorKind::Config, message))
        }
        None => Ok(source.into()),
    }
}

/// `kafka://HOST:PORT/TOPIC`; with a group, it commits the offsets of the source.
#[cfg(feature = "kafka")]
pub(super) fn sink(url: &str, options: &Options, group: Option<&Group>) -> Result<Box<dyn Sink>> {
    let settings = crate::kafka::settings(url, options)?;
    let sink = keymill_connectors::KafkaSink::new(settings)?;
    Ok(match group {
        Some(group) => sink.with_offsets_of(&group.0).into(),
        None => sink.into(),
    })
}

#[cfg(not(feature = "kafka"))]
pub(super) fn source(
    _: &str,
    _: &SourceArgs,
    _: Option<&Group>,
    _: Option<RowLines>,
) -> Result<Box<dyn StreamSource>> {
    Err(super::not_built("kafka"))
}

#[cfg(not(feature = "kafka"))]
pub(super) fn sink(_: &str, _: &Options, _: Option<&Group>) -> Result<Box<dyn Sink>> {
    Err(super::not_built("kafka"))
}
