//! `approx_distinct(x)`: an estimate of the number of different values that are not null, by HyperLogLog.
//!
//! It has 4096 registers, so its standard error is 1.04 ÷ √4096 = 1.6 %. A group takes at most 4 KiB. The
//! estimate depends only on the set of values: the registers are the same for any order and split, and are
//! read by the improved estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog
//! sketches", 2017, which needs no table of corrections.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, UInt64Array};
use arrow_schema::DataType;
use keymill_kernels::{HashSeed, Level};

use super::distinct::check;
use super::{Accumulator, Aggregate, AggregateExpr, Entry, FinishError, not_its_state};
use crate::Result;
use crate::expr::Expr;
use crate::keys::hash_keys;

pub(super) const ENTRIES: &[Entry] = &[Entry::new(
    "approx_distinct",
    "approx_distinct(x)",
    1,
    |_| Ok(Arc::new(ApproxDistinct)),
)];

/// The bits of a hash that choose a register.
const INDEX_BITS: u32 = 12;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The largest value of a register.
const MOST: u8 = (64 - INDEX_BITS + 1) as u8;
/// Registers that are kept one by one, each in 4 bytes.
const MOST_SPARSE: usize = REGISTERS / 4;
/// Part of the state: the same in every release.
const SEED: HashSeed = HashSeed(0x6b65_796d_696c_6c21);

/// An estimate of the number of different values.
#[derive(Debug)]
struct ApproxDistinct;

/// Estimates the number of different values of an expression, with a standard error of 1.6 %. Nulls are
/// skipped.
#[must_use]
pub fn approx_distinct(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(ApproxDistinct, [input.into()])
}

impl Aggregate for ApproxDistinct {
    fn name(&self) -> &'static str {
        "approx_distinct"
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        check(self.name(), inputs).map(|()| DataType::UInt64)
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        check(self.name(), inputs).map(|()| vec![DataType::Binary])
    }

    fn accumulator(&self, inputs: &[DataType], level: Level) -> Result<Box<dyn Accumulator>> {
        check(self.name(), inputs)?;
        Ok(Box::new(Sketches {
            level,
            sketches: Vec::new(),
            bytes: 0,
            hashes: Vec::new(),
        }))
    }
}

/// The registers of one group that are not 0.
enum Sketch {
    /// In the order of their index.
    Sparse(Vec<(u16, u8)>),
    Dense(Box<[u8; REGISTERS]>),
}

impl Sketch {
    fn raise(&mut self, index: u16, value: u8) {
        let registers = match self {
            Self::Dense(registers) => {
                let register = &mut registers[usize::from(index)];
                *register = value.max(*register);
                return;
            }
            Self::Sparse(registers) => registers,
        };
        match registers.binary_search_by_key(&index, |register| register.0) {
            Ok(place) => registers[place].1 = value.max(registers[place].1),
            Err(place) => registers.insert(place, (index, value)),
        }
        if registers.len() > MOST_SPARSE {
            let mut dense = Box::new([0; REGISTERS]);
            for &(index, value) in &*registers {
                dense[usize::from(index)] = value;
            }
            *self = Self::Dense(dense);
        }
    }

    fn estimate(&self) -> u64 {
        let mut counts = [0u32; MOST as usize + 1];
        match self {
            Self::Sparse(registers) => {
                counts[0] = (REGISTERS - registers.len()) as u32;
                registers.iter().for_each(|register| counts[usize::from(register.1)] += 1);
            }
            Self::Dense(registers) => {
                registers.iter().for_each(|register| counts[usize::from(*register)] += 1);
            }
        }
        estimate(&counts)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Sparse(registers) => registers.capacity() * size_of::<(u16, u8)>(),
            Self::Dense(_) => REGISTERS,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sparse(registers) => {
                for (index, value) in registers {
                    out.extend(index.to_le_bytes());
                    out.push(*value);
                }
            }
            Self::Dense(registers) => out.extend(&registers[..]),
        }
    }

    /// Adds what [`Sketch::write`] has written; `None` for anything else.
    fn merge(&mut self, state: &[u8]) -> Option<()> {
        if state.len() == REGISTERS {
            for (index, &value) in (0..).zip(state).filter(|(_, value)| **value > 0) {
                (value <= MOST).then(|| self.raise(index, value))?;
            }
            return Some(());
        }
        let (registers, rest) = state.as_chunks::<3>();
        rest.is_empty().then_some(())?;
        for &[low, high, value] in registers {
            let index = u16::from_le_bytes([low, high]);
            let is_register = usize::from(index) < REGISTERS && (1..=MOST).contains(&value);
            is_register.then(|| self.raise(index, value))?;
        }
        Some(())
    }
}

