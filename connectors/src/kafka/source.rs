//! Topics as a source of lines or rows.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use arrow_schema::SchemaRef;
use keymill::read::RowLines;
use keymill::stream::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource};
use keymill::{Error, ErrorKind, Result};
use serde_json::Value;

use super::begin::{Begin, wrong};
use super::columns::SCHEMA;
use super::gather::{Form, Gathered};
use super::letters::DeadLetters;
use super::member::Member;
use super::offsets::{self, Offsets};
use super::partitions::Which;
use super::reader::{Reader, Rules};
use super::settings::ANSWER;
use super::share::{self, Share};
use super::{KafkaGroup, KafkaSettings};

/// How often new topics and partitions are looked for, unless a setting says otherwise.
const DISCOVERY: Duration = Duration::from_secs(10);

/// How long a message is waited for at a time.
const PAUSE: Duration = Duration::from_millis(20);

/// The messages of topics. Each is a line, or several if it has newlines.
///
/// The checkpoint has the offsets; the client never commits any by itself. With the setting `group.id`
/// the offsets of committed epochs are also written to that group, for programs that show the lag. Several
/// processes share topics by [`KafkaSource::in_group`] or [`KafkaSource::share`].
///
/// | setting of keymill | meaning |
/// |---|---|
/// | `auto.offset.reset` | where a query without a checkpoint begins: `earliest` (default), `latest`, or `error`; also librdkafka's other spellings |
/// | `starting.offsets` | where it begins, by partition: `{"0":17}`, or by topic too: `{"visits":{"0":17}}` |
/// | `starting.timestamp` | where it begins, in milliseconds since 1970 |
/// | `on.gap` | what happens when messages that were not read yet are gone: `fail` (default), or `skip`, which counts them as rejected rows |
/// | `message.columns` | `true` gives rows of `topic`, `partition`, `offset`, `timestamp`, `key`, `value` and `headers` |
/// | `dead.letters` | a folder for lines that are no rows; see [`KafkaSource::rows`] |
/// | `max.messages` | the most messages of an epoch |
/// | `discovery.ms` | how often new topics and partitions are looked for: 10 000 |
///
/// All other settings are those of librdkafka.
pub struct KafkaSource {
    rules: Rules,
    which: Which,
    folder: Option<PathBuf>,
    discovery: Duration,
    most_messages: u64,
    memory: usize,
    readers: Vec<Reader>,
    chosen: Option<(Value, Gathered)>,
    looked: Instant,
    member: Option<Member>,
}

impl KafkaSource {
    /// Reads the topics of a place.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a setting of keymill has a wrong value.
    pub fn new(mut place: KafkaSettings) -> Result<Self> {
        let begin = Begin::take(&mut place)?;
        let skips_gaps = match place.take("on.gap").as_deref() {
            None | Some("fail") => false,
            Some("skip") => true,
            Some(other) => return Err(wrong("on.gap", other, "fail or skip")),
        };
        let form = match place.take("message.columns").as_deref() {
            None | Some("false") => Form::Lines,
            Some("true") => Form::Columns,
            Some(other) => return Err(wrong("message.columns", other, "true or false")),
        };
        let discovery = match place.take("discovery.ms") {
            None => DISCOVERY,
            Some(text) => match text.parse() {
                Ok(milliseconds) => Duration::from_millis(milliseconds),
                Err(_) => return Err(wrong("discovery.ms", &text, "milliseconds")),
            },
        };
        let most_messages = match place.take("max.messages") {
            None => u64::MAX,
            Some(text) => match text.parse() {
                Ok(most) if most > 0 => most,
                _ => return Err(wrong("max.messages", &text, "a number of messages")),
            },
        };
        let folder = place.take("dead.letters").map(PathBuf::from);
        let which = Which::parse(&place.topic)?;
        if let (Begin::Offsets(_), true) = (&begin, is_several(&which)) {
            let message = "`starting.offsets` of several topics has their names: \
                           {\"visits\":{\"0\":17}}";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self {
            which,
            rules: Rules {
                begin,
                skips_gaps,
                has_group: place.has("group.id"),
                place,
                form,
                share: None,
            },
            folder,
            discovery,
            most_messages,
            memory: 64 << 20,
            readers: Vec::new(),
            chosen: None,
            looked: Instant::now(),
            member: None,
        })
    }

