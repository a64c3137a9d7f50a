//! What a drain is asked for.

/// Which groups leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// The keys that came since the last drain, with their running totals; all totals are kept.
    Changed,
    /// Every key, with its running total; the operator is empty afterwards.
    All,
}

/// In which order they leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// In any order, which may differ from run to run: part by part, without a sort.
    None,
    /// By the bytes of the key.
    Key,
    /// By the count, the largest first, and by the bytes of the key where counts are equal.
    #[default]
    Count,
}

/// How large a batch may be, and how many groups leave in all.
///
/// # Examples
///
/// ```
/// use keymill::BatchLimits;
///
/// let limits = BatchLimits::default().top(10);
/// assert_eq!((limits.rows, limits.top), (16_384, Some(10)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows of a batch at most.
    pub rows: usize,
    /// Bytes of a batch from which on it takes no further row; one key alone may be larger.
    pub bytes: usize,
    /// The first groups of the order that leave; the others are dropped. `None` is all of them.
    pub top: Option<usize>,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            rows: 16 << 10,
            bytes: 1 << 20,
            top: None,
        }
    }
}

impl BatchLimits {
    /// Lets only the first `groups` groups of the order leave.
    #[must_use]
    pub fn top(self, groups: usize) -> Self {
        Self {
            top: Some(groups),
            ..self
        }
    }

    /// Whether the first groups are few enough to be picked out instead of sorted.
    pub(super) fn picks(&self, groups: usize, memory: usize) -> Option<usize> {
        self.top
            .filter(|&top| top < groups / 4 && top <= memory / 512)
    }
}
