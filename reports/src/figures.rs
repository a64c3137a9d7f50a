//! Formats figures for people.

/// Formats a size with its unit: `64 KiB`, `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    // Text is cut at the end of a token, so a size slightly below a unit is shown as that unit.
    let nearly = bytes + (bytes >> 14);
    match units.into_iter().find(|&(shift, _)| nearly >> shift > 0) {
        None => format!("{bytes} B"),
        Some((shift, unit)) => {
            let number = format!("{:.1}", bytes as f64 / (1u64 << shift) as f64);
            format!("{} {unit}", number.trim_end_matches(".0"))
        }
    }
}

/// Formats a time with its unit and three digits.
pub(crate) fn time(nanoseconds: u64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let time = nanoseconds as f64;
    match units.into_iter().find(|&(unit, _)| time >= unit) {
        Some((unit, name)) => format!("{} {name}", three_digits(time / unit)),
        None => format!("{nanoseconds} ns"),
    }
}

/// Formats the rate of bytes per nanoseconds in GB/s.
pub(crate) fn rate(bytes: u64, nanoseconds: u64) -> String {
    gigabytes(bytes as f64 / nanoseconds.max(1) as f64)
}

/// Formats bytes per second in GB/s.
pub(crate) fn bandwidth(bytes_per_second: u64) -> String {
    gigabytes(bytes_per_second as f64 / 1e9)
}

/// Formats rows per second in billions or millions.
pub(crate) fn rows_a_second(rows: f64) -> String {
    match rows / 1e9 {
        few if few < 0.1 => format!("{} M rows/s", three_digits(few * 1e3)),
        many => format!("{} G rows/s", three_digits(many)),
    }
}

/// Formats the ratio of two numbers: `3.1`.
pub(crate) fn ratio(one: u64, other: u64) -> String {
    three_digits(one as f64 / other.max(1) as f64)
}

fn gigabytes(number: f64) -> String {
    if number < 0.1 {
        return format!("{} MB/s", three_digits(number * 1e3));
    }
    format!("{} GB/s", three_digits(number))
}

fn three_digits(number: f64) -> String {
    let places = match number {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{number:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_units_and_three_digits() {
        assert_eq!(size(65536), "64 KiB");
        assert_eq!(size(3 << 29), "1.5 GiB");
        assert_eq!(size(10), "10 B");
        assert_eq!(size((1 << 20) - 6), "1 MiB");
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(1_234_567), "1.23 ms");
        assert_eq!(time(12_345_678_900), "12.3 s");
        assert_eq!(rate(2_000, 1_000), "2.00 GB/s");
        assert_eq!(rate(2, 1_000), "2.00 MB/s");
        assert_eq!(bandwidth(26_480_000_000), "26.5 GB/s");
        assert_eq!(rows_a_second(26.48e9), "26.5 G rows/s");
        assert_eq!(rows_a_second(2.5e6), "2.50 M rows/s");
        assert_eq!(ratio(312, 100), "3.12");
        assert_eq!(ratio(5, 0), "5.00");
    }
}
