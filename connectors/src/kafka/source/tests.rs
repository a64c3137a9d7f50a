//! Topics of a mock broker, which fails for a while.
#![forbid(unsafe_code)]

use rdkafka::bindings::rd_kafka_resp_err_t as Answer;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::RDKafkaApiKey;

use super::*;

const NOT_LEADER: Answer = Answer::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
const OUT_OF_RANGE: Answer = Answer::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;

/// Longer than a machine that is busy needs.
const LONG: Duration = Duration::from_secs(60);

struct Broker(MockCluster<'static, DefaultProducerContext>);

impl Broker {
    fn new(topics: &[&str]) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in topics {
            cluster.create_topic(topic, 1, 1).unwrap();
        }
        Self(cluster)
    }

    fn settings(&self, topics: &str) -> KafkaSettings {
        KafkaSettings::new(self.0.bootstrap_servers(), topics)
    }

    fn send(&self, topic: &str, message: &str) {
        let producer: BaseProducer = self.settings(topic).create(&[], &[]).unwrap();
        let record = BaseRecord::<[u8], str>::to(topic).payload(message);
        producer.send(record).unwrap();
        producer.flush(LONG).unwrap();
    }

    /// A source that reads topics from their begin.
    fn source(&self, topics: &[&str]) -> KafkaSource {
        let mut source = KafkaSource::new(self.settings(&topics.join(","))).unwrap();
        for topic in topics {
            let reader = Reader::start(&source.rules, topic, Offsets::default(), false);
            source.readers.push(reader.unwrap());
        }
        source
    }
}

/// Receives until there are some messages. Errors that pass are waited for.
fn receive(source: &mut KafkaSource, messages: u64) {
    let (mut received, until) = (0, Instant::now() + LONG);
    while received < messages {
        match source.receive(&EpochLimits::default()) {
            Ok(gathered) => received += gathered.messages,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        assert!(Instant::now() < until, "{received} of {messages}");
    }
    assert_eq!(received, messages);
}

#[test]
fn a_source_starts_while_its_topic_gets_a_leader() {
    let broker = Broker::new(&["a"]);
    broker.send("a", "x");
    let errors = [NOT_LEADER; 3];
    broker.0.request_errors(RDKafkaApiKey::ListOffsets, &errors);
    receive(&mut broker.source(&["a"]), 1);
}

#[test]
fn messages_that_were_taken_before_an_error_are_kept() {
    let topics = ["a", "b"];
    let broker = Broker::new(&topics);
    topics.iter().for_each(|topic| broker.send(topic, "first"));
    let mut source = broker.source(&topics);
    receive(&mut source, 2);
    // The second topic must be looked at again, and its leader is away, when the first one has a message.
    source.readers[1].doubt();
    let errors = [NOT_LEADER; 12];
    broker.0.request_errors(RDKafkaApiKey::ListOffsets, &errors);
    topics.iter().for_each(|topic| broker.send(topic, "second"));
    receive(&mut source, 2);
}

#[test]
fn a_place_that_the_broker_does_not_have_for_a_moment_is_read_again() {
    let broker = Broker::new(&["a"]);
    broker.send("a", "first");
    let mut source = broker.source(&["a"]);
    receive(&mut source, 1);
    broker
        .0
        .request_errors(RDKafkaApiKey::Fetch, &[OUT_OF_RANGE]);
    let errors = [NOT_LEADER; 3];
    broker.0.request_errors(RDKafkaApiKey::ListOffsets, &errors);
    broker.send("a", "second");
    receive(&mut source, 1);
}
