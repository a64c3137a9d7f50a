//! The arithmetic of windows and panes, in milliseconds since 1970.

use std::time::Duration;

use super::{Window, milliseconds};

/// Sizes in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panes {
    pub(super) size: i64,
    slide: i64,
    pane: i64,
}

impl Panes {
    pub(super) fn new(window: &Window) -> Self {
        let of = |time: Duration| milliseconds(time).max(1);
        let (size, slide) = (of(window.size), of(window.slide));
        Self {
            size,
            slide,
            pane: greatest_common_divisor(size, slide),
        }
    }

    /// The start of the pane that a time is in.
    pub(super) fn pane_of(&self, time: i64) -> i64 {
        time.div_euclid(self.pane) * self.pane
    }

    /// The end of a pane.
    pub(super) fn end_of(&self, pane: i64) -> i64 {
        pane + self.pane
    }

    /// The end of the last window that a time is in.
    pub(super) fn last_end(&self, time: i64) -> i64 {
        self.last_start(time) + self.size
    }

    fn last_start(&self, time: i64) -> i64 {
        time.div_euclid(self.slide) * self.slide
    }

    /// The starts of the windows that a pane is in, the last one first.
    pub(super) fn windows_of(&self, pane: i64) -> impl Iterator<Item = i64> + use<> {
        let (size, slide) = (self.size, self.slide);
        let last = self.last_start(pane);
        (0..)
            .map(move |back| last - back * slide)
            .take_while(move |start| start + size > pane)
    }
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
