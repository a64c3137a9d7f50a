//! Which groups have a value: distinguishes a sum of 0 from no sum.

/// One flag for each group.
///
/// While all groups have a value, rows are not marked.
#[derive(Debug, Default)]
pub(super) struct Seen {
    flags: Vec<bool>,
    /// All groups with a lower id have a value.
    all_before: usize,
}

impl Seen {
    pub(super) fn resize(&mut self, groups: usize) {
        self.flags.resize(groups, false);
        self.all_before = self.all_before.min(groups);
    }

    /// Marks the groups of all rows.
    #[inline(always)]
    pub(super) fn mark(&mut self, ids: &[u32]) {
        if self.all_before < self.flags.len() {
            for &id in ids {
                self.flags[id as usize] = true;
            }
            self.advance();
        }
    }

    /// Marks the groups of the rows that are valid.
    #[inline(always)]
    pub(super) fn mark_valid(&mut self, ids: &[u32], valid: impl Iterator<Item = bool>) {
        if self.all_before < self.flags.len() {
            for (&id, valid) in ids.iter().zip(valid) {
                self.flags[id as usize] |= valid;
            }
            self.advance();
        }
    }

    pub(super) fn mark_one(&mut self, id: u32) {
        self.flags[id as usize] = true;
    }

    /// Returns whether every group has a value.
    pub(super) fn has_all(&self) -> bool {
        self.all_before == self.flags.len()
    }

    fn advance(&mut self) {
        let more = self.flags[self.all_before..].iter();
        self.all_before += more.take_while(|&&seen| seen).count();
    }

    /// Marks a group as without a value.
    pub(super) fn unmark(&mut self, id: u32) {
        self.flags[id as usize] = false;
        self.all_before = self.all_before.min(id as usize);
    }

    /// Returns whether a group has a value.
    #[inline(always)]
    pub(super) fn has(&self, id: u32) -> bool {
        self.flags[id as usize]
    }

    pub(super) fn clear(&mut self) {
        self.flags.clear();
        self.all_before = 0;
    }

    pub(super) fn bytes(&self) -> usize {
        self.flags.capacity()
    }
}
