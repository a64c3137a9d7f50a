//! Random rows and expressions.

use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringViewArray,
    UInt32Array,
};
use arrow_schema::DataType;

use super::super::{Expr, build, coalesce, col, concat, lit, when};
use super::{COLUMNS, Kind, Value};

/// The rows as a batch, with one type for each column: narrow and unsigned integers, views and a
/// dictionary too.
pub(super) fn batch_of(rows: &[Vec<Value>]) -> RecordBatch {
    let integers = |column: usize| {
        rows.iter().map(move |row| match row[column] {
            Value::Integer(value) => Some(value),
            _ => None,
        })
    };
    let texts = |column: usize| {
        rows.iter().map(move |row| match &row[column] {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    };
    let floats = rows.iter().map(|row| match row[4] {
        Value::Float(value) => Some(value),
        _ => None,
    });
    let flags = rows.iter().map(|row| match row[5] {
        Value::Boolean(value) => Some(value),
        _ => None,
    });
    let mut words = StringDictionaryBuilder::<Int8Type>::new();
    words.extend(texts(7));
    let small = integers(2).map(|value| value.map(|value| value as i16));
    let unsigned = integers(3).map(|value| value.map(|value| value as u32));
    let columns: [ArrayRef; 8] = [
        Arc::new(integers(0).collect::<Int64Array>()),
        Arc::new(integers(1).collect::<Int64Array>()),
        Arc::new(small.collect::<Int16Array>()),
        Arc::new(unsigned.collect::<UInt32Array>()),
        Arc::new(floats.collect::<Float64Array>()),
        Arc::new(flags.collect::<BooleanArray>()),
        Arc::new(texts(6).collect::<StringViewArray>()),
        Arc::new(words.finish()),
    ];
    let named = COLUMNS.iter().map(|column| column.0).zip(columns);
    RecordBatch::try_from_iter(named).expect("columns of one length")
}

/// Choices that bytes decide. After their end the first choice is taken.
pub(super) struct Choices<'a>(pub(super) &'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub(super) fn below(&mut self, most: usize) -> usize {
        usize::from(self.byte()) % most
    }

    pub(super) fn rows(&mut self) -> Vec<Vec<Value>> {
        let count = 1 + self.below(12);
        (0..count).map(|_| self.row()).collect()
    }

    fn row(&mut self) -> Vec<Value> {
        let columns = COLUMNS.iter().map(|(name, kind)| match (*name, kind) {
            (_, _) if self.below(5) == 1 => Value::Null,
            ("small", _) => Value::Integer([0, 1, -3, 32767, -32768][self.below(5)]),
            ("unsigned", _) => Value::Integer([0, 1, 7, 4_294_967_295][self.below(4)]),
            (_, kind) => self.constant(*kind),
        });
        columns.collect()
    }

    fn constant(&mut self, kind: Kind) -> Value {
        const INTEGERS: [i64; 9] = [0, 1, -1, 2, 3, 7, -100, i64::MAX, i64::MIN];
        const FLOATS: [f64; 10] = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            2.0,
            0.1,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        const TEXTS: [&str; 10] = [
            "", "a", "A", "ab", " a ", "a%b", "äß,x", "12", "-7", "a_,b,",
        ];
        match kind {
            Kind::Boolean => Value::Boolean(self.below(2) == 1),
            Kind::Integer => Value::Integer(INTEGERS[self.below(INTEGERS.len())]),
            Kind::Float => Value::Float(FLOATS[self.below(FLOATS.len())]),
            Kind::Text => Value::Text(TEXTS[self.below(TEXTS.len())].to_owned()),
        }
    }

    /// An expression of a kind, at most so deep.
    pub(super) fn expression(&mut self, kind: Kind, deep: usize) -> Expr {
        if deep == 0 || self.below(5) == 0 {
            return self.leaf(kind);
        }
        let deep = deep - 1;
        if self.below(6) == 0 {
            let condition = self.expression(Kind::Boolean, deep);
            let then = self.expression(kind, deep);
            let case = when(condition, then);
            return match self.below(2) {
                0 => case.otherwise(self.expression(kind, deep)),
                _ => {
                    let second = self.expression(Kind::Boolean, deep);
                    case.when(second, self.expression(kind, deep)).end()
                }
            };
        }
        if self.below(6) == 0 {
            let (one, other) = (self.expression(kind, deep), self.expression(kind, deep));
            return match self.below(2) {
                0 => coalesce([one, other]),
                _ => one.nullif(other),
            };
        }
        match kind {
            Kind::Boolean => self.condition(deep),
            Kind::Integer => self.integer(deep),
            Kind::Float => self.float(deep),
            Kind::Text => self.text(deep),
        }
    }

    fn leaf(&mut self, kind: Kind) -> Expr {
        let columns: Vec<_> = COLUMNS.iter().filter(|column| column.1 == kind).collect();
        if self.below(3) > 0 {
            return col(columns[self.below(columns.len())].0);
        }
        match self.constant(kind) {
            Value::Boolean(value) => lit(value),
            Value::Integer(value) => lit(value),
            // A constant that is not finite is written as a cast.
            Value::Float(value) if !value.is_finite() => col("x"),
            Value::Float(value) => lit(value),
            Value::Text(value) => lit(value),
            Value::Null => lit(None::<i64>),
        }
    }

    fn condition(&mut self, deep: usize) -> Expr {
        let kind = [Kind::Integer, Kind::Float, Kind::Text, Kind::Boolean][self.below(4)];
        let choice = self.below(12);
        let (one, other) = match choice {
            0..=6 => (self.expression(kind, deep), self.expression(kind, deep)),
            _ => (
                self.expression(Kind::Boolean, deep),
                self.expression(Kind::Boolean, deep),
            ),
        };
        match choice {
            0 => one.eq(other),
            1 => one.not_eq(other),
            2 => one.lt(other),
            3 => one.gt_eq(other),
            4 => one.is_distinct_from(other),
            5 => one.is_in([other, self.leaf(kind)]),
            6 => one.is_null(),
            7 => one.and(other),
            8 => one.or(other),
            9 => !one,
            10 => one.is_true(),
            _ => {
                let text = self.expression(Kind::Text, deep);
                let pattern = ["%", "a%", "_", "%\\%%", "%,%_", "a"][self.below(6)];
                match self.below(3) {
                    0 => text.starts_with(lit(pattern)),
                    1 => text.contains(self.expression(Kind::Text, deep)),
                    _ => text.like(pattern),
                }
            }
        }
    }

    fn integer(&mut self, deep: usize) -> Expr {
        let one = self.expression(Kind::Integer, deep);
        match self.below(10) {
            0 => one + self.expression(Kind::Integer, deep),
            1 => one - self.expression(Kind::Integer, deep),
            2 => one * self.expression(Kind::Integer, deep),
            3 => one / self.expression(Kind::Integer, deep),
            4 => one % self.expression(Kind::Integer, deep),
            5 => -one,
            6 => one.abs(),
            7 => self.expression(Kind::Text, deep).length(),
            8 => one.try_cast(DataType::Int16),
            _ => self.expression(Kind::Text, deep).try_cast(DataType::Int64),
        }
    }

    fn float(&mut self, deep: usize) -> Expr {
        let one = self.expression(Kind::Float, deep);
        match self.below(7) {
            0 => one + self.expression(Kind::Integer, deep),
            1 => one - self.expression(Kind::Float, deep),
            2 => one * self.expression(Kind::Float, deep),
            3 => self.expression(Kind::Integer, deep) / one,
            4 => -one,
            5 => one.abs(),
            _ => self.expression(Kind::Integer, deep).cast(DataType::Float64),
        }
    }

    fn text(&mut self, deep: usize) -> Expr {
        let one = self.expression(Kind::Text, deep);
        match self.below(7) {
            0 => one.lower(),
            1 => one.upper(),
            2 => one.trim(),
            3 => one.substr(self.leaf(Kind::Integer), self.leaf(Kind::Integer)),
            4 => one.split_part(lit(","), self.leaf(Kind::Integer)),
            5 => concat([one, self.expression(Kind::Text, deep)]),
            _ => build::join(one, self.expression(Kind::Text, deep)),
        }
    }
}
