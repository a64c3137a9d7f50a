//! Decides whether tokens go through the table or pass it by.
//!
//! A table pays while tokens repeat. Where nearly every token is new it only grows, at a cache miss
//! a token; then it is cheaper to write the keys to their partitions at once and to reduce each
//! partition in cache later. Text changes its mind, so the table is tried again now and then.
//!
//! New keys are no reason by themselves: of a hundred thousand keys that come equally often, nearly
//! all are new at first. But then tokens repeat twice as often once the table is twice as large,
//! which tells how large it will be, and which they do not where new keys never end.

use crate::Tuning;

/// How many looks long the table is passed by before it is tried again.
const LOOKS_PASSED: usize = 64;

/// How many times as often tokens repeat once the table is twice as large, where that has an end.
const MORE_REPEATED: f64 = 1.5;

/// What to do with the tokens that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Count them in the table.
    Table,
    /// Empty the table to the partitions first, then count them in it.
    Flush,
    /// Empty the table, then hand tokens to the partitions uncounted.
    Bypass,
}

/// What the table held, and how many tokens there were, at some moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    pub(super) bytes: usize,
    pub(super) groups: usize,
    pub(super) tokens: u64,
}

/// The rhythm in which the table's use is looked at.
pub(super) struct BypassPolicy {
    check_bytes: usize,
    flush_bytes: usize,
    bypass_bytes: usize,
    /// Bytes of text until the next look.
    left: usize,
    /// Looks until the table is tried again; zero while it is in use.
    passing: usize,
    last: Standing,
    /// The table when most tokens were new, and how many were not.
    doubt: Option<Doubt>,
}

/// A table that most tokens were new to.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    groups: usize,
    /// The share of tokens that were not new.
    repeated: f64,
}

impl BypassPolicy {
    pub(super) fn new(tuning: &Tuning) -> Self {
        Self {
            check_bytes: tuning.check_bytes,
            flush_bytes: tuning.flush_bytes,
            bypass_bytes: tuning.bypass_bytes,
            left: tuning.check_bytes,
            passing: 0,
            last: Standing::default(),
            doubt: None,
        }
    }

    /// Tells whether tokens pass the table by just now.
    #[inline(always)]
    pub(super) fn is_passing(&self) -> bool {
        self.passing > 0
    }

    /// Notes that bytes were read; `true` when it is time to look.
    #[inline(always)]
    pub(super) fn is_due(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(bytes);
        self.left == 0
    }

    /// Looks at the table and decides about the bytes that follow.
    pub(super) fn look(&mut self, now: Standing) -> Path {
        self.left = self.check_bytes;
        if self.passing > 0 {
            self.passing -= 1;
            self.last = now;
            return if self.passing > 0 {
                Path::Bypass
            } else {
                Path::Table
            };
        }
        let tokens = now.tokens - self.last.tokens;
        let fresh = now.groups.saturating_sub(self.last.groups) as u64;
        self.last = now;
        if now.bytes > self.bypass_bytes && fresh * 2 > tokens {
            let repeated = 1.0 - fresh as f64 / tokens as f64;
            if self.is_hopeless(now, repeated) {
                self.passing = LOOKS_PASSED;
                return Path::Bypass;
            }
        } else {
            self.doubt = None;
        }
        if now.bytes > self.flush_bytes {
            Path::Flush
        } else {
            Path::Table
        }
    }

    /// Whether a table that most tokens are new to will never hold most of them.
    fn is_hopeless(&mut self, now: Standing, repeated: f64) -> bool {
        // If all keys are equally frequent, this share of them is in the table.
        if now.bytes as f64 > repeated * self.flush_bytes as f64 {
            return true;
        }
        match self.doubt {
            Some(before) if now.groups < 2 * before.groups => false,
            Some(before) if repeated < MORE_REPEATED * before.repeated => true,
            _ => {
                let groups = now.groups;
                self.doubt = Some(Doubt { groups, repeated });
                false
            }
        }
    }

    /// Notes that the table was emptied.
    pub(super) fn emptied(&mut self) {
        self.last.groups = 0;
        self.doubt = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(bytes: usize, groups: usize, tokens: u64) -> Standing {
        Standing {
            bytes,
            groups,
            tokens,
        }
    }

    #[test]
    fn a_small_table_is_kept_whatever_it_meets() {
        let mut bypass_policy = BypassPolicy::new(&Tuning::DEFAULT);
        assert_eq!(bypass_policy.look(standing(1 << 10, 50, 50)), Path::Table);
    }

    #[test]
    fn new_tokens_pass_a_large_table_by_for_a_while() {
        let tuning = Tuning::DEFAULT;
        let mut bypass_policy = BypassPolicy::new(&tuning);
        let large = tuning.bypass_bytes + 1;
        assert_eq!(bypass_policy.look(standing(large, 900, 1000)), Path::Table);
        assert_eq!(
            bypass_policy.look(standing(2 * large, 1800, 2000)),
            Path::Bypass
        );
        bypass_policy.emptied();
        for _ in 1..LOOKS_PASSED {
            assert_eq!(bypass_policy.look(standing(0, 0, 3000)), Path::Bypass);
        }
        assert_eq!(bypass_policy.look(standing(0, 0, 4000)), Path::Table);
        assert!(!bypass_policy.is_passing());
    }

    #[test]
    fn keys_that_have_an_end_are_kept_though_most_are_new_at_first() {
        // 100,000 keys, each as often as any other; a look every 20,000 tokens.
        let mut bypass_policy = BypassPolicy::new(&Tuning::DEFAULT);
        for look in 1..50 {
            let tokens = 20_000 * look;
            let groups = 100_000.0 * (1.0 - (-f64::from(tokens) / 100_000.0).exp());
            let now = standing(groups as usize * 40, groups as usize, tokens as u64);
            assert_eq!(bypass_policy.look(now), Path::Table, "look {look}");
        }
    }

    #[test]
    fn more_keys_than_a_table_holds_pass_it_by_at_once() {
        let mut bypass_policy = BypassPolicy::new(&Tuning::DEFAULT);
        let large = Tuning::DEFAULT.bypass_bytes + 1;
        assert_eq!(bypass_policy.look(standing(large, 999, 1000)), Path::Bypass);
    }

    #[test]
    fn a_table_of_repeating_tokens_is_flushed_when_it_is_full() {
        let tuning = Tuning::DEFAULT;
        let mut bypass_policy = BypassPolicy::new(&tuning);
        assert_eq!(
            bypass_policy.look(standing(tuning.bypass_bytes + 1, 100, 1000)),
            Path::Table
        );
        assert_eq!(
            bypass_policy.look(standing(tuning.flush_bytes + 1, 200, 2000)),
            Path::Flush
        );
    }

    #[test]
    fn a_look_is_due_once_enough_was_read() {
        let mut bypass_policy = BypassPolicy::new(&Tuning {
            check_bytes: 100,
            ..Tuning::DEFAULT
        });
        assert!(!bypass_policy.is_due(99));
        assert!(bypass_policy.is_due(1));
        bypass_policy.look(Standing::default());
        assert!(!bypass_policy.is_due(1));
    }
}
