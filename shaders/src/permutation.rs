//! The optional features that a shader uses.

use std::fmt;

/// Features beyond core WGSL that a shader may use. Without any, it is the base, which all adapters
/// run. The results are the same.
///
/// A shared part has one more file for each feature that makes it faster, for example
/// `scan.subgroups.wgsl` in addition to `scan.wgsl`. Other parts are the same in all permutations:
///
/// ```text
/// scan.subgroups              each subgroup sums a stretch of the values
/// joined.subgroups            one lane of each subgroup adds to a shared word for its subgroup
/// slot_state.wide_atomics     a sum is one atomic and a word of carries; an extreme is one atomic,
///                             so the dispatch `settle_lows` is not needed
/// ```
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
    /// Subgroup operations, with 4 to 128 lanes per subgroup.
    pub subgroups: bool,
    /// 64-bit integers, and 64-bit atomics in storage and workgroup memory.
    pub wide_atomics: bool,
}

impl Permutation {
    /// Core WGSL only.
    pub const BASE: Self = Self {
        subgroups: false,
        wide_atomics: false,
    };

    /// All permutations. The base is first, and the one with all features is last.
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

    /// Returns the names of the features, as they occur in file names.
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
