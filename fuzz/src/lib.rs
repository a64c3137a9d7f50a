//! What the fuzz targets share: the settings on which no answer may depend, and the comparison.

use std::collections::BTreeMap;

use keymill_kernels::{Groups, Level, Limits};

/// Keys with their counts, in the order of the keys.
pub type Counts = BTreeMap<Vec<u8>, u64>;

/// Runs a check on every level of this machine, at both ends of the limits, and with every key
/// hashed alike; a level that is added joins by itself.
pub fn each_setting(mut check: impl FnMut(Level, &Limits)) {
    for level in Level::available() {
        for limits in [Limits::TINY, Limits::DEFAULT] {
            check(level, &limits);
            check(level, &limits.all_colliding());
        }
    }
}

/// Collects groups in which each key stands once.
///
/// # Panics
///
/// When a key stands twice.
pub fn counts_of<'a>(groups: impl IntoIterator<Item = &'a Groups>) -> Counts {
    let mut counts = Counts::new();
    for groups in groups {
        groups.for_each(|key, count| {
            let earlier = counts.insert(key.to_vec(), count);
            assert_eq!(earlier, None, "{key:?} stands twice");
        });
    }
    counts
}
