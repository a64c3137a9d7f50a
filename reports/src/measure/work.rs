//! What a job does, and the digest of its result.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use keymill::aggregate::sum;
use keymill::probe::Answer;
use keymill::{BatchLimits, Engine, Order, Result, ResultStream, TokenRule};

use super::table;
use crate::data::Text;
use crate::rows::{KEY, VALUE};

/// The work of a job.
#[derive(Clone, Copy)]
pub(super) enum Work<'a> {
    /// The word count of a text.
    Count { rule: &'a TokenRule, text: &'a Text },
    /// The sums of record batches by key.
    Sum(&'a [RecordBatch]),
    /// The group-by of a table in CSV.
    Csv(&'a Text),
}

/// Starts a job.
type Start = Box<dyn FnOnce() -> Result<ResultStream>>;

impl Work<'_> {
    /// Builds the job, without a copy of the data.
    pub(super) fn job(&self, engine: &Engine) -> Start {
        match self {
            Self::Count { rule, text } => {
                let job = engine.read_bytes((*text).clone());
                let job = job.tokenize((*rule).clone()).count_by_key();
                Box::new(move || job.stream(Order::None, BatchLimits::default()))
            }
            Self::Sum(batches) => {
                let job = engine.read_batches(batches.to_vec());
                let job = job.group_by([KEY]).agg([sum(VALUE)]);
                Box::new(move || job.stream(Order::None, BatchLimits::default()))
            }
            Self::Csv(text) => {
                let job = engine.read_table(table::table(text));
                let job = job.group_by([table::STATION]).agg(table::calls());
                Box::new(move || job.stream(Order::None, BatchLimits::default()))
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Count { text, .. } | Self::Csv(text) => text.bytes() == 0,
            Self::Sum(batches) => batches.is_empty(),
        }
    }

    /// Adds a batch of the result to the answer.
    pub(super) fn note(&self, answer: &mut Answer, batch: &RecordBatch) {
        match self {
            Self::Count { .. } => note_counts(answer, batch),
            Self::Sum(_) => note_sums(answer, batch),
            Self::Csv(_) => table::note(answer, batch),
        }
    }

    /// Returns the number of rows that were read, if the result does not tell it.
    pub(super) fn rows(&self) -> u64 {
        match self {
            Self::Count { .. } | Self::Csv(_) => 0,
            Self::Sum(batches) => batches.iter().map(|it| it.num_rows() as u64).sum(),
        }
    }
}

fn note_counts(answer: &mut Answer, batch: &RecordBatch) {
    let keys = batch.column(0).as_binary_view();
    let counts = batch.column(1).as_primitive::<UInt64Type>();
    for (key, &count) in keys.iter().flatten().zip(counts.values()) {
        answer.counted(key, count);
    }
}

fn note_sums(answer: &mut Answer, batch: &RecordBatch) {
    let (keys, sums) = (batch.column(0), batch.column(1));
    let sums = sums.as_primitive::<Int64Type>().values().iter();
    match keys.data_type() {
        DataType::UInt64 => {
            let keys = keys.as_primitive::<UInt64Type>().values().iter();
            keys.zip(sums)
                .for_each(|(key, &sum)| answer.summed(&key.to_le_bytes(), sum));
        }
        _ => {
            let keys = keys.as_string::<i32>().iter().flatten();
            keys.zip(sums)
                .for_each(|(key, &sum)| answer.summed(key.as_bytes(), sum));
        }
    }
}
