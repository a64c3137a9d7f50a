//! Decides whether tokens go through the table or bypass it.
//!
//! A table is useful while tokens repeat. If nearly every token is new, it only grows, at one cache
//! miss per token. Then it is cheaper to write the keys directly to their partitions, and to reduce
//! each partition in cache later. As text may change, the table is tried again from time to time.
//!
//! New keys alone are no reason to bypass: of a hundred thousand equally frequent keys, nearly all
//! are new at first. But then tokens repeat twice as often once the table is twice as large. From
//! this follows how large the table will become. If new keys never end, repeats do not grow so.

use crate::Tuning;

/// Number of checks for which the table is bypassed before it is tried again.
const BYPASSED_CHECKS: usize = 64;

/// Minimum growth of the repeated share when the table doubles, if the number of keys is limited.
const MIN_REPEAT_GROWTH: f64 = 1.5;

/// What to do with the tokens that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Count them in the table.
    Table,
    /// Flush the table to the partitions first, then count them in it.
    Flush,
    /// Flush the table, then write tokens to the partitions uncounted.
    Bypass,
}

/// The size of the table and the number of tokens, at some moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TableState {
    pub(super) bytes: usize,
    pub(super) groups: usize,
    pub(super) tokens: u64,
}

/// The state of the decision, which is made again every `check_bytes` of text.
pub(super) struct BypassPolicy {
    check_bytes: usize,
    flush_bytes: usize,
    bypass_bytes: usize,
    /// Bytes of text until the next check.
    bytes_left: usize,
    /// Checks until the table is tried again; zero while it is in use.
    checks_left: usize,
    last: TableState,
    /// The table at the first check at which most tokens were new.
    mostly_new: Option<MostlyNew>,
}

/// A check at which most tokens were new.
#[derive(Clone, Copy, Debug)]
struct MostlyNew {
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
            bytes_left: tuning.check_bytes,
            checks_left: 0,
            last: TableState::default(),
            mostly_new: None,
        }
    }

    /// Returns whether tokens bypass the table now.
    #[inline(always)]
    pub(super) fn is_bypassing(&self) -> bool {
        self.checks_left > 0
    }

    /// Notes that bytes were read; returns `true` if a check is due.
    #[inline(always)]
    pub(super) fn is_due(&mut self, bytes: usize) -> bool {
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.bytes_left == 0
    }

    /// Decides from the state of the table how the following tokens are counted.
    pub(super) fn decide(&mut self, now: TableState) -> Path {
        self.bytes_left = self.check_bytes;
        if self.checks_left > 0 {
            self.checks_left -= 1;
            self.last = now;
            return if self.checks_left > 0 {
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
            if self.will_not_fit(now, repeated) {
                self.checks_left = BYPASSED_CHECKS;
                return Path::Bypass;
            }
        } else {
            self.mostly_new = None;
        }
        if now.bytes > self.flush_bytes {
            Path::Flush
        } else {
            Path::Table
        }
    }

    /// Returns whether the table would have to grow too large to hold most of the keys.
    fn will_not_fit(&mut self, now: TableState, repeated: f64) -> bool {
        // If all keys are equally frequent, `repeated` is the share of the keys in the table.
        if now.bytes as f64 > repeated * self.flush_bytes as f64 {
            return true;
        }
        match self.mostly_new {
            Some(before) if now.groups < 2 * before.groups => false,
            Some(before) if repeated < MIN_REPEAT_GROWTH * before.repeated => true,
            _ => {
                let groups = now.groups;
                self.mostly_new = Some(MostlyNew { groups, repeated });
                false
            }
        }
    }

    /// Notes that the table was flushed.
    pub(super) fn table_emptied(&mut self) {
        self.last.groups = 0;
        self.mostly_new = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_state(bytes: usize, groups: usize, tokens: u64) -> TableState {
        TableState {
            bytes,
            groups,
            tokens,
        }
    }

    #[test]
    fn a_small_table_is_kept_even_if_all_tokens_are_new() {
        let mut bypass_policy = BypassPolicy::new(&Tuning::DEFAULT);
        assert_eq!(
            bypass_policy.decide(table_state(1 << 10, 50, 50)),
            Path::Table
        );
    }

    #[test]
    fn new_tokens_bypass_a_large_table_for_a_while() {
        let tuning = Tuning::DEFAULT;
        let mut bypass_policy = BypassPolicy::new(&tuning);
        let large = tuning.bypass_bytes + 1;
        assert_eq!(
            bypass_policy.decide(table_state(large, 900, 1000)),
            Path::Table
        );
        assert_eq!(
            bypass_policy.decide(table_state(2 * large, 1800, 2000)),
            Path::Bypass
        );
        bypass_policy.table_emptied();
        for _ in 1..BYPASSED_CHECKS {
            assert_eq!(bypass_policy.decide(table_state(0, 0, 3000)), Path::Bypass);
        }
        assert_eq!(bypass_policy.decide(table_state(0, 0, 4000)), Path::Table);
        assert!(!bypass_policy.is_bypassing());
    }

    #[test]
    fn a_limited_number_of_keys_stays_in_the_table_though_most_are_new_at_first() {
        // 100,000 equally frequent keys; a check every 20,000 tokens.
        let mut bypass_policy = BypassPolicy::new(&Tuning::DEFAULT);
        for check in 1..50 {
            let tokens = 20_000 * check;
            let groups = 100_000.0 * (1.0 - (-f64::from(tokens) / 100_000.0).exp());
            let now = table_state(groups as usize * 40, groups as usize, tokens as u64);
            assert_eq!(bypass_policy.decide(now), Path::Table, "check {check}");
        }
    }

    #[test]
    fn more_keys_than_fit_in_the_table_bypass_it_at_once() {
        let mut bypass_policy = BypassPolicy::new(&Tuning::DEFAULT);
        let large = Tuning::DEFAULT.bypass_bytes + 1;
        assert_eq!(
            bypass_policy.decide(table_state(large, 999, 1000)),
            Path::Bypass
        );
    }

    #[test]
    fn a_full_table_of_repeated_tokens_is_flushed() {
        let tuning = Tuning::DEFAULT;
        let mut bypass_policy = BypassPolicy::new(&tuning);
        assert_eq!(
            bypass_policy.decide(table_state(tuning.bypass_bytes + 1, 100, 1000)),
            Path::Table
        );
        assert_eq!(
            bypass_policy.decide(table_state(tuning.flush_bytes + 1, 200, 2000)),
            Path::Flush
        );
    }

    #[test]
    fn a_check_is_due_after_check_bytes() {
        let mut bypass_policy = BypassPolicy::new(&Tuning {
            check_bytes: 100,
            ..Tuning::DEFAULT
        });
        assert!(!bypass_policy.is_due(99));
        assert!(bypass_policy.is_due(1));
        bypass_policy.decide(TableState::default());
        assert!(!bypass_policy.is_due(1));
    }
}