    /// Shares the partitions with all processes that are in the group; see [`KafkaGroup`]. The offsets are
    /// those of the group, so the query has no checkpoint, and each of its epochs stands alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a setting says where to begin by offset or time: a group has offsets already.
    pub fn in_group(mut self, group: &KafkaGroup) -> Result<Self> {
        if matches!(
            self.rules.begin,
            Begin::Offsets(_) | Begin::Topics(_) | Begin::Timestamp(_)
        ) {
            let message = "a group continues with its own offsets: `starting.offsets` and \
                           `starting.timestamp` are for queries without a group";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.rules.share.is_some() {
            return Err(Self::shared_twice());
        }
        self.rules.place.refuse_in_group()?;
        self.member = Some(Member::new(group.clone()));
        Ok(self)
    }

    /// Reads a fixed share of the partitions: `share` of `of`, the first one is 1. Partition `p` is in share
    /// `p % of + 1`. Each share is a query with a checkpoint of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there is no such share.
    pub fn share(mut self, share: u32, of: u32) -> Result<Self> {
        if self.member.is_some() {
            return Err(Self::shared_twice());
        }
        self.rules.share = Some(Share::new(share, of)?);
        Ok(self)
    }

    fn shared_twice() -> Error {
        let message = "a source is in a group, or it has a fixed share: not both";
        Error::new(ErrorKind::Config, message)
    }

    /// Whether lines that are no rows are kept: the setting `dead.letters` names a folder.
    #[must_use]
    pub fn keeps_dead_letters(&self) -> bool {
        self.folder.is_some()
    }

    /// Reads the lines of messages as rows. Those that are no rows are kept in the folder of the setting
    /// `dead.letters`, with topic, partition, offset and reason; without it they are only counted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the source has rows already: the setting `message.columns`.
    pub fn rows(mut self, lines: RowLines) -> Result<Box<dyn StreamSource>> {
        if matches!(self.rules.form, Form::Columns) {
            let message = "with `message.columns` a message is a row already";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(match self.folder.take() {
            Some(folder) => {
                self.rules.form = Form::Rows(DeadLetters::new(lines, folder));
                self.into()
            }
            None => keymill::stream::RowSource::new(self, lines).into(),
        })
    }

    /// Takes what has arrived, up to the limits.
    fn receive(&mut self, limits: &EpochLimits) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        let most = self.most(limits);
        let until = Instant::now() + ANSWER;
        while gathered.bytes < most.0 && gathered.messages < most.1 {
            let before = gathered.messages;
            // What was there at the start is waited for, so that `--once` reads it.
            let mut is_behind = false;
            for reader in &mut self.readers {
                let waits = reader.is_behind() && Instant::now() < until;
                let wait = if waits { PAUSE } else { Duration::ZERO };
                match reader.receive(&self.rules, &mut gathered, most, wait) {
                    // What was taken must not be lost; the error comes again.
                    Err(error)
                        if error.kind() == ErrorKind::Unavailable && gathered.messages > 0 =>
                    {
                        return Ok(gathered);
                    }
                    result => result?,
                }
                is_behind |= waits && reader.is_behind();
            }
            if gathered.messages == before && !is_behind {
                break;
            }
        }
        Ok(gathered)
    }

    /// Looks for topics and partitions that came after the start.
    fn discover(&mut self) -> Result<()> {
        self.looked = Instant::now();
        for reader in &mut self.readers {
            reader.discover(&self.rules)?;
        }
        if let Which::Matching(_) = self.which {
            let consumer = self.rules.consumer()?;
            for topic in self.which.topics(&consumer, &self.rules.place)? {
                if !self.readers.iter().any(|it| it.topic == topic) {
                    let reader = Reader::start(&self.rules, &topic, Offsets::default(), true)?;
                    self.readers.push(reader);
                }
            }
        }
        Ok(())
    }

    fn replay(&mut self, range: &OffsetRange) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        let mut starts = offsets::stored(&range.start)?;
        for (topic, end) in offsets::stored(&range.end)? {
            let start = starts.remove(&topic).unwrap_or_default();
            let reader = self.readers.iter_mut().find(|it| it.topic == topic);
            let Some(reader) = reader else {
                let message = format!("an epoch that is computed again needs the topic `{topic}`");
                return Err(Error::new(ErrorKind::Source, message));
            };
            reader.replay(&self.rules, (start, &end), &mut gathered)?;
        }
        Ok(gathered)
    }

