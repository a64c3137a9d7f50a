//! Which files there are.

/// A stage that has shaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// What a device must get right before it is trusted with data.
    SelfTest,
    /// Text to spans of tokens.
    Tokenize,
    /// Keys to row numbers in the order of partitions.
    HashPartition,
    /// Integer keys and values to a record for each key.
    ReduceByKey,
}

/// How a shader has a buffer bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Parameters, alike for every invocation.
    Uniform,
    /// To be read.
    Read,
    /// To be read and written.
    Write,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 4] = [
        Self::SelfTest,
        Self::Tokenize,
        Self::HashPartition,
        Self::ReduceByKey,
    ];

    /// The stage's name, which is that of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SelfTest => "self_test",
            Self::Tokenize => "tokenize",
            Self::HashPartition => "hash_partition",
            Self::ReduceByKey => "reduce_by_key",
        }
    }

    /// What its shaders have bound, in the order of the bindings of group 0.
    #[must_use]
    pub const fn bindings(self) -> &'static [Binding] {
        use Binding::{Read, Uniform, Write};
        match self {
            Self::SelfTest => &[Uniform, Write, Write],
            Self::Tokenize => &[Uniform, Read, Read, Write, Write, Write],
            Self::HashPartition => &[Uniform, Read, Read, Read, Write, Write, Write],
            Self::ReduceByKey => &[
                Uniform, Read, Read, Write, Write, Write, Write, Write, Write,
            ],
        }
    }

    /// Its file, and the text of it.
    pub(crate) const fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::SelfTest => (
                "shared/self_test.wgsl",
                include_str!("../wgsl/shared/self_test.wgsl"),
            ),
            Self::Tokenize => ("tokenize.wgsl", include_str!("../wgsl/tokenize.wgsl")),
            Self::HashPartition => (
                "hash_partition.wgsl",
                include_str!("../wgsl/hash_partition.wgsl"),
            ),
            Self::ReduceByKey => (
                "reduce_by_key.wgsl",
                include_str!("../wgsl/reduce_by_key.wgsl"),
            ),
        }
    }
}

/// A shared part by its name, as `// @use` has it.
pub(crate) fn shared(name: &str) -> Option<(&'static str, &'static str)> {
    SHARED
        .iter()
        .find(|(file, _)| file.strip_prefix("shared/") == Some(&format!("{name}.wgsl")))
        .copied()
}

/// The parts that stages share: files, and the texts of them.
const SHARED: [(&str, &str); 8] = [
    (
        "shared/contract_hash.wgsl",
        include_str!("../wgsl/shared/contract_hash.wgsl"),
    ),
    (
        "shared/contract_hash_bytes.wgsl",
        include_str!("../wgsl/shared/contract_hash_bytes.wgsl"),
    ),
    ("shared/scan.wgsl", include_str!("../wgsl/shared/scan.wgsl")),
    ("shared/swar.wgsl", include_str!("../wgsl/shared/swar.wgsl")),
    ("shared/tile.wgsl", include_str!("../wgsl/shared/tile.wgsl")),
    (
        "shared/white_space.wgsl",
        include_str!("../wgsl/shared/white_space.wgsl"),
    ),
    (
        "shared/wide_sum.wgsl",
        include_str!("../wgsl/shared/wide_sum.wgsl"),
    ),
    (
        "shared/window.wgsl",
        include_str!("../wgsl/shared/window.wgsl"),
    ),
];
