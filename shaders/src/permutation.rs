//! Which features beyond the core a shader uses.

use std::fmt;

/// Features beyond WGSL's core that a shader may use; without any it is the base, which every
/// adapter runs. The answers are the same.
///
/// A shared part has a file for each feature that it has a use for, as `scan.subgroups.wgsl` beside
/// `scan.wgsl`; a part without one is the same in every permutation.
///
/// # Examples
///
/// ```
/// use keymill_shaders::Permutation;
///
/// assert_eq!(Permutation::ALL[0], Permutation::BASE);
/// let all = Permutation { subgroups: true, wide_atomics: true };
/// assert_eq!(all.to_string(), "subgroups, 64-bit atomics");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permutation {
    /// Lanes that run together add up together, of any number from 4 to 128.
    pub subgroups: bool,
    /// Integers of 64 bits, and atomics of them in storage and in a workgroup's memory.
    pub wide_atomics: bool,
}

impl Permutation {
    /// The core alone.
    pub const BASE: Self = Self {
        subgroups: false,
        wide_atomics: false,
    };

    /// Every permutation, the base first and the one with all features last.
    pub const ALL: [Self; 4] = [
        Self::BASE,
        Self {
            subgroups: true,
            ..Self::BASE
        },
        Self {
            wide_atomics: true,
            ..Self::BASE
        },
        Self {
            subgroups: true,
            wide_atomics: true,
        },
    ];

    /// What stands in the names of the files that it takes instead of others.
    pub(crate) fn features(self) -> impl Iterator<Item = &'static str> {
        [
            (self.subgroups, "subgroups"),
            (self.wide_atomics, "wide_atomics"),
        ]
        .into_iter()
        .filter_map(|(is_on, feature)| is_on.then_some(feature))
    }
}

impl fmt::Display for Permutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.subgroups, self.wide_atomics) {
            (false, false) => "base",
            (true, false) => "subgroups",
            (false, true) => "64-bit atomics",
            (true, true) => "subgroups, 64-bit atomics",
        })
    }
}
