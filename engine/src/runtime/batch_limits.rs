//! The sizes of batches that leave.

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
#[non_exhaustive]
pub struct BatchLimits {
    /// The most rows of a batch.
    pub rows: usize,
    /// Bytes from which a batch takes no further row; one row alone may be larger.
    pub bytes: usize,
    /// How many groups leave; those after them are dropped. `None` is all of them.
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
    /// Limits a batch to so many rows and bytes.
    #[must_use]
    pub fn new(rows: usize, bytes: usize) -> Self {
        Self {
            rows,
            bytes,
            top: None,
        }
    }

    /// Lets only the first `groups` groups of the order leave.
    #[must_use]
    pub fn top(self, groups: usize) -> Self {
        Self {
            top: Some(groups),
            ..self
        }
    }

    /// Whether the first groups are few enough to be selected instead of sorted.
    pub(crate) fn selects(&self, groups: usize, memory: usize) -> Option<usize> {
        self.top
            .filter(|&top| top < groups / 4 && top <= memory / 512)
    }
}
