//! Where a topic is, and the settings of the client.
#![forbid(unsafe_code)]

use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use rdkafka::ClientConfig;
use rdkafka::config::{FromClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

/// How long an answer of a broker is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// A topic, and the settings of the client: those of librdkafka by their names, as they are.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    pub(super) brokers: String,
    pub(super) topic: String,
    settings: Vec<(String, String)>,
}

impl KafkaSettings {
    /// A topic at brokers: `localhost:9092`, or several with commas.
    #[must_use]
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic: topic.into(),
            settings: Vec::new(),
        }
    }

    /// A topic by its URL: `kafka://HOST:PORT/TOPIC`, or `kafka://HOST:PORT,HOST:PORT/TOPIC`. A source may
    /// have several topics, `TOPIC,TOPIC`, or a pattern that begins with `^`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is not such a URL.
    pub fn from_url(url: &str) -> Result<Self> {
        let place = url.strip_prefix("kafka://");
        let place = place.and_then(|rest| rest.split_once('/'));
        match place {
            Some((brokers, topics))
                if !brokers.is_empty()
                    && (topics.starts_with('^') || topics.split(',').all(is_topic)) =>
            {
                Ok(Self::new(brokers, topics))
            }
            _ => {
                let message = format!(
                    "`{url}` is not a topic of Kafka; write kafka://HOST:PORT/TOPIC, where a topic has \
                     letters, digits, `.`, `_` and `-`"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    /// A cluster by its URL, `kafka://HOST:PORT`, for what needs no topic.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is not such a URL.
    pub fn from_cluster_url(url: &str) -> Result<Self> {
        let brokers = url.strip_prefix("kafka://").unwrap_or_default();
        match brokers.is_empty() || brokers.contains('/') {
            true => {
                let message = format!("`{url}` is not a cluster of Kafka; write kafka://HOST:PORT");
                Err(Error::new(ErrorKind::Config, message))
            }
            false => Ok(Self::new(brokers, "")),
        }
    }

    /// Refuses several topics, where there must be one.
    pub(super) fn one_topic(self) -> Result<Self> {
        match is_topic(&self.topic) {
            true => Ok(self),
            false => {
                let message = format!("`{}` names several topics: name one here", self.describe());
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    /// Adds a setting of librdkafka, or one of Spark's: those with `kafka.` before the name,
    /// `startingOffsets`, `startingTimestamp`, `maxOffsetsPerTrigger` and `failOnDataLoss`.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let own = match (&*name, &*value) {
            ("startingOffsets", _) => "starting.offsets",
            ("startingTimestamp", _) => "starting.timestamp",
            ("maxOffsetsPerTrigger", _) => "max.messages",
            ("failOnDataLoss", "true" | "false") => "on.gap",
            // The client does not say which of two spellings counts.
            ("metadata.broker.list", _) => "bootstrap.servers",
            ("queue.buffering.max.ms", _) => "linger.ms",
            ("auto.commit.enable", _) => "enable.auto.commit",
            (name, _) => name.strip_prefix("kafka.").unwrap_or(name),
        };
        let value = match (&*name, &*value) {
            ("failOnDataLoss", "true") => "fail".to_owned(),
            ("failOnDataLoss", "false") => "skip".to_owned(),
            _ => value,
        };
        self.settings.push((own.to_owned(), value));
        self
    }

    /// Takes out a setting that is not of librdkafka. The last one counts.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let value = self.get(name).map(str::to_owned);
        self.settings.retain(|(it, _)| it != name);
        value
    }

    /// The value of a setting. The last one counts.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.settings.iter().rev().find(|(it, _)| it == name);
        value.map(|(_, value)| value.as_str())
    }

    /// The names of all settings.
    #[cfg(feature = "kafka-tls")]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.settings.iter().any(|(it, _)| it == name)
    }

    /// Refuses the protocols of groups in which partitions change one by one.
    pub(super) fn refuse_in_group(&self) -> Result<()> {
        let unknown = |(name, value): &&(String, String)| {
            name == "group.protocol" && value != "classic"
                || name == "partition.assignment.strategy" && value.contains("cooperative")
        };
        match self.settings.iter().find(unknown) {
            Some((name, value)) => {
                let message = format!(
                    "`{name}` cannot be `{value}`: all partitions of a process change at once; leave \
                     it out, or use the classic protocol with `range` or `roundrobin`"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
            None => Ok(()),
        }
    }

    /// The name, for people and reports.
    pub(super) fn describe(&self) -> String {
        let slash = if self.topic.is_empty() { "" } else { "/" };
        format!("kafka://{}{slash}{}", self.brokers, self.topic)
    }

    /// The settings of a client. `fixed` are those that the promises of keymill depend on.
    pub(super) fn config(
        &self,
        defaults: &[(&str, &str)],
        fixed: &[(&str, &str)],
    ) -> Result<ClientConfig> {
        #[cfg(not(feature = "kafka-tls"))]
        if let Some((name, value)) = self.needing_tls() {
            let message = format!(
                "`{name}={value}` needs TLS, and this program was built without it; build it with \
                 `--features kafka-tls`"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut config = ClientConfig::new();
        // What the client logs would be among the results; its errors are reported.
        config.set_log_level(RDKafkaLogLevel::Emerg);
        config.set("bootstrap.servers", &self.brokers);
        let own = self.settings.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        let all = defaults.iter().copied().chain(own);
        for (name, value) in all.chain(fixed.iter().copied()) {
            config.set(name, value);
        }
        Ok(config)
    }

    /// Creates a client.
    pub(super) fn create<T: FromClientConfig>(
        &self,
        defaults: &[(&str, &str)],
        fixed: &[(&str, &str)],
    ) -> Result<T> {
        let created = self.config(defaults, fixed)?.create();
        created.map_err(|cause| self.refused(cause))
    }

    /// The error of settings that the client does not take.
    pub(super) fn refused(&self, cause: KafkaError) -> Error {
        let message = format!("the settings of `{}` are refused", self.describe());
        Error::new(ErrorKind::Config, message).with_source(cause)
    }
}

#[cfg(any(test, not(feature = "kafka-tls")))]
impl KafkaSettings {
    /// The first setting that a client without OpenSSL does not take.
    fn needing_tls(&self) -> Option<&(String, String)> {
        self.settings.iter().find(|(name, value)| {
            let value = value.to_ascii_lowercase();
            match name.as_str() {
                "security.protocol" => value.ends_with("ssl"),
                "sasl.mechanism" | "sasl.mechanisms" => {
                    value.starts_with("scram-") || value == "oauthbearer"
                }
                name => name.starts_with("ssl.") || name.starts_with("sasl.oauthbearer."),
            }
        })
    }
}

fn is_topic(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_spark_are_taken() {
        let mut place = KafkaSettings::new("a", "b")
            .set("kafka.security.protocol", "PLAINTEXT")
            .set("maxOffsetsPerTrigger", "7")
            .set("failOnDataLoss", "false");
        assert!(place.has("security.protocol"));
        assert_eq!(place.take("max.messages").as_deref(), Some("7"));
        assert_eq!(place.take("on.gap").as_deref(), Some("skip"));
    }

    #[test]
    fn settings_that_need_tls_are_found() {
        let needs = |name: &str, value: &str| {
            KafkaSettings::new("a", "b")
                .set("acks", "all")
                .set(name, value)
                .needing_tls()
                .is_some()
        };
        assert!(needs("security.protocol", "SASL_SSL"));
        assert!(needs("kafka.security.protocol", "ssl"));
        assert!(needs("sasl.mechanism", "SCRAM-SHA-512"));
        assert!(needs("ssl.ca.location", "ca.pem"));
        assert!(!needs("security.protocol", "SASL_PLAINTEXT"));
        assert!(!needs("sasl.mechanisms", "PLAIN"));
    }

    #[test]
    fn urls_are_read() {
        let place = KafkaSettings::from_url("kafka://a:1,b:2/visits").unwrap();
        assert_eq!((&*place.brokers, &*place.topic), ("a:1,b:2", "visits"));
        for several in ["kafka://a:1/x,y", "kafka://a:1/^x.*/y"] {
            let place = KafkaSettings::from_url(several).unwrap();
            assert_eq!(place.describe(), several);
            assert_eq!(place.one_topic().unwrap_err().kind(), ErrorKind::Config);
        }
        for wrong in [
            "kafka://a:1",
            "kafka://a:1/",
            "kafka:///x",
            "kafka://a:1/x,",
            "kafka://a/\u{e4}",
        ] {
            let error = KafkaSettings::from_url(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
        }
    }
}
