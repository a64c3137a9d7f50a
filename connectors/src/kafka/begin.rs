//! Where a query without a checkpoint begins.
#![forbid(unsafe_code)]

use keymill::{Error, ErrorKind, Result};
use serde_json::Value;

use super::KafkaSettings;
use super::offsets::{Offsets, Topics, parse_topics};

/// Where a query without a checkpoint begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Begin {
    Earliest,
    Latest,
    Refused,
    Timestamp(i64),
    /// Offsets of the only topic.
    Offsets(Offsets),
    Topics(Topics),
}

/// Reads `{"0":17}`, or as Spark writes it, `{"visits":{"0":17}}`.
fn starts(text: &str) -> Option<Begin> {
    let value: Value = serde_json::from_str(text).ok()?;
    let is_empty = value.as_object().is_none_or(serde_json::Map::is_empty);
    let topics = parse_topics(&value).map(Begin::Topics);
    let starts = topics.or_else(|| Offsets::parse(&value).map(Begin::Offsets));
    starts.filter(|_| !is_empty)
}

impl Begin {
    /// Takes it out of the settings.
    pub(super) fn take(place: &mut KafkaSettings) -> Result<Self> {
        let reset = place.take("auto.offset.reset");
        let mut begin = match reset.as_deref() {
            None | Some("smallest" | "earliest" | "beginning") => Begin::Earliest,
            Some("largest" | "latest" | "end") => Begin::Latest,
            Some("error" | "none") => Begin::Refused,
            Some(other) => {
                let known = "earliest, latest or error";
                return Err(wrong("auto.offset.reset", other, known));
            }
        };
        if let Some(time) = place.take("starting.timestamp") {
            let parsed = time.parse();
            let parsed = parsed.map_err(|_| wrong("starting.timestamp", &time, "milliseconds"))?;
            begin = Begin::Timestamp(parsed);
        }
        match place.take("starting.offsets").as_deref() {
            None => {}
            Some("earliest") => begin = Begin::Earliest,
            Some("latest") => begin = Begin::Latest,
            Some(text) => {
                let known = "JSON such as {\"0\":17} or {\"visits\":{\"0\":17}}";
                begin = starts(text).ok_or_else(|| wrong("starting.offsets", text, known))?;
            }
        }
        Ok(begin)
    }

    /// The offset that is set for a partition: -2 is the oldest, -1 the end, as Spark writes them.
    pub(super) fn offset(&self, topic: &str, number: i32) -> i64 {
        const OLDEST: i64 = -2;
        const END: i64 = -1;
        let set = match self {
            Begin::Offsets(offsets) => offsets.get(number),
            Begin::Topics(topics) => topics.get(topic).and_then(|it| it.get(number)),
            Begin::Latest => Some(END),
            _ => None,
        };
        set.unwrap_or(OLDEST)
    }
}

/// The error of a setting of keymill.
pub(super) fn wrong(name: &str, value: &str, known: &str) -> Error {
    let message = format!("`{name}` cannot be `{value}`; use {known}");
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(name: &str, value: &str) -> Result<Begin> {
        Begin::take(&mut KafkaSettings::new("b", "visits").set(name, value))
    }

    #[test]
    fn old_and_new_spellings_are_read() {
        for old in ["smallest", "earliest", "beginning"] {
            assert_eq!(taken("auto.offset.reset", old).unwrap(), Begin::Earliest);
        }
        for old in ["largest", "latest", "end"] {
            assert_eq!(taken("auto.offset.reset", old).unwrap(), Begin::Latest);
        }
        let spark = taken("starting.offsets", r#"{"visits":{"0":17,"1":-1}}"#).unwrap();
        let offsets = |topic, number| spark.offset(topic, number);
        assert_eq!(offsets("visits", 0), 17);
        assert_eq!(offsets("visits", 1), -1);
        assert_eq!(offsets("visits", 2), -2);
        assert_eq!(offsets("other", 0), -2);
        let short = taken("starting.offsets", r#"{"3":5}"#).unwrap();
        assert_eq!(short.offset("visits", 3), 5);
        for wrong in ["7", "{}", "{\"a\":1}", "middle", ""] {
            let error = taken("starting.offsets", wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
        }
    }
}
