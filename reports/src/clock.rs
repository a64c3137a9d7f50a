//! The current time in the format of reports.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the current time in UTC: `2026-01-31T23:59:59Z`.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    formatted(since.map_or(0, |since| since.as_secs()))
}

fn formatted(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Returns year, month and day of the day number `days` after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // If years begin in March, the leap day is the last day of a year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_correct() {
        assert_eq!(formatted(0), "1970-01-01T00:00:00Z");
        assert_eq!(formatted(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(formatted(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(formatted(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(formatted(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
