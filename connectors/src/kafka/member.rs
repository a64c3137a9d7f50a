//! Reads the partitions that a consumer group gives to this process.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, Message};

use super::begin::Begin;
use super::failure::{all_answered, is_passing, is_rebalance};
use super::gather::Gathered;
use super::group::{GroupConsumer, GroupEpoch, KafkaGroup, Rebalances};
use super::offsets::{self, Topics};
use super::partitions::{Which, gap, partitions, watermarks};
use super::reader::Rules;
use super::settings::ANSWER;

/// How long a process that does not answer stays a member, in milliseconds. The client sends its heartbeats from
/// a thread of its own, so that a long epoch does not count as silence.
const SESSION: &str = "10000";

/// A member of a group.
pub(super) struct Member {
    group: KafkaGroup,
    consumer: Option<Arc<GroupConsumer>>,
    /// The changes of partitions that were seen.
    changes: u64,
    /// Partitions in which the begin is not known yet.
    given: Option<TopicPartitionList>,
    /// After what was chosen for epochs.
    pub(super) next: Topics,
    /// What the group has, of these partitions.
    pub(super) committed: Topics,
    /// Messages that were gone before they were read.
    pub(super) skipped: u64,
}

impl Member {
    pub(super) fn new(group: KafkaGroup) -> Self {
        Self {
            group,
            consumer: None,
            changes: 0,
            given: None,
            next: Topics::new(),
            committed: Topics::new(),
            skipped: 0,
        }
    }

    /// The name of the group.
    pub(super) fn group(&self) -> &str {
        self.group.name()
    }

