//! Exact sums of floats, rounded once.
//!
//! ```text
//! value = ± digits (53 bits) · 2^e        window of a group: one i128, for 34 neighbouring e
//!   e in the window   ──▶  window += ± digits << (e - base)
//!   any other e       ──▶  side: parts of a wide sum, only for groups that need them
//!   NaN, +∞, -∞       ──▶  side: counted
//! total = window + side, rounded to the nearest double (ties to even) when it is read
//! ```
//!
//! Nothing is rounded before that, so the result is the same for every order, split, thread count,
//! merge and window. It is infinite only if a value is infinite, or if the exact total rounds to
//! infinity. A total of zero is +0.0, even if all values are −0.0.

mod exact;
mod side;
mod state;
mod window;

use self::exact::{Exact, Leading, Parts};
use self::side::Side;
use self::window::{AddInside, BATCH};
use super::Validity;
use super::seen::Seen;
use crate::Level;
use crate::isa::dispatch;

pub use exact::nearest;
pub use state::BrokenState;
pub use window::FloatWindow;

/// Exclusive upper bound of what one row adds to a window or a part.
const ROW: u128 = 1 << 87;
/// Maximum magnitude of a window or a part, so that two of them can be added without overflow.
const MAX_PART: u128 = 1 << 126;
/// Windows and parts above this are carried when the bound would exceed [`MAX_PART`].
const LARGE: u128 = 1 << 100;

/// Sums of 64-bit floats by group: exact, and rounded once when they are read.
///
/// # Examples
///
/// ```
/// use keymill_kernels::Level;
/// use keymill_kernels::accumulate::FloatSum;
///
/// let mut sum = FloatSum::new(Level::best(), None);
/// sum.resize(2);
/// sum.update(&[0, 0, 0, 1], &[1e100, 1.5, -1e100, 0.1]);
/// assert_eq!((sum.sum(0), sum.sum(1)), (Some(1.5), Some(0.1)));
/// assert_eq!(sum.mean(0, 3), Some(0.5));
/// ```
#[derive(Debug)]
pub struct FloatSum {
    level: Level,
    window: Option<FloatWindow>,
    sums: Vec<i128>,
    /// The index of each group's side plus 1, or 0; empty while no group has a side.
    side_of: Vec<u32>,
    sides: Vec<Side>,
    seen: Seen,
    /// Upper bound of the magnitude of all windows and parts.
    bound: u128,
}

impl FloatSum {
    /// Makes an empty accumulator. Without a window, it chooses one from the first batch.
    #[must_use]
    pub fn new(level: Level, window: Option<FloatWindow>) -> Self {
        Self {
            level,
            window,
            sums: Vec::new(),
            side_of: Vec::new(),
            sides: Vec::new(),
            seen: Seen::default(),
            bound: 0,
        }
    }

    /// Returns the window, if it is chosen.
    #[must_use]
    pub fn window(&self) -> Option<FloatWindow> {
        self.window
    }

    /// Sets the number of groups; new ones have no value.
    ///
    /// # Panics
    ///
    /// When `groups` is less than before.
    pub fn resize(&mut self, groups: usize) {
        assert!(groups >= self.sums.len(), "groups are not removed");
        self.sums.resize(groups, 0);
        self.seen.resize(groups);
        if !self.side_of.is_empty() {
            self.side_of.resize(groups, 0);
        }
    }

    /// Adds each value to the group of its row.
    ///
    /// # Panics
    ///
    /// When there is no such group, or the lengths of `ids` and `values` differ.
    pub fn update(&mut self, ids: &[u32], values: &[f64]) {
        assert_eq!(ids.len(), values.len(), "one value for each id");
        self.seen.mark(ids);
        let window = *self.window.get_or_insert_with(|| FloatWindow::of(values));
        for (ids, values) in ids.chunks(BATCH).zip(values.chunks(BATCH)) {
            self.update_batch(window, ids, values);
        }
    }

    /// Adds each value that is not null to the group of its row. The value of a null row is
    /// ignored.
    ///
    /// # Panics
    ///
    /// When there is no such group, or the lengths of the arguments differ.
    pub fn update_valid(&mut self, ids: &[u32], values: &[f64], valid: Validity<'_>) {
        assert_eq!(ids.len(), values.len(), "one value for each id");
        assert_eq!(ids.len(), valid.len(), "one bit for each row");
        self.seen.mark_valid(ids, valid.rows());
        let window = *self.window.get_or_insert_with(|| FloatWindow::of(values));
        let mut valid = valid.rows();
        let mut kept = [0.0; BATCH];
        for (ids, values) in ids.chunks(BATCH).zip(values.chunks(BATCH)) {
            for ((kept, &value), valid) in kept.iter_mut().zip(values).zip(&mut valid) {
                // A zero adds nothing.
                *kept = if valid { value } else { 0.0 };
            }
            self.update_batch(window, ids, &kept[..ids.len()]);
        }
    }

    fn update_batch(&mut self, window: FloatWindow, ids: &[u32], values: &[f64]) {
        self.make_room(ids.len() as u128 * ROW);
        let mut outside = [0; BATCH];
        let found = dispatch(
            self.level,
            AddInside {
                window,
                ids,
                values,
                sums: &mut self.sums,
                outside: &mut outside,
            },
        );
        for &row in &outside[..found] {
            let row = usize::from(row);
            self.side_mut(ids[row]).add(values[row]);
        }
    }

