//! One topic of a source, with a client of its own: the client does not say which topic has ended.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keymill::{Error, ErrorKind, Result};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::KafkaSettings;
use super::begin::Begin;
use super::failure::{failed, is_passing};
use super::gather::{Form, Gathered};
use super::offsets::Offsets;
use super::partitions::{assign, gap, offset_since, partitions, patiently, watermarks};
use super::share::Share;

/// How long a replay waits for the next message.
const REPLAY: Duration = Duration::from_secs(30);

/// Messages that are taken from one topic before the next one.
const TURN: u64 = 1000;

/// What the topics of a source have in common.
pub(super) struct Rules {
    pub(super) place: KafkaSettings,
    pub(super) begin: Begin,
    pub(super) skips_gaps: bool,
    pub(super) has_group: bool,
    pub(super) form: Form,
    /// The partitions of this process, if others have the rest.
    pub(super) share: Option<Share>,
}

impl Rules {
    pub(super) fn consumer(&self) -> Result<BaseConsumer> {
        self.place.create(
            &[
                ("group.id", "keymill"),
                ("fetch.queue.backoff.ms", "1"),
                ("isolation.level", "read_committed"),
            ],
            &[
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "true"),
            ],
        )
    }

    pub(super) fn failed(&self, what: &str, cause: KafkaError) -> Error {
        let message = format!("`{}` {what}", self.place.describe());
        failed(ErrorKind::Source, &message, cause)
    }
}

/// A topic that is read.
pub(super) struct Reader {
    pub(super) topic: String,
    consumer: BaseConsumer,
    /// After what was chosen for epochs.
    pub(super) next: Offsets,
    pub(super) committed: Offsets,
    /// The partitions of which something was there at the start that was not read yet.
    behind: BTreeSet<i32>,
    /// Whether the consumer does not read all partitions of `next`, each from there on.
    is_in_doubt: bool,
    /// Messages that were gone before they were read.
    pub(super) skipped: u64,
}

impl Reader {
    /// Reads a topic from `next` on; new partitions begin as the rules say, or at their first message if
    /// the topic came after the start.
    pub(super) fn start(rules: &Rules, topic: &str, next: Offsets, is_new: bool) -> Result<Self> {
        let is_restart = is_new || !next.0.is_empty();
        let mut this = Self {
            topic: topic.to_owned(),
            consumer: rules.consumer()?,
            committed: next.clone(),
            next,
            behind: BTreeSet::new(),
            is_in_doubt: false,
            skipped: 0,
        };
        patiently(|| {
            this.add_partitions(rules, is_restart)?;
            this.check_gaps(rules)
        })?;
        this.behind = this.next.0.keys().copied().collect();
        this.assign(rules)?;
        Ok(this)
    }

    fn assign(&self, rules: &Rules) -> Result<()> {
        assign(&self.consumer, &rules.place, &self.topic, &self.next)
    }

    /// Looks for partitions that came after the start.
    pub(super) fn discover(&mut self, rules: &Rules) -> Result<()> {
        let before = self.next.0.len();
        let added = self.add_partitions(rules, true);
        self.is_in_doubt |= self.next.0.len() > before;
        added
    }

    #[cfg(test)]
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    /// Lets the consumer read each partition from `next` on.
    fn look_again(&mut self, rules: &Rules) -> Result<()> {
        self.check_gaps(rules)?;
        self.assign(rules)?;
        self.is_in_doubt = false;
        Ok(())
    }

    /// Adds the partitions that are not in `next`.
    fn add_partitions(&mut self, rules: &Rules, are_new: bool) -> Result<()> {
        let all = partitions(&self.consumer, &rules.place, &self.topic)?;
        let is_own = |number: &i32| rules.share.as_ref().is_none_or(|it| it.has(*number));
        for number in all.into_iter().filter(is_own) {
            if self.next.get(number).is_none() {
                let offset = self.first_offset(rules, number, are_new)?;
                self.next.0.insert(number, offset);
                self.committed.0.insert(number, offset);
            }
        }
        Ok(())
    }

    /// Where to begin in a partition that was not read before.
    fn first_offset(&self, rules: &Rules, number: i32, is_new: bool) -> Result<i64> {
        let (oldest, end) = watermarks(&self.consumer, &rules.place, &self.topic, number)?;
        match &rules.begin {
            // It came after the start, so all its messages are new.
            _ if is_new => Ok(oldest),
            Begin::Timestamp(time) => {
                let found = offset_since(&self.consumer, &self.topic, number, *time);
                let found =
                    found.map_err(|cause| rules.failed("does not tell offsets by time", cause));
                Ok(found?.unwrap_or(end))
            }
            Begin::Refused => {
                let message = format!(
                    "`{}`: the checkpoint has no offset of partition {number} of `{}`, and \
                     `auto.offset.reset` is `error`",
                    rules.place.describe(),
                    self.topic
                );
                Err(Error::new(ErrorKind::Source, message))
            }
            begin => Ok(match begin.offset(&self.topic, number) {
                -2 => oldest,
                -1 => end,
                offset => offset,
            }),
        }
    }

