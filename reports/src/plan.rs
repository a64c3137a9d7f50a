//! The plan: what is measured, and how the time is divided.
//!
//! ```text
//! data ─▶ sizes, ascending ─▶ subjects ─▶ one case each: all ways, in rounds, within its time share
//! ```
//!
//! A case gets a share of the remaining time, by its weight. Time that it does not use is divided among
//! later cases. The speed of the machine only changes the number of runs and, on a slow machine, which
//! of the largest sizes are left out.

use std::time::{Duration, Instant};

use crate::model::Subject;

/// A plan of measurements.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    /// Maximum time of all measurements, including the generation of data.
    pub(crate) time: Duration,
    /// Sizes of text and of rows, ascending.
    pub(crate) sizes: &'static [u64],
    /// Names of seeded texts, which are used without a caller's file.
    pub(crate) texts: &'static [&'static str],
    /// Names of seeded tables in CSV.
    pub(crate) tables: &'static [&'static str],
    /// The rows for `reduce_by_key`.
    pub(crate) rows: &'static [RowSet],
    /// Maximum sizes of resident data on a GPU.
    pub(crate) resident: ResidentBytes,
    /// Bytes of data for the variants of a GPU's shaders.
    pub(crate) variant_bytes: u64,
    /// Bytes of the buffer that is read to measure memory.
    pub(crate) memory_buffer: u64,
    /// The part of the time for the latency of small batches.
    pub(crate) latency: Duration,
    /// Maximum number of rounds of a case.
    pub(crate) most_rounds: u32,
}

/// Seeded rows with 64-bit keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowSet {
    pub(crate) name: &'static str,
    /// Number of distinct keys.
    pub(crate) keys: u64,
    /// Whether the keys are drawn by Zipf's law instead of uniformly.
    pub(crate) is_zipf: bool,
    /// Whether the keys are text.
    pub(crate) is_text: bool,
}

const fn uniform(name: &'static str, keys: u64) -> RowSet {
    RowSet {
        name,
        keys,
        is_zipf: false,
        is_text: false,
    }
}

const fn texts(name: &'static str, keys: u64) -> RowSet {
    RowSet {
        is_text: true,
        ..uniform(name, keys)
    }
}

/// Uniform keys and keys by Zipf's law, which are compared.
pub(crate) const UNIFORM: RowSet = uniform("rows-100k", 100_000);
pub(crate) const ZIPF: RowSet = RowSet {
    name: "rows-100k-zipf",
    is_zipf: true,
    ..UNIFORM
};

/// Rows with text keys.
const TEXTS: RowSet = texts("text-rows-100k", 100_000);

/// Sizes of resident data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResidentBytes {
    /// Bytes of text.
    pub(crate) text: u64,
    /// Bytes of keys.
    pub(crate) keys: u64,
}

/// Sizes for software adapters. They only show that the code works.
pub(crate) const ON_SOFTWARE: ResidentBytes = ResidentBytes {
    text: 1 << 20,
    keys: 256 << 10,
};
pub(crate) const VARIANT_BYTES_ON_SOFTWARE: u64 = 128 << 10;

/// The resident text and keys, which the shader variants also use.
pub(crate) const TEXT: &str = "zipf-30k";
pub(crate) const KEYS: &str = "keys-u32";

/// The weight of resident data, and also of shader variants, relative to all cases: with a GPU, and
/// with only software adapters.
const ADAPTER_WEIGHT: [f64; 2] = [0.2, 0.08];

/// Returns the weight of resident data, and also of shader variants, from the weight of all cases.
pub(crate) fn adapter_weight(cases: f64, has_gpu: bool) -> f64 {
    cases * ADAPTER_WEIGHT[usize::from(!has_gpu)]
}

/// Takes under 30 seconds in total on two cores.
pub(crate) const QUICK: Plan = Plan {
    name: "quick",
    time: Duration::from_secs(17),
    sizes: &[64 << 10, 1 << 20, 16 << 20],
    texts: &["zipf-30k", "unique"],
    tables: &["sensors-413"],
    rows: &[uniform("rows-100", 100), UNIFORM, ZIPF, TEXTS],
    resident: ResidentBytes {
        text: 256_000_000,
        keys: 4 << 26,
    },
    variant_bytes: 16 << 20,
    memory_buffer: 128 << 20,
    latency: Duration::from_millis(1500),
    most_rounds: 5,
};

