//! The messages of an epoch, by topic and partition: a replay has them in the same order, whichever
//! partition answers first.
#![forbid(unsafe_code)]

use std::sync::Arc;

use keymill::Result;
use keymill::read::{MemorySource, RecordBatches};
use keymill::stream::EpochInput;
use rdkafka::Message;

use super::columns::Columns;
use super::letters::{DeadLetters, Spans};

/// What becomes of messages.
#[derive(Default)]
pub(super) enum Form {
    /// Each is a line, or several.
    #[default]
    Lines,
    /// Each is a row of the columns that every message has.
    Columns,
    /// Lines are rows, and those that are not are kept.
    Rows(DeadLetters),
}

/// The messages of an epoch.
#[derive(Default)]
pub(super) struct Gathered {
    parts: Vec<Part>,
    /// The part of the last message: the next one is mostly of the same.
    last: usize,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

struct Part {
    topic: String,
    number: i32,
    text: Vec<u8>,
    spans: Spans,
    columns: Option<Columns>,
}

impl Part {
    fn new(topic: &str, number: i32) -> Self {
        Self {
            topic: topic.to_owned(),
            number,
            text: Vec::new(),
            spans: Spans::new(),
            columns: None,
        }
    }
}

impl Gathered {
    /// The part of a partition.
    fn part(&mut self, topic: &str, number: i32) -> &mut Part {
        let is_it = |part: &Part| part.number == number && part.topic == topic;
        if !self.parts.get(self.last).is_some_and(is_it) {
            let found = self.parts.iter().position(is_it);
            self.last = found.unwrap_or(self.parts.len());
            if found.is_none() {
                self.parts.push(Part::new(topic, number));
            }
        }
        &mut self.parts[self.last]
    }

    pub(super) fn push(&mut self, message: &impl Message, form: &Form) {
        self.messages += 1;
        let part = self.part(message.topic(), message.partition());
        if matches!(form, Form::Columns) {
            let bytes = part.columns.get_or_insert_default().push(message);
            self.bytes += bytes as u64;
            return;
        }
        // A message without a value says that its key is deleted.
        let Some(payload) = message.payload() else {
            return;
        };
        let start = part.text.len();
        part.text.extend_from_slice(payload);
        if payload.last() != Some(&b'\n') {
            part.text.push(b'\n');
        }
        let bytes = part.text.len() - start;
        if matches!(form, Form::Rows(_)) {
            part.spans.push((start, message.offset()));
        }
        self.bytes += bytes as u64;
    }

    pub(super) fn into_input(mut self, form: &Form) -> Result<EpochInput> {
        let order = |part: &Part| (part.topic.clone(), part.number);
        self.parts.sort_by_cached_key(order);
        let parts = self.parts.into_iter();
        Ok(match form {
            Form::Lines => {
                let mut texts = parts.map(|part| part.text);
                let first = MemorySource::new(texts.next().unwrap_or_default());
                EpochInput::Text(Arc::new(texts.fold(first, MemorySource::and)))
            }
            Form::Columns => {
                let batches = parts.filter_map(|part| part.columns);
                let batches = batches.map(Columns::finish);
                EpochInput::Batches(RecordBatches::new(batches))
            }
            Form::Rows(letters) => {
                let letters = letters.clone();
                let batches = parts.flat_map(move |part| {
                    letters.rows(&part.topic, part.number, part.text, part.spans)
                });
                EpochInput::Batches(RecordBatches::new(batches))
            }
        })
    }
}
