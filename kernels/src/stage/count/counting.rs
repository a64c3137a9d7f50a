//! Counts tokens in the table, or writes them to their partitions if the table is bypassed.

use super::bypass_policy::{BypassPolicy, Path, TableState};
use super::class::Lists;
use super::partition::{Half, Scatter};
use crate::buffer::WindowScratch;
use crate::isa::Isa;
use crate::key_counts::PackedShort;
use crate::stage::tokenize::{Tile, TokenSink};
use crate::table::{CountTable, Dedup, HashKey};
use crate::{HashSeed, KeyCounts, Level, Tuning};

/// The sink of the tokens that a rule finds.
pub(super) struct Counting {
    scratch: WindowScratch,
    lists: Lists,
    table: CountTable,
    dedup: Dedup,
    bypass_policy: BypassPolicy,
    scatter: Scatter,
    /// Groups that were flushed from the table or bypassed it; empty, or one per partition.
    pending: Vec<KeyCounts>,
    partitions: usize,
    tokens: u64,
}

impl Counting {
    pub(super) fn new(level: Level, tuning: &Tuning, seed: u64) -> Self {
        Self {
            scratch: WindowScratch::new(),
            lists: Lists::new(tuning.tile_bytes),
            table: CountTable::new(tuning, HashKey::from_seed(seed)),
            dedup: Dedup::new(HashKey::from_seed(seed).masked(tuning.hash_mask)),
            bypass_policy: BypassPolicy::new(tuning),
            scatter: Scatter::new(level, HashSeed(seed), Half::High),
            pending: Vec::new(),
            partitions: tuning.partitions,
            tokens: 0,
        }
    }

    /// Begins a text: makes the partitions if tokens bypass the table.
    pub(super) fn begin(&mut self) {
        if self.bypass_policy.is_bypassing() {
            self.open_partitions();
        }
    }

    /// Ends a text: writes all buffered keys to their partitions.
    pub(super) fn end(&mut self) {
        if self.bypass_policy.is_bypassing() {
            self.scatter.finish(&mut self.pending);
        }
    }

    pub(super) fn absorb(&mut self, groups: &KeyCounts) {
        self.table.absorb(groups);
    }

    /// See [`super::Counter::absorb_part`].
    pub(super) fn absorb_part(&mut self, groups: &mut KeyCounts, packed_short: &mut PackedShort) {
        packed_short.append(&mut groups.packed_short);
        self.table.absorb(groups);
    }

    /// See [`super::Counter::count_repeated`].
    pub(super) fn count_repeated(&mut self, packed_short: &mut PackedShort, max_bytes: usize) {
        debug_assert!(self.pending.is_empty(), "groups alone were absorbed");
        self.dedup
            .count_repeated(packed_short, &mut self.table, max_bytes);
    }

    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }

    pub(super) fn len(&self) -> usize {
        self.table.len() + self.pending.iter().map(KeyCounts::len).sum::<usize>()
    }

    pub(super) fn table(&self) -> &CountTable {
        &self.table
    }

    /// Returns whether all groups are in the table.
    pub(super) fn is_all_in_table(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.table.bytes() + self.pending.iter().map(KeyCounts::bytes).sum::<usize>()
    }

    /// See [`super::Counter::drain_into`].
    pub(super) fn drain_into(&mut self, out: &mut KeyCounts) {
        if !self.pending.is_empty() {
            self.empty_table();
        }
        for groups in core::mem::take(&mut self.pending) {
            self.table.absorb(&groups);
            self.move_table(out);
        }
        self.move_table(out);
        self.bypass_policy.table_emptied();
    }

    fn move_table(&mut self, out: &mut KeyCounts) {
        self.table.copy_to(out);
        self.table.clear();
    }

    /// See [`super::Counter::flush`].
    pub(super) fn flush(&mut self, partitions: &mut [KeyCounts]) {
        self.scatter.table(&self.table, partitions);
        self.table.clear();
        self.bypass_policy.table_emptied();
        let same = partitions.len() == self.pending.len();
        for (i, mut groups) in core::mem::take(&mut self.pending).into_iter().enumerate() {
            if same {
                partitions[i].append(&mut groups);
            } else {
                self.scatter.groups(&groups, partitions);
            }
        }
    }

    /// Flushes the table to the counter's own partitions.
    fn empty_table(&mut self) {
        self.open_partitions();
        self.scatter.table(&self.table, &mut self.pending);
        self.table.clear();
        self.bypass_policy.table_emptied();
    }

    /// Makes the counter's own partitions if it has none.
    fn open_partitions(&mut self) {
        if self.pending.is_empty() {
            self.pending
                .resize_with(self.partitions, KeyCounts::default);
        }
    }

    /// Decides how the following tokens are counted, and flushes if needed.
    #[cold]
    #[inline(never)]
    fn check_table(&mut self) {
        let was_bypassing = self.bypass_policy.is_bypassing();
        let table_state = TableState {
            bytes: self.table.bytes(),
            groups: self.table.len(),
            tokens: self.tokens,
        };
        match self.bypass_policy.decide(table_state) {
            Path::Table if was_bypassing => self.scatter.finish(&mut self.pending),
            Path::Bypass if was_bypassing => {}
            Path::Table => {}
            Path::Flush | Path::Bypass => self.empty_table(),
        }
    }
}

impl TokenSink for Counting {
    #[inline(always)]
    fn tile<I: Isa>(&mut self, isa: I, piece: &[u8], at: usize, tile: &Tile, next: usize) {
        let (spans, pending) = (tile.spans(), &mut self.pending[..]);
        let window = self.scratch.window(&piece[at..], next);
        self.tokens += spans.len() as u64;
        match (self.bypass_policy.is_bypassing(), tile.has_nul) {
            (false, false) => self.lists.count(isa, window, spans, &mut self.table),
            (false, true) => self.lists.count_any(isa, window, spans, &mut self.table),
            (true, false) => self
                .lists
                .scatter(isa, window, spans, &mut self.scatter, pending),
            (true, true) => {
                self.lists
                    .scatter_any(isa, window, spans, &mut self.scatter, pending);
            }
        }
        if self.bypass_policy.is_due(next) {
            self.check_table();
        }
    }

    fn long_token(&mut self, token: &[u8], _: usize) {
        self.table.add(token, 1);
        self.tokens += 1;
    }
}
