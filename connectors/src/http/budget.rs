//! Memory for bodies.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much memory bodies take. Clones are the same budget.
#[derive(Clone)]
pub(super) struct Budget {
    used: Arc<AtomicUsize>,
    most: usize,
}

/// Memory of one body, which is free again when this value is dropped.
pub(super) struct Reserved {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Self {
            used: Arc::default(),
            most,
        }
    }

    pub(super) fn reserve(&self) -> Reserved {
        Reserved {
            budget: self.clone(),
            bytes: 0,
        }
    }

    #[cfg(test)]
    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Reserved {
    /// Takes more. Returns `false` if there is no more.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let most = self.budget.most;
        let taken = self
            .budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                // A single body is always accepted, so that a small budget cannot block everything.
                (used == self.bytes || used + bytes <= most).then_some(used + bytes)
            });
        self.bytes += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A text in memory that is accounted for.
pub(super) struct Held {
    pub(super) text: Vec<u8>,
    pub(super) _reserved: Reserved,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// A text that an epoch reads while the log keeps it.
#[derive(Clone)]
pub(super) struct Shared(pub(super) Arc<Held>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_until_it_is_full_and_comes_back() {
        let budget = Budget::new(10);
        let mut first = budget.reserve();
        assert!(first.grow(25) && first.grow(1), "it is alone");
        let mut second = budget.reserve();
        assert!(!second.grow(1));
        drop(first);
        assert!(second.grow(6));
        let mut third = budget.reserve();
        assert!(third.grow(4) && !third.grow(1));
        drop((second, third));
        assert_eq!(budget.used(), 0);
    }
}