    /// Checks that the broker still has what comes next.
    fn check_gaps(&mut self, rules: &Rules) -> Result<()> {
        for (number, expected) in self.next.clone().0 {
            let (oldest, end) = watermarks(&self.consumer, &rules.place, &self.topic, number)?;
            if (oldest..=end).contains(&expected) {
                continue;
            }
            if rules.skips_gaps && expected < oldest {
                self.skipped += u64::try_from(oldest - expected).unwrap_or(0);
                self.next.0.insert(number, oldest);
                continue;
            }
            return Err(gap(&self.topic, number, expected, (oldest, end)));
        }
        Ok(())
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Takes what has arrived, for one turn. Waits for the first message. An error that passes comes again until
    /// it has passed, so that what was taken before it can be used first.
    pub(super) fn receive(
        &mut self,
        rules: &Rules,
        gathered: &mut Gathered,
        limits: (u64, u64),
        mut wait: Duration,
    ) -> Result<()> {
        if self.is_in_doubt {
            self.look_again(rules)?;
        }
        let turn = gathered.messages + TURN;
        let (bytes, messages) = (limits.0, limits.1.min(turn));
        while gathered.bytes < bytes && gathered.messages < messages {
            match self.consumer.poll(std::mem::take(&mut wait)) {
                None => return Ok(()),
                Some(Ok(message)) => {
                    gathered.push(&message, &rules.form);
                    let next = message.offset() + 1;
                    self.next.0.insert(message.partition(), next);
                }
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    self.behind.remove(&number);
                }
                Some(Err(error)) => self.survive(rules, error)?,
            }
        }
        Ok(())
    }

    /// Goes on after an error that passes, and after a gap that may be skipped.
    fn survive(&mut self, rules: &Rules, error: KafkaError) -> Result<()> {
        use RDKafkaErrorCode::{AutoOffsetReset, OffsetOutOfRange};
        match error.rdkafka_error_code() {
            Some(AutoOffsetReset | OffsetOutOfRange) => {
                self.is_in_doubt = true;
                self.look_again(rules)
            }
            _ if is_passing(&error) => Ok(()),
            _ => Err(rules.failed("cannot be read", error)),
        }
    }

    /// Reads a range again.
    pub(super) fn replay(
        &mut self,
        rules: &Rules,
        (mut at, end): (Offsets, &Offsets),
        gathered: &mut Gathered,
    ) -> Result<()> {
        at.0.retain(|&number, offset| end.get(number).is_some_and(|end| *offset < end));
        self.check_replay(rules, &at)?;
        assign(&self.consumer, &rules.place, &self.topic, &at)?;
        let mut heard = Instant::now();
        while !at.0.is_empty() {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let (number, next) = (message.partition(), message.offset() + 1);
                    let Some(end) = end.get(number).filter(|_| at.get(number).is_some()) else {
                        continue;
                    };
                    if next <= end {
                        gathered.push(&message, &rules.form);
                    }
                    if next >= end {
                        at.0.remove(&number);
                    }
                }
                // The last messages of the range are gone, or are no messages but ends of transactions.
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    at.0.remove(&number);
                }
                Some(Err(error)) if !is_passing(&error) => {
                    return Err(rules.failed("cannot be read again", error));
                }
                _ if heard.elapsed() > REPLAY => {
                    let message = format!("`{}` does not answer", rules.place.describe());
                    return Err(Error::new(ErrorKind::Unavailable, message));
                }
                _ => {}
            }
        }
        self.next.0.extend(end.0.clone());
        self.assign(rules)
    }

    /// Checks that what an epoch has read is still there; it must be the same again.
    fn check_replay(&self, rules: &Rules, at: &Offsets) -> Result<()> {
        for (&number, &expected) in &at.0 {
            let (oldest, end) = watermarks(&self.consumer, &rules.place, &self.topic, number)?;
            if !(oldest..=end).contains(&expected) {
                return Err(gap(&self.topic, number, expected, (oldest, end)));
            }
        }
        Ok(())
    }

    /// Notes what is committed; for people who look at the group, the broker is told too.
    pub(super) fn commit(&mut self, rules: &Rules, end: &Offsets) -> Result<()> {
        self.committed.0.extend(end.0.clone());
        if rules.has_group {
            let list = self.committed.to_list(&self.topic);
            let list = list.map_err(|cause| rules.failed("cannot be committed", cause))?;
            // It may come late, or not at all.
            let _ = self.consumer.commit(&list, CommitMode::Async);
        }
        Ok(())
    }
}