/// Returns the estimate for the number of registers with each value.
fn estimate(counts: &[u32; MOST as usize + 1]) -> u64 {
    let all = REGISTERS as f64;
    let share = |value: usize| f64::from(counts[value]) / all;
    let mut sum = all * tau(1.0 - share(usize::from(MOST)));
    for value in (1..usize::from(MOST)).rev() {
        sum = 0.5 * (sum + f64::from(counts[value]));
    }
    sum += all * sigma(share(0));
    (all * all / (2.0 * std::f64::consts::LN_2 * sum)).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// The sketches of groups.
struct Sketches {
    level: Level,
    sketches: Vec<Sketch>,
    bytes: usize,
    hashes: Vec<u64>,
}

impl Sketches {
    /// Changes the sketch of a group.
    fn change<R>(&mut self, group: u32, change: impl FnOnce(&mut Sketch) -> R) -> R {
        let sketch = &mut self.sketches[group as usize];
        let before = sketch.bytes();
        let result = change(sketch);
        self.bytes = self.bytes - before + sketch.bytes();
        result
    }
}

impl Accumulator for Sketches {
    fn resize(&mut self, groups: usize) {
        self.sketches.resize_with(groups, || Sketch::Sparse(Vec::new()));
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let column = &columns[0];
        let mut hashes = std::mem::take(&mut self.hashes);
        hash_keys(self.level, SEED, std::slice::from_ref(column), &mut hashes)?;
        let nulls = column.logical_nulls();
        for (row, (&id, &hash)) in ids.iter().zip(&hashes).enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                let index = (hash >> (64 - INDEX_BITS)) as u16;
                // The bit that is set ends the zeros of a hash whose other bits are 0.
                let rest = hash << INDEX_BITS | 1 << (INDEX_BITS - 1);
                let value = rest.leading_zeros() as u8 + 1;
                self.change(id, |sketch| sketch.raise(index, value));
            }
        }
        self.hashes = hashes;
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let not_its = || not_its_state("approx_distinct");
        let state = states.first().and_then(|state| state.as_binary_opt::<i32>());
        let state = state.ok_or_else(not_its)?;
        for (&id, state) in ids.iter().zip(state) {
            let state = state.ok_or_else(not_its)?;
            self.change(id, |sketch| sketch.merge(state)).ok_or_else(not_its)?;
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut states = BinaryBuilder::new();
        let mut bytes = Vec::new();
        for &group in groups {
            bytes.clear();
            self.sketches[group as usize].write(&mut bytes);
            states.append_value(&bytes);
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        let estimates = groups.iter().map(|&group| self.sketches[group as usize].estimate());
        Ok(Arc::new(UInt64Array::from_iter_values(estimates)))
    }

    fn reset(&mut self, groups: &[u32]) {
        for &group in groups {
            self.change(group, |sketch| *sketch = Sketch::Sparse(Vec::new()));
        }
    }

    fn clear(&mut self) {
        self.sketches.clear();
        self.bytes = 0;
    }

    fn size(&self) -> usize {
        let sketches = self.sketches.capacity() * size_of::<Sketch>();
        sketches + self.bytes + self.hashes.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;

    use super::*;

    #[test]
    fn estimates_are_within_three_standard_errors() {
        for (count, most) in [(0, 0), (1, 0), (100, 1), (5000, 240), (300_000, 14_700)] {
            let mut sketches = Sketches {
                level: Level::best(),
                sketches: Vec::new(),
                bytes: 0,
                hashes: Vec::new(),
            };
            sketches.resize(1);
            let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
            let ids = vec![0; values.len()];
            for _ in 0..2 {
                sketches.update(&ids, &[Arc::clone(&values)]).unwrap();
            }
            let found = sketches.sketches[0].estimate() as i64;
            assert!((found - count).abs() <= most, "{found} for {count}");
        }
    }
}
