//! Which files there are.

/// A stage that has a shader, or a way to run it that has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// What a device must get right before it is trusted with data.
    SelfTest,
    /// Text to spans of tokens, by white space.
    Tokenize,
    /// Tokens to counts by key.
    Count,
    /// Text of ASCII alone to spans of words.
    TokenizeWords,
    /// Text to spans of the parts of its lines.
    TokenizeSplit,
    /// Text to spans of one field of each line.
    TokenizeField,
    /// Text to spans of its lines.
    Frame,
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
    pub const ALL: [Self; 7] = [
        Self::SelfTest,
        Self::Tokenize,
        Self::TokenizeWords,
        Self::TokenizeSplit,
        Self::TokenizeField,
        Self::Frame,
        Self::Count,
    ];

    /// The stage's name, which is that of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SelfTest => "self_test",
            Self::Tokenize => "tokenize",
            Self::Count => "count",
            Self::TokenizeWords => "tokenize/words",
            Self::TokenizeSplit => "tokenize/split",
            Self::TokenizeField => "tokenize/field",
            Self::Frame => "frame",
        }
    }

    /// What its shaders have bound, in the order of the bindings of group 0.
    #[must_use]
    pub const fn bindings(self) -> &'static [Binding] {
        use Binding::{Read, Uniform, Write};
        match self {
            Self::SelfTest => &[Uniform, Write, Write],
            Self::Tokenize | Self::TokenizeWords | Self::TokenizeSplit | Self::Frame => {
                &[Uniform, Read, Read, Write, Write, Write]
            }
            Self::TokenizeField => &[Uniform, Read, Read, Write, Write, Write, Write],
            Self::Count => &[Uniform, Read, Read, Read, Write, Write, Write, Write, Write],
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
pub(crate) const SHARED: [(&str, &str); 10] = [
    (
        "shared/lines.wgsl",
        include_str!("../wgsl/shared/lines.wgsl"),
    ),
    ("shared/runs.wgsl", include_str!("../wgsl/shared/runs.wgsl")),
    ("shared/scan.wgsl", include_str!("../wgsl/shared/scan.wgsl")),
    (
        "shared/separators.wgsl",
        include_str!("../wgsl/shared/separators.wgsl"),
    ),
    (
        "shared/spans.wgsl",
        include_str!("../wgsl/shared/spans.wgsl"),
    ),
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
