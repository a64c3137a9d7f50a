//! Topics and their partitions: which there are, and what they have.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use keymill::{Error, ErrorKind, Result};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use regex::Regex;

use super::failure::{all_answered, failed};
use super::offsets::Offsets;
use super::settings::{ANSWER, KafkaSettings};

/// The pause before something is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// The oldest offset of a partition, and the one after the newest.
pub(super) type Watermarks = (i64, i64);

/// Which topics a source reads.
#[derive(Clone, Debug)]
pub(super) enum Which {
    Named(Vec<String>),
    Matching(Regex),
}

impl Which {
    /// Reads a name, several with commas, or a pattern that begins with `^`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if !text.starts_with('^') {
            let mut names: Vec<String> = text.split(',').map(str::to_owned).collect();
            names.sort_unstable();
            names.dedup();
            return Ok(Self::Named(names));
        }
        let pattern = Regex::new(text).map_err(|cause| {
            let message = format!("`{text}` is not a pattern of topics");
            Error::new(ErrorKind::Config, message).with_source(cause)
        })?;
        Ok(Self::Matching(pattern))
    }

    /// The topics that there are now, without Kafka's own if it is a pattern.
    pub(super) fn topics(
        &self,
        consumer: &BaseConsumer,
        place: &KafkaSettings,
    ) -> Result<Vec<String>> {
        let pattern = match self {
            Self::Named(names) => return Ok(names.clone()),
            Self::Matching(pattern) => pattern,
        };
        let metadata = consumer.fetch_metadata(None, ANSWER);
        let metadata = metadata.map_err(|cause| silent(place, cause))?;
        let names = metadata.topics().iter().map(MetadataTopic::name);
        let names = names.filter(|name| !name.starts_with("__") && pattern.is_match(name));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        if names.is_empty() {
            let message = format!("no topic matches `{}`; create one first", place.describe());
            return Err(Error::new(ErrorKind::Source, message));
        }
        Ok(names)
    }
}

/// Asks again for some time while an error passes: a topic that was just made has partitions before they have
/// leaders.
pub(super) fn patiently<T>(mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let until = Instant::now() + ANSWER;
    loop {
        match ask() {
            Err(error) if error.kind() == ErrorKind::Unavailable && Instant::now() < until => {
                std::thread::sleep(AGAIN);
            }
            result => return result,
        }
    }
}

/// The partitions of a topic.
pub(super) fn partitions<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    place: &KafkaSettings,
    name: &str,
) -> Result<Vec<i32>> {
    let until = Instant::now() + ANSWER;
    loop {
        let metadata = consumer.fetch_metadata(Some(name), ANSWER);
        let metadata = metadata.map_err(|cause| silent(place, cause))?;
        let topic = metadata.topics().iter().find(|it| it.name() == name);
        let found = topic.map(MetadataTopic::partitions).unwrap_or_default();
        if !found.is_empty() && found.iter().all(|it| it.leader() >= 0) {
            let mut numbers: Vec<i32> = found.iter().map(|it| it.id()).collect();
            numbers.sort_unstable();
            return Ok(numbers);
        }
        // A broker that has just started knows its topics a little later.
        if Instant::now() > until {
            let message = match found.is_empty() {
                true => format!(
                    "`{}`: there is no such topic as `{name}`; create it first",
                    place.describe()
                ),
                false => format!(
                    "`{}`: a partition of `{name}` has no leader",
                    place.describe()
                ),
            };
            return Err(Error::new(ErrorKind::Source, message));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn silent(place: &KafkaSettings, cause: KafkaError) -> Error {
    let message = format!("`{}` does not answer", place.describe());
    failed(ErrorKind::Source, &message, cause)
}

pub(super) fn watermarks<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    place: &KafkaSettings,
    topic: &str,
    number: i32,
) -> Result<Watermarks> {
    let oldest = offset_at(consumer, topic, number, Offset::Beginning);
    let marks = oldest.and_then(|oldest| {
        let end = offset_at(consumer, topic, number, Offset::End)?;
        Ok((oldest, end))
    });
    marks.map_err(|cause| {
        let message = format!("`{}` does not tell its offsets", place.describe());
        failed(ErrorKind::Source, &message, cause)
    })
}

/// The offset of the first message since a time, in milliseconds since 1970; `None` if there is none yet.
pub(super) fn offset_since<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    number: i32,
    time: i64,
) -> std::result::Result<Option<i64>, KafkaError> {
    match ask(consumer, topic, number, Offset::Offset(time))? {
        Offset::Offset(offset) => Ok(Some(offset)),
        Offset::End => Ok(None),
        _ => Err(NO_OFFSET),
    }
}

/// The oldest offset of a partition ([`Offset::Beginning`]), or the one after the newest ([`Offset::End`]).
///
/// librdkafka's own request for both gives one of them twice if the answer for the other is an error.
pub(super) fn offset_at<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    number: i32,
    at: Offset,
) -> std::result::Result<i64, KafkaError> {
    match ask(consumer, topic, number, at)? {
        Offset::Offset(offset) => Ok(offset),
        _ => Err(NO_OFFSET),
    }
}

const NO_OFFSET: KafkaError = KafkaError::OffsetFetch(RDKafkaErrorCode::Fail);

fn ask<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    number: i32,
    at: Offset,
) -> std::result::Result<Offset, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, number, at)?;
    let found = all_answered(consumer.offsets_for_times(list, ANSWER)?)?;
    let found = found.find_partition(topic, number);
    Ok(found.map_or(Offset::Invalid, |it| it.offset()))
}

/// The error of messages that come next and are not there.
pub(super) fn gap(topic: &str, number: i32, expected: i64, (oldest, end): Watermarks) -> Error {
    let message = format!(
        "topic `{topic}`, partition {number}: offset {expected} comes next, and the broker has the \
         offsets from {oldest} to {end}: messages were deleted before they were read, or the topic \
         is another one; set `on.gap` to `skip` to go on without them, or begin with another \
         checkpoint"
    );
    Error::new(ErrorKind::Source, message)
}

/// Reads these partitions from these offsets on, and no others.
pub(super) fn assign(
    consumer: &BaseConsumer,
    place: &KafkaSettings,
    topic: &str,
    at: &Offsets,
) -> Result<()> {
    let assigned = at.to_list(topic).and_then(|list| consumer.assign(&list));
    assigned.map_err(|cause| {
        let message = format!("`{}` cannot be read", place.describe());
        failed(ErrorKind::Source, &message, cause)
    })
}
