//! What is measured, and how the time is shared out.
//!
//! ```text
//! data ─▶ sizes, ascending ─▶ subjects ─▶ a case each: all ways, in rounds, while its share lasts
//! ```
//!
//! A case gets a share of the time that is left, by its weight; what it does not use falls to those
//! after it. Nothing depends on how fast a machine is but the number of runs and, on a slow one,
//! which of the largest sizes are left out.

use std::time::{Duration, Instant};

use crate::model::Subject;

/// What a plan measures.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    /// How long all measurements together may take, making the data included.
    pub(crate) time: Duration,
    /// Sizes of text and of rows, ascending.
    pub(crate) sizes: &'static [u64],
    /// Seeded texts, by name, where the caller gives none.
    pub(crate) texts: &'static [&'static str],
    /// The rows that are reduced.
    pub(crate) rows: &'static [RowSet],
    /// What lies on a GPU while it is measured, at most.
    pub(crate) resident: Lying,
    /// Bytes of what every variant of a GPU's shaders works on.
    pub(crate) variant_bytes: u64,
    /// The buffer that shows how fast memory is read.
    pub(crate) memory_buffer: u64,
    /// After so many rounds a case is done, whatever time is left.
    pub(crate) most_rounds: u32,
}

/// Seeded rows with 64-bit keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowSet {
    pub(crate) name: &'static str,
    /// From so many keys.
    pub(crate) keys: u64,
    /// Whether some are far more frequent than others, by Zipf's law.
    pub(crate) is_zipf: bool,
    /// Whether the keys are texts.
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

/// As frequent as each other, and by Zipf's law: both are compared.
pub(crate) const UNIFORM: RowSet = uniform("rows-100k", 100_000);
pub(crate) const ZIPF: RowSet = RowSet {
    name: "rows-100k-zipf",
    is_zipf: true,
    ..UNIFORM
};

/// Keys that are texts.
const TEXTS: RowSet = texts("text-rows-100k", 100_000);

/// What lies on an adapter while it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lying {
    /// Bytes of text.
    pub(crate) text: u64,
    /// Bytes of keys.
    pub(crate) keys: u64,
}

/// What software adapters have lying there, and work on with every variant: enough to see that it
/// works. Nobody would choose them.
pub(crate) const ON_SOFTWARE: Lying = Lying {
    text: 1 << 20,
    keys: 256 << 10,
};
pub(crate) const VARIANT_BYTES_ON_SOFTWARE: u64 = 128 << 10;

/// The text and the keys that lie on adapters, and that every variant works on.
pub(crate) const TEXT: &str = "zipf-30k";
pub(crate) const KEYS: &str = "keys-u32";

/// Parts of the weight of all cases that data on adapters, and the variants of shaders, weigh beside
/// them: with a GPU, and with software alone.
const BESIDE: [f64; 2] = [0.2, 0.08];

/// What data on adapters, and what variants of shaders weigh beside so much.
pub(crate) fn weight_beside(cases: f64, has_gpu: bool) -> f64 {
    cases * BESIDE[usize::from(!has_gpu)]
}

/// Under 30 seconds with all else, on two cores.
pub(crate) const QUICK: Plan = Plan {
    name: "quick",
    time: Duration::from_secs(17),
    sizes: &[64 << 10, 1 << 20, 16 << 20],
    texts: &["zipf-30k", "unique"],
    rows: &[uniform("rows-100", 100), UNIFORM, ZIPF, TEXTS],
    resident: Lying {
        text: 256_000_000,
        keys: 4 << 26,
    },
    variant_bytes: 16 << 20,
    memory_buffer: 128 << 20,
    most_rounds: 5,
};

/// Under five minutes with all else, on two cores.
pub(crate) const FULL: Plan = Plan {
    name: "full",
    time: Duration::from_secs(225),
    sizes: &[64 << 10, 1 << 20, 16 << 20, 256 << 20],
    texts: &["zipf-30k", "zipf-1m", "unique"],
    rows: &[
        uniform("rows-100", 100),
        UNIFORM,
        ZIPF,
        uniform("rows-10m", 10_000_000),
        texts("text-rows-100", 100),
        TEXTS,
    ],
    resident: Lying {
        text: 1_000_000_000,
        keys: 4 << 28,
    },
    variant_bytes: 64 << 20,
    memory_buffer: 256 << 20,
    most_rounds: 9,
};

/// Text, tables and results take several times a text's own size; in a full run of 256 MiB up to eight
/// times. With this part of memory for a text, half of memory stays free.
const PART_OF_MEMORY: u64 = 16;

/// The most bytes that there is the memory for.
pub(crate) fn most_bytes(memory: u64) -> u64 {
    memory / PART_OF_MEMORY
}

impl Plan {
    /// The largest size that there is the memory for.
    pub(crate) fn largest(&self, memory: u64) -> u64 {
        let fits = |size: &&u64| **size <= most_bytes(memory);
        let sizes = self.sizes.iter();
        *sizes.rev().find(fits).unwrap_or(&self.sizes[0])
    }

    /// The sizes of some data at which it is measured: those of the plan that are clearly smaller
    /// than the whole, and the whole.
    pub(crate) fn sizes_of(&self, whole: u64) -> Vec<u64> {
        let smaller = self.sizes.iter().copied().filter(|size| *size <= whole / 2);
        smaller.chain([whole]).collect()
    }
}

/// How much of the time a case is worth: larger ones run longer, and the word count matters most.
pub(crate) fn weight(subject: Subject, bytes: u64) -> f64 {
    let importance = match subject {
        Subject::Count => 4.0,
        _ => 1.0,
    };
    importance * (bytes as f64).sqrt()
}

/// The time that is left, and the weight of all that is still to come.
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

    /// The weight of all that is still to come.
    pub(crate) fn weight(&self) -> f64 {
        self.weight
    }

    /// The share of a case of this weight, which is then no longer to come.
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
    fn shares_use_up_the_time_and_what_is_left_falls_to_the_last() {
        let mut budget = Budget::new(Instant::now() + Duration::from_secs(100), 4.0);
        let near = |share: Duration, seconds: f64| (share.as_secs_f64() - seconds).abs() < 1.0;
        assert!(near(budget.share(1.0), 25.0));
        // Nobody used that: a third of the whole is next.
        assert!(near(budget.share(1.0), 33.3));
        assert!(near(budget.share(2.0), 100.0));
        assert!(near(budget.share(2.0), 100.0));
        let mut late = Budget::new(Instant::now(), 1.0);
        assert_eq!(late.share(1.0), Duration::ZERO);
    }

    /// Without adapters their cases weigh nothing, and come after all others.
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
    fn every_seeded_text_is_in_the_registry() {
        for name in [QUICK.texts, FULL.texts].concat() {
            assert!(keymill_datasets::find(name).is_some(), "{name}");
        }
    }
}