/// Takes under five minutes in total on two cores.
pub(crate) const FULL: Plan = Plan {
    name: "full",
    time: Duration::from_secs(225),
    sizes: &[64 << 10, 1 << 20, 16 << 20, 256 << 20],
    texts: &["zipf-30k", "zipf-1m", "unique"],
    tables: &["sensors-413", "sensors-10k"],
    rows: &[
        uniform("rows-100", 100),
        UNIFORM,
        ZIPF,
        uniform("rows-10m", 10_000_000),
        texts("text-rows-100", 100),
        TEXTS,
    ],
    resident: ResidentBytes {
        text: 1_000_000_000,
        keys: 4 << 28,
    },
    variant_bytes: 64 << 20,
    memory_buffer: 256 << 20,
    latency: Duration::from_secs(8),
    most_rounds: 9,
};

/// Text, tables and results take several times the size of the text, up to eight times in a full run
/// with 256 MiB. A text may take 1/n of the memory, so that half of the memory stays free.
const PART_OF_MEMORY: u64 = 16;

/// Returns the maximum bytes of data for a machine's memory.
pub(crate) fn most_bytes(memory: u64) -> u64 {
    memory / PART_OF_MEMORY
}

impl Plan {
    /// Returns the largest size of the plan for a machine's memory.
    pub(crate) fn largest(&self, memory: u64) -> u64 {
        let fits = |size: &&u64| **size <= most_bytes(memory);
        let sizes = self.sizes.iter();
        *sizes.rev().find(fits).unwrap_or(&self.sizes[0])
    }

    /// Returns the measured sizes of some data: the plan's sizes up to half of the whole, and the
    /// whole.
    pub(crate) fn sizes_of(&self, whole: u64) -> Vec<u64> {
        let smaller = self.sizes.iter().copied().filter(|size| *size <= whole / 2);
        smaller.chain([whole]).collect()
    }
}

/// Returns the weight of a case. Larger cases run longer, and the word count is the most important.
pub(crate) fn weight(subject: Subject, bytes: u64) -> f64 {
    let importance = match subject {
        Subject::Count => 4.0,
        _ => 1.0,
    };
    importance * (bytes as f64).sqrt()
}

/// The remaining time and the weight of the remaining cases.
#[derive(Debug)]
pub(crate) struct Budget {
    ends: Instant,
    weight: f64,
}

impl Budget {
    pub(crate) fn new(ends: Instant, weight: f64) -> Self {
        Self { ends, weight }
    }

    pub(crate) fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Returns the weight of the remaining cases.
    pub(crate) fn weight(&self) -> f64 {
        self.weight
    }

    /// Returns the time share of a case, and subtracts its weight.
    ///
    /// A case without weight has no share.
    pub(crate) fn share(&mut self, weight: f64) -> Duration {
        let all = self.weight.max(weight);
        self.weight -= weight;
        if weight <= 0.0 {
            return Duration::ZERO;
        }
        self.left().mul_f64((weight / all).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_time_is_divided_among_later_cases() {
        let mut budget = Budget::new(Instant::now() + Duration::from_secs(100), 4.0);
        let near = |share: Duration, seconds: f64| (share.as_secs_f64() - seconds).abs() < 1.0;
        assert!(near(budget.share(1.0), 25.0));
        // That was not used, so the next share is a third of the whole.
        assert!(near(budget.share(1.0), 33.3));
        assert!(near(budget.share(2.0), 100.0));
        assert!(near(budget.share(2.0), 100.0));
        let mut late = Budget::new(Instant::now(), 1.0);
        assert_eq!(late.share(1.0), Duration::ZERO);
    }

    /// Without adapters the cases of adapters have no weight. They come after all others.
    #[test]
    fn a_case_without_weight_has_no_share() {
        for weight in [0.0, 1.0] {
            let mut budget = Budget::new(Instant::now() + Duration::from_secs(100), weight);
            budget.share(weight);
            assert_eq!(budget.share(0.0), Duration::ZERO);
        }
    }

    #[test]
    fn a_small_machine_gets_smaller_sizes() {
        assert_eq!(FULL.largest(8 << 30), 256 << 20);
        assert_eq!(FULL.largest(1 << 30), 16 << 20);
        assert_eq!(FULL.largest(1 << 10), 64 << 10);
    }

    #[test]
    fn a_file_is_measured_whole_and_in_parts() {
        assert_eq!(QUICK.sizes_of(10), [10]);
        assert_eq!(QUICK.sizes_of(100 << 10), [100 << 10]);
        assert_eq!(QUICK.sizes_of(3 << 20), [64 << 10, 1 << 20, 3 << 20]);
        assert_eq!(QUICK.sizes_of(16 << 20), QUICK.sizes);
    }

    #[test]
    fn every_seeded_set_is_in_the_registry() {
        for name in [QUICK.texts, QUICK.tables, FULL.texts, FULL.tables].concat() {
            assert!(keymill_datasets::find(name).is_some(), "{name}");
        }
    }
}
