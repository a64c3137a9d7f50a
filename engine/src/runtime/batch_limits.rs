//! Limits of the batches of a result.

/// The maximum size of a batch, and the maximum number of groups in the result.
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
    /// The maximum number of rows in a batch.
    pub rows: usize,
    /// The size in bytes after which a batch gets no further row. A single row may be larger.
    pub bytes: usize,
    /// The maximum number of groups in the result, in its order. `None` returns all groups.
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
    /// Creates limits with a maximum number of rows and bytes.
    #[must_use]
    pub fn new(rows: usize, bytes: usize) -> Self {
        Self {
            rows,
            bytes,
            top: None,
        }
    }

    /// Returns only the first `groups` groups of the order.
    #[must_use]
    pub fn top(self, groups: usize) -> Self {
        Self {
            top: Some(groups),
            ..self
        }
    }

    /// Returns the number of groups to select, if selecting is cheaper than sorting all groups.
    pub(crate) fn selects(&self, groups: usize, memory: usize) -> Option<usize> {
        self.top
            .filter(|&top| top < groups / 4 && top <= memory / 512)
    }
}
