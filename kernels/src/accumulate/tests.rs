//! What all accumulators have in common.

use super::*;
use crate::Level;

/// Gives every accumulator the same rows, and shows all of a group.
struct All {
    count: Count,
    sum: Sum<i64>,
    floats: FloatSum,
    min: Min<f64>,
}

impl All {
    fn new() -> Self {
        Self {
            count: Count::default(),
            sum: Sum::new(Level::best()),
            floats: FloatSum::new(Level::best(), None),
            min: Min::default(),
        }
    }

    fn update(&mut self, groups: usize, ids: &[u32], values: &[i64]) {
        let floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
        self.count.resize(groups);
        self.sum.resize(groups);
        self.floats.resize(groups);
        self.min.resize(groups);
        self.count.update(ids);
        self.sum.update(ids, values);
        self.floats.update(ids, &floats);
        // Values far apart have a side.
        self.floats.update(ids, &vec![1e300; ids.len()]);
        self.floats.update(ids, &vec![f64::INFINITY; ids.len()]);
        self.min.update(ids, &floats);
    }

    fn reset(&mut self, ids: &[u32]) {
        self.count.reset(ids);
        self.sum.reset(ids);
        self.floats.reset(ids);
        self.min.reset(ids);
    }

    fn shown(&self, id: u32) -> String {
        let mut state = Vec::new();
        self.floats.write_state(id, &mut state);
        let count = self.count.counts()[id as usize];
        let (total, min) = (self.sum.total(id), self.min.value(id));
        format!(
            "{count} {total:?} {:?} {state:?} {min:?}",
            self.floats.sum(id)
        )
    }
}

#[test]
fn a_group_that_was_reset_is_as_new_and_others_stay() {
    for (first, wide) in [(5, false), (i64::MAX, true)] {
        let (mut all, mut expected) = (All::new(), All::new());
        all.update(3, &[0, 1, 2, 1], &[first, first, 7, first]);
        expected.update(3, &[0, 2], &[first, 7]);
        if wide {
            assert_eq!(all.sum.total(1), Some(2 * i128::from(i64::MAX)));
        }
        all.reset(&[1]);
        let same = |all: &All, expected: &All, groups| {
            for id in 0..groups {
                assert_eq!(all.shown(id), expected.shown(id), "group {id}");
            }
        };
        same(&all, &expected, 3);
        all.update(4, &[3, 1], &[-1, 9]);
        expected.update(4, &[3, 1], &[-1, 9]);
        same(&all, &expected, 4);
        all.reset(&[0, 1, 2, 3]);
        let mut new = All::new();
        new.update(4, &[], &[]);
        same(&all, &new, 4);
    }
}
