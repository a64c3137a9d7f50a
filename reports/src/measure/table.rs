//! A table in CSV for jobs, and its answer by plain code.
//!
//! The readings have one decimal, so that sums in tenths are whole numbers. In these units the plain code
//! and the job must agree in every digit.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_schema::DataType;
use keymill::aggregate::{AggregateExpr, count_rows, max, mean, min};
use keymill::probe::Answer;
use keymill::read::{Column, Table, TableFormat};

use crate::data::Text;

/// The names of the columns.
pub(super) const STATION: &str = "station";
const READING: &str = "reading";

/// The count, minimum, mean and maximum of a station, in tenths; of the mean, the sum.
#[derive(Clone, Copy, Debug)]
struct Tenths {
    count: u64,
    min: i64,
    sum: i64,
    max: i64,
}

impl Tenths {
    fn of(reading: i64) -> Self {
        Self {
            count: 1,
            min: reading,
            sum: reading,
            max: reading,
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            min: self.min.min(other.min),
            sum: self.sum + other.sum,
            max: self.max.max(other.max),
        }
    }

    fn note(self, answer: &mut Answer, station: &str) {
        let all = [self.count as i64, self.min, self.max];
        let mixed = all.iter().fold(self.sum, |mixed, one| {
            mixed.wrapping_mul(0x9e37_79b9).wrapping_add(*one)
        });
        answer.rows += self.count;
        answer.summed(station.as_bytes(), mixed);
    }
}

/// Returns the table of a text with lines `station;reading`.
pub(super) fn table(text: &Text) -> Table {
    let columns = [
        Column::new(STATION).of_type(DataType::Utf8),
        Column::new(READING).of_type(DataType::Float64),
    ];
    let table = Table::of_bytes(text.clone()).format(TableFormat::Csv);
    table.delimiter(b';').header(false).columns(columns)
}

/// Returns what the job computes.
pub(super) fn calls() -> [AggregateExpr; 4] {
    [count_rows(), min(READING), mean(READING), max(READING)]
}

/// Adds a batch of the job's result to the answer.
pub(super) fn note(answer: &mut Answer, batch: &RecordBatch) {
    let stations = batch.column(0).as_string::<i32>();
    let counts = batch.column(1).as_primitive::<UInt64Type>().values();
    let floats = |column: usize| batch.column(column).as_primitive::<Float64Type>().values();
    let (least, means, most) = (floats(2), floats(3), floats(4));
    for (row, station) in stations.iter().enumerate() {
        let count = counts[row];
        let tenths = Tenths {
            count,
            min: in_tenths(least[row]),
            sum: in_tenths(means[row] * count as f64),
            max: in_tenths(most[row]),
        };
        tenths.note(answer, station.unwrap_or_default());
    }
}

fn in_tenths(value: f64) -> i64 {
    (value * 10.0).round() as i64
}

/// Returns the answer by plain code.
pub(crate) fn expected(text: &Text) -> Answer {
    let mut stations: HashMap<&str, Tenths> = HashMap::new();
    let text = String::from_utf8_lossy(text.as_ref());
    for line in text.lines() {
        let (station, reading) = line.split_once(';').unwrap_or((line, ""));
        let reading = Tenths::of(reading.replacen('.', "", 1).parse().unwrap_or(i64::MIN));
        let all = stations.get(station).map_or(reading, |it| it.with(reading));
        stations.insert(station, all);
    }
    let mut answer = Answer::default();
    for (station, tenths) in stations {
        tenths.note(&mut answer, station);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_code_adds_tenths() {
        let answer = expected(&Text::new("a;-0.4\nb;12.0\na;1.5\n".into()));
        assert_eq!((answer.rows, answer.groups), (3, 2));
        let mut other = Answer::default();
        let a = Tenths {
            count: 2,
            min: -4,
            sum: 11,
            max: 15,
        };
        a.note(&mut other, "a");
        Tenths::of(120).note(&mut other, "b");
        assert_eq!(answer, other);
        let changed = expected(&Text::new("a;-0.4\nb;12.0\na;1.6\n".into()));
        assert_ne!(answer.digest, changed.digest);
    }
}
