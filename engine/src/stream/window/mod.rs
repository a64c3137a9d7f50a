//! Windows of time: which windows a row is in, and when a window is closed.
//!
//! ```text
//! rows ─ time ─▶ pane ─▶ epoch by (pane, key) ─▶ states ─▶ each window of the pane ─▶ state store
//!                                                                                        │
//!                           results ◀─ window_start, window_end ◀─ changed or closed ◀───┘
//! ```
//!
//! A **pane** is the longest interval that every window has wholly or not at all. The rows of an epoch
//! are aggregated by pane, so that a row is aggregated once, however many windows it is in.

mod event_time;
mod panes;
mod rows;
mod sessions;
mod top;
mod windowed;

use std::fmt;
use std::time::Duration;

use crate::expr::Expr;
use crate::{Error, ErrorKind, Result};

pub(super) use rows::{RowTimes, TimedRows, rounded_up};
pub(super) use top::TopOfWindows;
pub(super) use windowed::{END, START, WindowOutput, Windowed, time_key};

/// Windows of time, which a query computes its results for: see [`tumbling`], [`sliding`] and [`session`].
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    size: Duration,
    slide: Duration,
    /// Whether the size is the gap between sessions.
    is_session: bool,
    time: Option<Expr>,
    delay: Option<Duration>,
}

/// Windows that follow each other: each row is in one window.
///
/// Windows begin at multiples of their size since 1970, UTC. Without [`Window::on`] the time of a row is
/// the start of the epoch that reads it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use keymill::stream::tumbling;
///
/// let window = tumbling(Duration::from_secs(10)).on("ts").watermark(Duration::from_secs(2));
/// assert_eq!(window.to_string(), "windows of 10s by ts, watermark 2s");
/// ```
#[must_use]
pub fn tumbling(size: Duration) -> Window {
    sliding(size, size)
}

/// Windows of one size that begin at every multiple of `slide`. A row is in several windows if `slide`
/// is less than `size`.
#[must_use]
pub fn sliding(size: Duration, slide: Duration) -> Window {
    Window {
        size,
        slide,
        is_session: false,
        time: None,
        delay: None,
    }
}

/// Sessions of each key: rows that follow each other with less than `gap` between them.
///
/// ```text
/// times   1  3  4        9  11          30        gap 4
///         [────────)     [──────)       [───)
/// ```
///
/// A session begins with its first row, and ends `gap` after its last one. It needs the time of the rows:
/// [`Window::on`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use keymill::stream::session;
///
/// let window = session(Duration::from_secs(30)).on("ts").watermark(Duration::from_secs(5));
/// assert_eq!(window.to_string(), "sessions with a gap of 30s by ts, watermark 5s");
/// ```
#[must_use]
pub fn session(gap: Duration) -> Window {
    Window {
        is_session: true,
        // The rows of an epoch are aggregated by time.
        ..sliding(gap, Duration::from_millis(1))
    }
}

impl Window {
    /// Takes the time of a row from an expression: a timestamp, a date, or a number or text of one.
    ///
    /// A number is a time since 1970, UTC: in seconds below 10^11, in milliseconds below 10^14, in
    /// microseconds below 10^17, and in nanoseconds from there. A text is such a number or ISO 8601.
    #[must_use]
    pub fn on(mut self, time: impl Into<Expr>) -> Self {
        self.time = Some(time.into());
        self
    }

    /// Closes a window when a row has come whose time is `delay` after the end of the window. Rows that
    /// come later are left out and counted.
    #[must_use]
    pub fn watermark(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    pub(super) fn time(&self) -> Option<&Expr> {
        self.time.as_ref()
    }

    /// Whether it is of sessions.
    pub(super) fn is_session(&self) -> bool {
        self.is_session
    }

    /// The size, or the gap between sessions, in milliseconds.
    pub(super) fn size(&self) -> i64 {
        milliseconds(self.size)
    }

    /// Whether windows close.
    pub(super) fn closes(&self) -> bool {
        self.time.is_none() || self.delay.is_some()
    }

    /// How far the watermark is behind the largest time, in milliseconds.
    pub(super) fn delay(&self) -> Option<i64> {
        self.delay.map(milliseconds)
    }

    /// Describes what must not change between restarts.
    pub(super) fn definition(&self) -> String {
        let without = Self {
            delay: None,
            ..self.clone()
        };
        without.to_string()
    }

    /// Checks the sizes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with what does not fit.
    pub(super) fn check(&self) -> Result<()> {
        let whole = |time: Duration| time.as_nanos().is_multiple_of(1_000_000);
        let message = if self.is_session && self.time.is_none() {
            "sessions need the time of the rows: name the column of it".to_owned()
        } else if self.is_session && self.size.is_zero() {
            "a gap of no time ends every session at once; set a gap of at least 1 ms".to_owned()
        } else if self.slide.is_zero() || self.size.is_zero() {
            "a window of no time has no rows; set a size and a slide of at least 1 ms".to_owned()
        } else if !self.is_session && self.slide > self.size {
            format!(
                "windows of {:?} every {:?} leave out the rows between them; set a slide of at most \
                 the size",
                self.size, self.slide
            )
        } else if !whole(self.size) || !whole(self.slide) {
            "sizes, slides and gaps of windows are whole milliseconds".to_owned()
        } else if self.size > MOST_TIME || self.delay.is_some_and(|delay| delay > MOST_TIME) {
            "windows and watermarks are of 1000 years at most".to_owned()
        } else if self.delay.is_some() && self.time.is_none() {
            "a watermark needs the time of the rows: name the column of it; windows of the time of \
             arrival close by the clock"
                .to_owned()
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Config, message))
    }
}

/// The times of an epoch, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct EpochTime {
    /// When it began. For windows of the time of arrival it never goes back.
    pub(super) arrival: i64,
    /// The watermark before it.
    pub(super) watermark: Option<i64>,
    /// Windows that end here or before are closed.
    pub(super) closed: Option<i64>,
    /// Whether it closes all windows.
    pub(super) flushes: bool,
}

/// The longest window and delay.
const MOST_TIME: Duration = Duration::from_secs(1000 * 366 * 86_400);

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_session {
            true => write!(f, "sessions with a gap of {:?}", self.size)?,
            false => write!(f, "windows of {:?}", self.size)?,
        }
        if !self.is_session && self.slide != self.size {
            write!(f, " every {:?}", self.slide)?;
        }
        match &self.time {
            Some(time) => write!(f, " by {time}")?,
            None => f.write_str(" by time of arrival")?,
        }
        match self.delay {
            Some(delay) => write!(f, ", watermark {delay:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
