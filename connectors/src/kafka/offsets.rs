//! The next offsets of partitions, as a checkpoint stores them: `{"visits": {"0": 17, "1": 4}}`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use keymill::stream::History;
use keymill::{Error, ErrorKind, Result};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Map, Value};

use super::share;

/// The next offset of each partition of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offsets(pub(super) BTreeMap<i32, i64>);

/// The offsets of topics by their names.
pub(super) type Topics = BTreeMap<String, Offsets>;

impl Offsets {
    /// Reads `{"0":17}`. Returns `None` if it is something else.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let pairs = value.as_object()?.iter();
        let pairs = pairs.map(|(number, offset)| Some((number.parse().ok()?, offset.as_i64()?)));
        pairs.collect::<Option<_>>().map(Self)
    }

    fn to_json(&self) -> Value {
        let pairs = self.0.iter();
        let pairs = pairs.map(|(number, offset)| (number.to_string(), Value::from(*offset)));
        Value::Object(pairs.collect::<Map<String, Value>>())
    }

    pub(super) fn get(&self, number: i32) -> Option<i64> {
        self.0.get(&number).copied()
    }

    /// The form of the client.
    pub(super) fn to_list(
        &self,
        topic: &str,
    ) -> std::result::Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (number, offset) in &self.0 {
            list.add_partition_offset(topic, *number, Offset::Offset(*offset))?;
        }
        Ok(list)
    }
}

/// The offset of a partition.
pub(super) fn of(topics: &Topics, topic: &str, number: i32) -> Option<i64> {
    topics.get(topic).and_then(|offsets| offsets.get(number))
}

pub(super) fn insert(topics: &mut Topics, topic: &str, number: i32, offset: i64) {
    let offsets = topics.entry(topic.to_owned()).or_default();
    offsets.0.insert(number, offset);
}

/// All partitions with their offsets.
pub(super) fn places(topics: &Topics) -> impl Iterator<Item = (&str, i32, i64)> {
    topics.iter().flat_map(|(topic, offsets)| {
        let offsets = offsets.0.iter();
        offsets.map(move |(&number, &offset)| (&**topic, number, offset))
    })
}

/// The form of the client.
pub(super) fn to_list(topics: &Topics) -> std::result::Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (topic, number, offset) in places(topics) {
        list.add_partition_offset(topic, number, Offset::Offset(offset))?;
    }
    Ok(list)
}

/// The offsets of a list, of partitions that have one.
pub(super) fn from_list(list: &TopicPartitionList) -> Topics {
    let mut topics = Topics::new();
    for place in list.elements() {
        if let Offset::Offset(offset) = place.offset() {
            insert(&mut topics, place.topic(), place.partition(), offset);
        }
    }
    topics
}

/// Reads `{"visits":{"0":17}}`. Returns `None` if it is something else.
pub(super) fn parse_topics(value: &Value) -> Option<Topics> {
    let pairs = value.as_object()?.iter();
    let pairs = pairs.map(|(topic, offsets)| Some((topic.clone(), Offsets::parse(offsets)?)));
    pairs.collect()
}

/// The offsets that a checkpoint has.
pub(super) fn stored(value: &Value) -> Result<Topics> {
    parse_topics(&share::without(value)).ok_or_else(|| {
        let message =
            format!("`{value}` in the checkpoint does not have the form of Kafka's offsets");
        Error::new(ErrorKind::Checkpoint, message)
    })
}

/// What was read before.
pub(super) fn after(history: &History) -> Result<Topics> {
    let last = history.ranges.last().map(|range| &range.end);
    let value = last.or(history.position.as_ref());
    value.map_or_else(|| Ok(Topics::new()), stored)
}

pub(super) fn to_json<'a>(topics: impl Iterator<Item = (&'a str, &'a Offsets)>) -> Value {
    let pairs = topics.map(|(topic, offsets)| (topic.to_owned(), offsets.to_json()));
    Value::Object(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_stored_and_read() {
        let text = r#"{"a":{"0":17,"10":4},"b":{"2":9007199254740993}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        let topics = parse_topics(&value).unwrap();
        assert_eq!(topics["b"].get(2), Some(9_007_199_254_740_993));
        assert_eq!(
            to_json(topics.iter().map(|(topic, it)| (&**topic, it))),
            value
        );
        for wrong in [r#"{"0":17}"#, r#"{"a":{"x":1}}"#, r#"{"a":{"0":"1"}}"#, "7"] {
            let wrong = serde_json::from_str(wrong).unwrap();
            assert_eq!(parse_topics(&wrong), None);
            assert!(stored(&wrong).is_err());
        }
    }
}
