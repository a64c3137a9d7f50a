//! How long the broker is waited for, and less when the query is to end.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use keymill::Cancel;

/// How long one step waits, before it is known whether the query is to end.
pub(super) const STEP: Duration = Duration::from_millis(500);

/// How long a step may take when the query is to end.
const LAST: Duration = Duration::from_secs(5);

/// A time that becomes shorter when the query is to end.
pub(super) struct Patience<'a> {
    until: Instant,
    stopping: &'a Cancel,
    is_short: bool,
}

impl<'a> Patience<'a> {
    pub(super) fn new(time: Duration, stopping: &'a Cancel) -> Self {
        Self {
            until: Instant::now() + time,
            stopping,
            is_short: false,
        }
    }

    pub(super) fn is_over(&mut self) -> bool {
        let now = Instant::now();
        if self.stopping.is_cancelled() && !self.is_short {
            self.is_short = true;
            self.until = self.until.min(now + LAST);
        }
        now >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shorter_when_the_query_is_to_end() {
        let stopping = Cancel::default();
        let mut patience = Patience::new(Duration::from_secs(90), &stopping);
        assert!(!patience.is_over());
        let long = patience.until;
        stopping.cancel();
        assert!(!patience.is_over());
        assert!(patience.until + Duration::from_secs(80) < long);
        // It is not longer again.
        let short = patience.until;
        assert!(!patience.is_over());
        assert_eq!(patience.until, short);
        assert!(Patience::new(Duration::ZERO, &stopping).is_over());
    }
}