    /// Joins the group.
    pub(super) fn start(
        &mut self,
        rules: &Rules,
        which: &Which,
        discovery: Duration,
    ) -> Result<()> {
        let refresh = discovery.as_millis().max(10).to_string();
        let config = rules.place.config(
            &[
                ("fetch.queue.backoff.ms", "1"),
                // A process that dies has its partitions for this time.
                ("session.timeout.ms", SESSION),
                ("topic.metadata.refresh.interval.ms", &refresh),
            ],
            &[
                ("group.id", self.group.name()),
                // The offsets of a transaction that has not ended are not read.
                ("isolation.level", "read_committed"),
                ("group.protocol", "classic"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
            ],
        )?;
        let consumer = ClientConfig::create_with_context(&config, Rebalances::default());
        let consumer: Arc<GroupConsumer> =
            Arc::new(consumer.map_err(|cause| rules.place.refused(cause))?);
        let topics = match which {
            Which::Named(names) => {
                for name in names {
                    partitions(&*consumer, &rules.place, name)?;
                }
                names.iter().map(String::as_str).collect()
            }
            Which::Matching(_) => vec![rules.place.topic.as_str()],
        };
        let joined = consumer.subscribe(&topics);
        joined.map_err(|cause| rules.failed("cannot be read", cause))?;
        self.group.set_consumer(&consumer);
        self.consumer = Some(consumer);
        Ok(())
    }

    /// Takes what has arrived, up to some bytes and messages. `None` while there are no partitions.
    pub(super) fn receive(&mut self, rules: &Rules, most: (u64, u64)) -> Result<Option<Gathered>> {
        let not_started = || Error::new(ErrorKind::Internal, "the source was not started");
        let consumer = self.consumer.clone().ok_or_else(not_started)?;
        if self.group.is_given_up() {
            // The same partitions again, unless they change now.
            if !self.next.is_empty() {
                let again = offsets::to_list(&self.next);
                self.given = Some(again.map_err(|cause| rules.failed("cannot be read", cause))?);
            }
            self.group.go_on();
        }
        if let Some(given) = self.given.clone()
            && self.changes == consumer.context().changes()
            && self.begin(rules, &consumer, &given)?
        {
            self.given = None;
        }
        if self.given.is_some() || self.next.is_empty() {
            if let Some(Err(error)) = consumer.poll(Duration::ZERO) {
                self.survive(rules, error)?;
            }
            if consumer.context().changes() != self.changes {
                self.change(&consumer);
            }
            return Ok(None);
        }
        self.gather(rules, most, &consumer)
    }

    fn gather(
        &mut self,
        rules: &Rules,
        most: (u64, u64),
        consumer: &Arc<GroupConsumer>,
    ) -> Result<Option<Gathered>> {
        let mut gathered = Gathered::default();
        while gathered.bytes < most.0 && gathered.messages < most.1 {
            let polled = consumer.poll(Duration::ZERO);
            if consumer.context().changes() != self.changes {
                // What was gathered is read again by the process that has the partition now.
                self.change(consumer);
                return Ok(None);
            }
            match polled {
                None => break,
                Some(Ok(message)) => {
                    gathered.push(&message, &rules.form);
                    if let Some(offsets) = self.next.get_mut(message.topic()) {
                        offsets.0.insert(message.partition(), message.offset() + 1);
                    }
                }
                Some(Err(error)) => self.survive(rules, error)?,
            }
        }
        if gathered.messages == 0 || !self.set_epoch(consumer) {
            return Ok(None);
        }
        Ok(Some(gathered))
    }

    /// Takes the partitions that the group gives now.
    fn change(&mut self, consumer: &GroupConsumer) {
        let given = consumer.context().given();
        self.changes = given.changes;
        self.given = given.partitions;
        self.next.clear();
        self.committed.clear();
    }

    /// Notes the offsets of an epoch with the generation in which it was read. Returns whether the partitions
    /// are still those of this process.
    fn set_epoch(&mut self, consumer: &Arc<GroupConsumer>) -> bool {
        let metadata = consumer.group_metadata();
        // Asked afterwards: the generation that was taken is then the one of these partitions.
        let (Some(metadata), false) = (metadata, consumer.assignment_lost()) else {
            self.group.give_up();
            return false;
        };
        self.group.set_epoch(GroupEpoch {
            consumer: consumer.clone(),
            before: self.committed.clone(),
            end: self.next.clone(),
            metadata,
        });
        true
    }

    /// Begins with the offsets that the group has. Returns whether they are known.
    fn begin(
        &mut self,
        rules: &Rules,
        consumer: &GroupConsumer,
        given: &TopicPartitionList,
    ) -> Result<bool> {
        if given.count() == 0 {
            // There are more processes than partitions.
            let assigned = consumer.assign(given);
            assigned.map_err(|cause| rules.failed("cannot be read", cause))?;
            return Ok(true);
        }
        // Those of a process that was killed are known when its transaction has ended.
        let found = consumer.committed_offsets(given.clone(), ANSWER);
        let found = match found.and_then(all_answered) {
            Ok(found) => found,
            Err(cause) if is_passing(&cause) => return Ok(false),
            Err(cause) => return Err(rules.failed("does not tell the offsets of the group", cause)),
        };
        let (mut next, mut first) = (Topics::new(), Topics::new());
        for place in found.elements() {
            let (topic, number) = (place.topic(), place.partition());
            let (oldest, end) = watermarks(consumer, &rules.place, topic, number)?;
            let expected = match (place.offset(), &rules.begin) {
                (Offset::Offset(offset), _) => offset,
                (_, Begin::Refused) => return Err(self.refused(rules, topic, number)),
                (_, begin) => {
                    let offset = match begin {
                        Begin::Latest => end,
                        _ => oldest,
                    };
                    offsets::insert(&mut first, topic, number, offset);
                    offset
                }
            };
            let is_there = (oldest..=end).contains(&expected);
            let at = match is_there {
                true => expected,
                false if rules.skips_gaps && expected < oldest => {
                    self.skipped += u64::try_from(oldest - expected).unwrap_or(0);
                    oldest
                }
                false => return Err(gap(topic, number, expected, (oldest, end))),
            };
            offsets::insert(&mut next, topic, number, at);
        }
        let committed = offsets::from_list(&found);
        match self.begin_at(consumer, next, committed, &first) {
            Ok(()) => Ok(true),
            Err(cause) if is_passing(&cause) || is_rebalance(&cause) => Ok(false),
            Err(cause) => Err(rules.failed("cannot be read", cause)),
        }
    }

    fn begin_at(
        &mut self,
        consumer: &GroupConsumer,
        next: Topics,
        mut committed: Topics,
        first: &Topics,
    ) -> std::result::Result<(), KafkaError> {
        consumer.assign(&offsets::to_list(&next)?)?;
        // The next process that gets a partition must not begin at another place.
        if !first.is_empty() {
            consumer.commit(&offsets::to_list(first)?, CommitMode::Sync)?;
            for (topic, number, offset) in offsets::places(first) {
                offsets::insert(&mut committed, topic, number, offset);
            }
        }
        (self.next, self.committed) = (next, committed);
        Ok(())
    }

    fn refused(&self, rules: &Rules, topic: &str, number: i32) -> Error {
        let message = format!(
            "`{}`: the group `{}` has no offset of partition {number} of `{topic}`, and \
             `auto.offset.reset` is `error`",
            rules.place.describe(),
            self.group.name()
        );
        Error::new(ErrorKind::Source, message)
    }

    fn survive(&mut self, rules: &Rules, error: KafkaError) -> Result<()> {
        use RDKafkaErrorCode::{AutoOffsetReset, OffsetOutOfRange, PollExceeded};
        match error.rdkafka_error_code() {
            // The begin is looked for again, which tells what is missing.
            Some(AutoOffsetReset | OffsetOutOfRange) => self.group.give_up(),
            Some(PollExceeded) => {}
            _ if is_passing(&error) => {}
            _ => return Err(rules.failed("cannot be read", error)),
        }
        Ok(())
    }

    /// Commits the offsets of an epoch, if the sink has not done it with its results.
    pub(super) fn commit(&mut self) {
        let Some(epoch) = self.group.epoch().filter(|_| !self.group.is_given_up()) else {
            return;
        };
        self.committed.clone_from(&epoch.end);
        if !self.group.has_sink()
            && let Ok(list) = offsets::to_list(&epoch.end)
        {
            // Without them the messages are read again, which is what at least once means.
            let _ = epoch.consumer.commit(&list, CommitMode::Sync);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.group.leave();
    }
}