    /// The next offsets, with the share if there is one.
    fn next(&self) -> Value {
        let next = match &self.member {
            Some(member) => offsets::to_json(member.next.iter().map(|(topic, it)| (&**topic, it))),
            None => offsets::to_json(self.readers.iter().map(|it| (&*it.topic, &it.next))),
        };
        share::noted(next, self.rules.share.as_ref())
    }

    /// The most bytes and messages of an epoch.
    fn most(&self, limits: &EpochLimits) -> (u64, u64) {
        (
            limits.bytes.unwrap_or(u64::MAX).min(self.memory as u64),
            limits.rows.unwrap_or(u64::MAX).min(self.most_messages),
        )
    }
}

fn is_several(which: &Which) -> bool {
    !matches!(which, Which::Named(names) if names.len() == 1)
}

impl StreamSource for KafkaSource {
    fn describe(&self) -> String {
        let name = self.rules.place.describe();
        match (&self.rules.share, &self.member) {
            (Some(share), _) => format!("{name} (share {share})"),
            (_, Some(member)) => format!("{name} (group {})", member.group()),
            _ => name,
        }
    }

    fn kind(&self) -> &'static str {
        "kafka"
    }

    fn replay(&self) -> Replay {
        Replay::SameBytes
    }

    fn schema(&self) -> Result<Option<SchemaRef>> {
        Ok(match &self.rules.form {
            Form::Lines => None,
            Form::Columns => Some(SCHEMA.clone()),
            Form::Rows(letters) => Some(letters.lines().schema()),
        })
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        self.memory = context.memory;
        if let Some(member) = &mut self.member {
            return member.start(&self.rules, &self.which, self.discovery);
        }
        share::check(&context.history, self.rules.share.as_ref())?;
        let mut history = offsets::after(&context.history)?;
        let is_restart = !history.is_empty();
        let mut topics = self
            .which
            .topics(&self.rules.consumer()?, &self.rules.place)?;
        topics.extend(history.keys().cloned());
        topics.sort_unstable();
        topics.dedup();
        for topic in topics {
            let next = history.remove(&topic).unwrap_or_default();
            self.readers
                .push(Reader::start(&self.rules, &topic, next, is_restart)?);
        }
        self.looked = Instant::now();
        Ok(())
    }

    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        let most = self.most(limits);
        if let Some(member) = &mut self.member {
            let start = offsets::to_json(member.next.iter().map(|(topic, it)| (&**topic, it)));
            let Some(gathered) = member.receive(&self.rules, most)? else {
                return Ok(None);
            };
            let end = self.next();
            self.chosen = Some((end.clone(), gathered));
            return Ok(Some(OffsetRange { start, end }));
        }
        if self.looked.elapsed() > self.discovery {
            // A broker that does not answer now has no new partitions.
            match self.discover() {
                Err(error) if error.kind() != ErrorKind::Unavailable => return Err(error),
                _ => {}
            }
        }
        let start = self.next();
        let gathered = self.receive(limits)?;
        let end = self.next();
        if gathered.messages == 0 {
            return Ok(None);
        }
        self.chosen = Some((end.clone(), gathered));
        Ok(Some(OffsetRange { start, end }))
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let gathered = match self.chosen.take_if(|(end, _)| *end == range.end) {
            Some((_, gathered)) => gathered,
            None => self.replay(range)?,
        };
        gathered.into_input(&self.rules.form)
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        if let Some(member) = &mut self.member {
            member.commit();
            return Ok(());
        }
        for (topic, end) in offsets::stored(&range.end)? {
            let reader = self.readers.iter_mut().find(|it| it.topic == topic);
            if let Some(reader) = reader {
                reader.commit(&self.rules, &end)?;
            }
        }
        Ok(())
    }

    fn position(&self) -> Value {
        let committed = self.readers.iter().map(|it| (&*it.topic, &it.committed));
        share::noted(offsets::to_json(committed), self.rules.share.as_ref())
    }

    fn is_shared(&self) -> bool {
        self.member.is_some()
    }

    fn rejected_rows(&self) -> u64 {
        let skipped: u64 = self.readers.iter().map(|it| it.skipped).sum();
        let skipped = skipped + self.member.as_ref().map_or(0, |it| it.skipped);
        match &self.rules.form {
            Form::Rows(letters) => skipped + letters.lines().rejected(),
            _ => skipped,
        }
    }
}

#[cfg(test)]
mod tests;
