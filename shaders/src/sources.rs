//! The list of shader files.

use crate::Permutation;

/// A stage that has a shader, or a variant of a stage that has its own shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Checks that a device computes correctly.
    SelfTest,
    /// Finds tokens separated by white space.
    Tokenize,
    /// Counts tokens by key.
    Count,
    /// Counts the words of a text by key in one pass.
    FusedCount,
    /// Finds words in ASCII text.
    TokenizeWords,
    /// Splits lines into parts.
    TokenizeSplit,
    /// Finds one field of each line.
    TokenizeField,
    /// Finds lines.
    Frame,
    /// Sorts row numbers by the partition of their keys.
    HashPartition,
    /// Reduces rows with integer keys to one record per key.
    ReduceByKey,
    /// Reduces rows whose keys are spans of a text to one record per key.
    ReduceByKeyBytes,
}

/// How a shader uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Parameters, the same for all invocations.
    Uniform,
    /// Read only.
    Read,
    /// Read and write.
    Write,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 11] = [
        Self::SelfTest,
        Self::Tokenize,
        Self::TokenizeWords,
        Self::TokenizeSplit,
        Self::TokenizeField,
        Self::Frame,
        Self::Count,
        Self::FusedCount,
        Self::HashPartition,
        Self::ReduceByKey,
        Self::ReduceByKeyBytes,
    ];

    /// Returns the stage's name, which is the path of its file without extension.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SelfTest => "self_test",
            Self::Tokenize => "tokenize",
            Self::Count => "count",
            Self::FusedCount => "count/fused",
            Self::TokenizeWords => "tokenize/words",
            Self::TokenizeSplit => "tokenize/split",
            Self::TokenizeField => "tokenize/field",
            Self::Frame => "frame",
            Self::HashPartition => "hash_partition",
            Self::ReduceByKey => "reduce_by_key",
            Self::ReduceByKeyBytes => "reduce_by_key/bytes",
        }
    }

    /// Returns the bindings of group 0 that the shader uses, in order.
    #[must_use]
    pub const fn bindings(self) -> &'static [Binding] {
        use Binding::{Read, Uniform, Write};
        match self {
            Self::SelfTest => &[Uniform, Write, Write],
            Self::Tokenize | Self::TokenizeWords | Self::TokenizeSplit | Self::Frame => {
                &[Uniform, Read, Read, Write, Write, Write]
            }
            Self::TokenizeField => &[Uniform, Read, Read, Write, Write, Write, Write],
            Self::HashPartition => &[Uniform, Read, Read, Read, Write, Write, Write],
            Self::ReduceByKey => &[Uniform, Read, Read, Write, Write, Write, Write, Write],
            Self::ReduceByKeyBytes => {
                &[Uniform, Read, Read, Write, Write, Write, Write, Write, Read]
            }
            Self::Count => &[Uniform, Read, Write, Write, Write, Write, Write, Read, Read],
            Self::FusedCount => &[Uniform, Read, Write, Write, Write, Write, Write, Write],
        }
    }

    /// Returns the stage's file and its text.
    pub(crate) const fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::SelfTest => (
                "shared/self_test.wgsl",
                include_str!("../wgsl/shared/self_test.wgsl"),
            ),
            Self::Tokenize => ("tokenize.wgsl", include_str!("../wgsl/tokenize.wgsl")),
            Self::Count => ("count.wgsl", include_str!("../wgsl/count.wgsl")),
            Self::FusedCount => ("count/fused.wgsl", include_str!("../wgsl/count/fused.wgsl")),
            Self::TokenizeWords => (
                "tokenize/words.wgsl",
                include_str!("../wgsl/tokenize/words.wgsl"),
            ),
            Self::TokenizeSplit => (
                "tokenize/split.wgsl",
                include_str!("../wgsl/tokenize/split.wgsl"),
            ),
            Self::TokenizeField => (
                "tokenize/field.wgsl",
                include_str!("../wgsl/tokenize/field.wgsl"),
            ),
            Self::Frame => ("frame.wgsl", include_str!("../wgsl/frame.wgsl")),
            Self::HashPartition => (
                "hash_partition.wgsl",
                include_str!("../wgsl/hash_partition.wgsl"),
            ),
            Self::ReduceByKey => (
                "reduce_by_key.wgsl",
                include_str!("../wgsl/reduce_by_key.wgsl"),
            ),
            Self::ReduceByKeyBytes => (
                "reduce_by_key/bytes.wgsl",
                include_str!("../wgsl/reduce_by_key/bytes.wgsl"),
            ),
        }
    }
}

/// Finds a shared part by its `// @use` name. Prefers the file for a feature of the permutation.
pub(crate) fn shared(name: &str, permutation: Permutation) -> Option<(&'static str, &'static str)> {
    let of_features = permutation
        .features()
        .map(|feature| format!("{name}.{feature}.wgsl"));
    let find = |wanted: String| {
        let is_wanted = |(file, _): &&(&str, _)| file.strip_prefix("shared/") == Some(&*wanted);
        SHARED.iter().find(is_wanted).copied()
    };
    of_features.chain([format!("{name}.wgsl")]).find_map(find)
}

/// A part's file and its text.
macro_rules! part {
    ($name:literal) => {
        (
            concat!("shared/", $name, ".wgsl"),
            include_str!(concat!("../wgsl/shared/", $name, ".wgsl")),
        )
    };
}

/// The shared parts.
pub(crate) const SHARED: [(&str, &str); 22] = [
    part!("stable_hash"),
    part!("stable_hash_bytes"),
    part!("count_table"),
    part!("hot_keys"),
    part!("joined"),
    part!("joined.subgroups"),
    part!("lines"),
    part!("records"),
    part!("reduce_table"),
    part!("runs"),
    part!("scan"),
    part!("scan.subgroups"),
    part!("separators"),
    part!("slot_state"),
    part!("slot_state.wide_atomics"),
    part!("spans"),
    part!("swar"),
    part!("table_key"),
    part!("tile"),
    part!("white_space"),
    part!("wide_sum"),
    part!("window"),
];