    /// Raises the bound; carries large windows and parts if it would be too large.
    fn make_room(&mut self, more: u128) {
        if self.bound + more > MAX_PART {
            self.carry_large();
        }
        self.bound += more;
    }

    /// Moves large windows to the sides, and carries large parts.
    #[cold]
    fn carry_large(&mut self) {
        for id in 0..self.sums.len() {
            if self.sums[id].unsigned_abs() > LARGE {
                let sum = core::mem::take(&mut self.sums[id]);
                let position = self.position();
                self.side_mut(id as u32).add_at(sum, position);
            }
        }
        for side in &mut self.sides {
            if side.bound() > LARGE {
                side.carry();
            }
        }
        self.bound = LARGE;
    }

    fn position(&self) -> u32 {
        self.window.map_or(0, FloatWindow::position)
    }

    fn side_mut(&mut self, id: u32) -> &mut Side {
        if self.side_of.is_empty() {
            self.side_of.resize(self.sums.len(), 0);
        }
        let place = &mut self.side_of[id as usize];
        if *place == 0 {
            self.sides.push(Side::default());
            *place = self.sides.len() as u32;
        }
        &mut self.sides[*place as usize - 1]
    }

    fn side(&self, id: u32) -> Option<&Side> {
        let place = self.side_of.get(id as usize)?.checked_sub(1)?;
        self.sides.get(place as usize)
    }

    /// Adds the groups of another accumulator: its group `i` to group `ids[i]`.
    ///
    /// # Panics
    ///
    /// When there is no such group, or the number of ids is not that of the other one's groups.
    pub fn merge(&mut self, ids: &[u32], other: &Self) {
        assert_eq!(ids.len(), other.sums.len(), "one id for each group");
        let position = other.position();
        self.window = self.window.or(other.window);
        for (from, &id) in (0..).zip(ids) {
            self.add_sum(id, other.sums[from as usize], position);
            if let Some(side) = other.side(from) {
                let mine = self.side_mut(id);
                mine.merge(side);
                let bound = mine.carry_if_large();
                self.bound = self.bound.max(bound);
            }
            if other.seen.has(from) {
                self.seen.mark_one(id);
            }
        }
    }

    /// Adds a number below 2¹²⁷ at a position: to the window if it fits, otherwise to the side.
    fn add_sum(&mut self, id: u32, value: i128, position: u32) {
        if value == 0 {
            return;
        }
        let highest = position + 127 - value.unsigned_abs().leading_zeros();
        let around = || FloatWindow::around_position(highest);
        let window = *self.window.get_or_insert_with(around);
        if let Some(value) = shifted(value, position, window.position()) {
            let sum = self.sums[id as usize] + value;
            if sum.unsigned_abs() <= MAX_PART {
                self.sums[id as usize] = sum;
                self.bound = self.bound.max(sum.unsigned_abs());
                return;
            }
        }
        let mine = self.side_mut(id);
        mine.add_at(value, position);
        let bound = mine.carry_if_large();
        self.bound = self.bound.max(bound);
    }

    /// Returns the sum of a group, or `None` if it has no value.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    #[must_use]
    pub fn sum(&self, id: u32) -> Option<f64> {
        self.read(id, |total| total)
    }

    /// Returns the sum of a group divided by `count`, rounded once; `None` if the group has no
    /// value or `count` is 0.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    #[must_use]
    pub fn mean(&self, id: u32, count: u64) -> Option<f64> {
        if count == 0 {
            return None;
        }
        self.read(id, |total| total.divided_by(count))
    }

    fn read(&self, id: u32, of: impl FnOnce(Leading) -> Leading) -> Option<f64> {
        let sum = self.sums[id as usize];
        if !self.seen.has(id) {
            return None;
        }
        let Some(side) = self.side(id) else {
            let total = Leading::at(sum.unsigned_abs(), self.position());
            return Some(of(total).round(sum < 0));
        };
        let special = side.specials.sum();
        Some(special.unwrap_or_else(|| {
            let exact = self.exact(sum, side);
            of(exact.leading()).round(exact.negative)
        }))
    }

    fn exact(&self, sum: i128, side: &Side) -> Exact {
        let mut parts = Parts::new();
        parts.add(sum, self.position());
        side.add_to(&mut parts);
        parts.carry()
    }

    /// Resets groups to the state of new ones.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn reset(&mut self, ids: &[u32]) {
        for &id in ids {
            self.sums[id as usize] = 0;
            if self.side(id).is_some() {
                *self.side_mut(id) = Side::default();
            }
            self.seen.unmark(id);
        }
    }

    /// Removes all groups, and keeps the memory and the window.
    pub fn clear(&mut self) {
        self.sums.clear();
        self.side_of.clear();
        self.sides.clear();
        self.seen.clear();
        self.bound = 0;
    }

    /// Returns the bytes of memory in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let sides = self.sides.iter().map(Side::bytes).sum::<usize>();
        let sums = self.sums.capacity() * size_of::<i128>();
        sums + self.side_of.capacity() * size_of::<u32>() + sides + self.seen.bytes()
    }
}

/// Converts a number at position `from` to one at position `to`, if that is exact and not too
/// large.
fn shifted(value: i128, from: u32, to: u32) -> Option<i128> {
    let magnitude = value.unsigned_abs();
    if from >= to {
        let fits = from - to < magnitude.leading_zeros().saturating_sub(2);
        return fits.then(|| value << (from - to));
    }
    let exact = to - from <= magnitude.trailing_zeros();
    exact.then(|| value >> (to - from))
}

#[cfg(test)]
mod tests;
