//! A fixed share of the partitions of topics.
//!
//! The checkpoint notes the share beside the offsets, `{"1/3": {}, "visits": {"0": 17}}`, so that a query does
//! not continue with another one. No topic has such a name.
#![forbid(unsafe_code)]

use std::fmt;

use keymill::stream::History;
use keymill::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// One of several equal shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    number: u32,
    of: u32,
}

impl Share {
    pub(super) fn new(number: u32, of: u32) -> Result<Self> {
        match (1..=of).contains(&number) {
            true => Ok(Self { number, of }),
            false => {
                let message = format!(
                    "there is no share {number} of {of}; the shares of three processes are 1/3, 2/3 \
                     and 3/3"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    /// Whether a partition is in this share.
    pub(super) fn has(&self, partition: i32) -> bool {
        u32::try_from(partition).is_ok_and(|it| it % self.of + 1 == self.number)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

fn is_note(name: &str) -> bool {
    name.contains('/')
}

/// Offsets with the share beside them.
pub(super) fn noted(mut offsets: Value, share: Option<&Share>) -> Value {
    if let (Some(share), Some(topics)) = (share, offsets.as_object_mut()) {
        topics.insert(share.to_string(), Value::Object(Map::new()));
    }
    offsets
}

/// Offsets without the note of a share.
pub(super) fn without(offsets: &Value) -> Value {
    let mut offsets = offsets.clone();
    if let Some(topics) = offsets.as_object_mut() {
        topics.retain(|name, _| !is_note(name));
    }
    offsets
}

/// Refuses to continue with another share than before.
pub(super) fn check(history: &History, share: Option<&Share>) -> Result<()> {
    let last = history.ranges.last().map(|range| &range.end);
    let last = last.or(history.position.as_ref());
    let Some(topics) = last.and_then(Value::as_object) else {
        return Ok(());
    };
    let before = topics.keys().find(|name| is_note(name)).cloned();
    let now = share.map(Share::to_string);
    if before == now {
        return Ok(());
    }
    let named = |share: Option<String>| {
        share.map_or("all partitions".to_owned(), |it| format!("share {it}"))
    };
    let message = format!(
        "the checkpoint is of {}, and the query reads {}; continue as before, or begin with another \
         checkpoint",
        named(before),
        named(now)
    );
    Err(Error::new(ErrorKind::Checkpoint, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_is_in_one_share() {
        for of in 1..=5 {
            for partition in 0..20 {
                let shares = (1..=of).map(|number| Share::new(number, of).unwrap());
                assert_eq!(shares.filter(|share| share.has(partition)).count(), 1);
            }
        }
        for (number, of) in [(0, 3), (4, 3), (0, 0), (1, 0)] {
            assert!(Share::new(number, of).is_err(), "{number}/{of}");
        }
    }

    #[test]
    fn another_share_is_refused() {
        let share = |number| Share::new(number, 3).unwrap();
        let history = |share: Option<&Share>| {
            let mut history = History::default();
            let offsets = serde_json::json!({"visits": {"0": 17}});
            history.position = Some(noted(offsets, share));
            history
        };
        let cases = [None, Some(share(1)), Some(share(2))];
        for before in &cases {
            for now in &cases {
                let checked = check(&history(before.as_ref()), now.as_ref());
                assert_eq!(checked.is_ok(), before == now, "{before:?} {now:?}");
            }
        }
        let stored = history(Some(&share(2))).position.unwrap();
        assert_eq!(without(&stored), serde_json::json!({"visits": {"0": 17}}));
        check(&History::default(), Some(&share(1))).unwrap();
    }
}
