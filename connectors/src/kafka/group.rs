//! A consumer group, as the source and the sink of a query in one process see it.
//!
//! ```text
//! source: subscribe ─▶ partitions ─▶ committed offsets ─▶ messages of an epoch ─┐
//! sink:   BEGIN ─▶ results ─▶ offsets, with the generation of the group ◀───────┘ ─▶ COMMIT
//! ```
//!
//! The broker refuses the offsets of a process whose partitions went to another one; its epoch is then given
//! up, and the other process reads the same messages.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::failure::all_answered;
use super::offsets::{self, Topics};
use super::settings::ANSWER;

/// A consumer group of Kafka: the processes of a group share the partitions of topics, and those of a process
/// that dies go to the others.
///
/// Clones are the same group. One is given to the source of a query and, so that results and offsets are one
/// transaction, one to its sink:
///
/// ```no_run
/// use keymill_connectors::{KafkaGroup, KafkaSettings, KafkaSink, KafkaSource};
///
/// let group = KafkaGroup::new("words");
/// let lines = KafkaSettings::new("localhost:9092", "lines");
/// let source = KafkaSource::new(lines)?.in_group(&group)?;
/// let words = KafkaSettings::new("localhost:9092", "words");
/// let sink = KafkaSink::new(words)?.with_offsets_of(&group);
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone)]
pub struct KafkaGroup {
    name: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    consumer: Option<Arc<GroupConsumer>>,
    /// The epoch that was chosen last.
    epoch: Option<Arc<GroupEpoch>>,
    /// Whether that epoch was given up.
    is_given_up: bool,
    /// Whether a sink commits the offsets.
    has_sink: bool,
}

/// The offsets of an epoch.
pub(super) struct GroupEpoch {
    pub(super) consumer: Arc<GroupConsumer>,
    /// What was committed in the group when the epoch was chosen.
    pub(super) before: Topics,
    pub(super) end: Topics,
    /// The generation of the group in which the messages were read.
    pub(super) metadata: ConsumerGroupMetadata,
}

impl GroupEpoch {
    /// Whether the group has other offsets than when the epoch was chosen: it was committed, or its partitions
    /// went to another process.
    pub(super) fn is_over(&self) -> Result<bool, KafkaError> {
        let list = offsets::to_list(&self.end)?;
        let now = self.consumer.committed_offsets(list, ANSWER)?;
        let now = offsets::from_list(&all_answered(now)?);
        let mut all = offsets::places(&self.end);
        Ok(all.any(|(topic, number, _)| {
            offsets::of(&now, topic, number) != offsets::of(&self.before, topic, number)
        }))
    }
}

impl KafkaGroup {
    /// A group by its name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            shared: Arc::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_consumer(&self, consumer: &Arc<GroupConsumer>) {
        self.lock().consumer = Some(consumer.clone());
    }

    /// Forgets the client, which leaves the group when nobody has it.
    pub(super) fn leave(&self) {
        let mut shared = self.lock();
        let _ = (shared.epoch.take(), shared.consumer.take());
    }

    /// The client of the source, after it was started.
    pub(super) fn consumer(&self) -> Option<Arc<GroupConsumer>> {
        self.lock().consumer.clone()
    }

    pub(super) fn set_sink(&self) {
        self.lock().has_sink = true;
    }

    pub(super) fn has_sink(&self) -> bool {
        self.lock().has_sink
    }

    pub(super) fn set_epoch(&self, epoch: GroupEpoch) {
        self.lock().epoch = Some(Arc::new(epoch));
    }

    pub(super) fn epoch(&self) -> Option<Arc<GroupEpoch>> {
        self.lock().epoch.clone()
    }

    /// Lets the source read the messages of the epoch again, if they are still its own.
    pub(super) fn give_up(&self) {
        self.lock().is_given_up = true;
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.lock().is_given_up
    }

    pub(super) fn go_on(&self) {
        self.lock().is_given_up = false;
    }
}

/// A client that is a member of a group.
pub(super) type GroupConsumer = BaseConsumer<Rebalances>;

/// Notes which partitions the group gives to this process. The source then says where it begins in them.
#[derive(Default)]
pub(super) struct Rebalances(Mutex<Given>);

#[derive(Clone, Default)]
pub(super) struct Given {
    /// How often the partitions have changed.
    pub(super) changes: u64,
    pub(super) partitions: Option<TopicPartitionList>,
}

impl Rebalances {
    fn lock(&self) -> MutexGuard<'_, Given> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> u64 {
        self.lock().changes
    }

    pub(super) fn given(&self) -> Given {
        self.lock().clone()
    }
}

impl ClientContext for Rebalances {}

impl ConsumerContext for Rebalances {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let is_given = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let mut given = self.lock();
        given.changes += 1;
        given.partitions = is_given.then(|| partitions.clone());
        drop(given);
        if !is_given {
            // The client tells the broker that the partitions are free.
            let _ = consumer.unassign();
        }
    }
}
