//! Which files there are.

/// A stage that has shaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// What a device must get right before it is trusted with data.
    SelfTest,
    /// Text to spans of tokens.
    Tokenize,
    /// Tokens to counts by key.
    Count,
    /// Text to counts by key in one pass.
    FusedCount,
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
        Self::Count,
        Self::FusedCount,
    ];

    /// The stage's name, which is that of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SelfTest => "self_test",
            Self::Tokenize => "tokenize",
            Self::Count => "count",
            Self::FusedCount => "count/fused",
        }
    }

    /// What its shaders have bound, in the order of the bindings of group 0.
    #[must_use]
    pub const fn bindings(self) -> &'static [Binding] {
        use Binding::{Read, Uniform, Write};
        match self {
            Self::SelfTest => &[Uniform, Write, Write],
            Self::Tokenize => &[Uniform, Read, Read, Write, Write, Write],
            Self::Count => &[Uniform, Read, Write, Write, Write, Write, Write, Read, Read],
            Self::FusedCount => &[Uniform, Read, Write, Write, Write, Write, Write, Write],
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
            Self::Count => ("count.wgsl", include_str!("../wgsl/count.wgsl")),
            Self::FusedCount => ("count/fused.wgsl", include_str!("../wgsl/count/fused.wgsl")),
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
pub(crate) const SHARED: [(&str, &str); 9] = [
    (
        "shared/count_table.wgsl",
        include_str!("../wgsl/shared/count_table.wgsl"),
    ),
    (
        "shared/hot_keys.wgsl",
        include_str!("../wgsl/shared/hot_keys.wgsl"),
    ),
    (
        "shared/records.wgsl",
        include_str!("../wgsl/shared/records.wgsl"),
    ),
    ("shared/scan.wgsl", include_str!("../wgsl/shared/scan.wgsl")),
    ("shared/swar.wgsl", include_str!("../wgsl/shared/swar.wgsl")),
    (
        "shared/table_key.wgsl",
        include_str!("../wgsl/shared/table_key.wgsl"),
    ),
    ("shared/tile.wgsl", include_str!("../wgsl/shared/tile.wgsl")),
    (
        "shared/white_space.wgsl",
        include_str!("../wgsl/shared/white_space.wgsl"),
    ),
    (
        "shared/window.wgsl",
        include_str!("../wgsl/shared/window.wgsl"),
    ),
];
