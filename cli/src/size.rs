//! Sizes as people write them.
#![forbid(unsafe_code)]

/// Units, and what each is worth. A bare letter is a power of 1024, as in other tools' options.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

/// Reads a size: `64M`, `16MiB`, `1.5GiB`, `20MB`, `65536`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let worth = UNITS.iter().find(|(name, _)| *name == unit);
    let size = worth.and_then(|&(_, worth)| times(number, worth));
    size.ok_or_else(|| {
        "a size is a number of bytes, or one with a unit: 65536, 64M, 1GiB".to_owned()
    })
}

/// A number, with or without a fraction, of units.
fn times(number: &str, worth: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(worth)?;
    if fraction.is_empty() {
        return (!number.ends_with('.')).then_some(whole);
    }
    let places = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u64>().ok().map(u128::from)? * u128::from(worth) / places;
    whole.checked_add(u64::try_from(part).ok()?)
}

/// Writes an amount of input, which is counted by the thousand as rates are: `1.5 GB`.
pub(crate) fn show_input(bytes: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let amount = bytes as f64;
    match units.into_iter().find(|&(unit, _)| amount >= unit) {
        Some((unit, name)) => format!("{:.1} {name}", amount / unit),
        None => format!("{bytes} B"),
    }
}

/// Writes a size of memory with one digit behind the point: `1.5 GiB`.
pub(crate) fn show(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|&(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => format!("{:.1} {unit}", bytes as f64 / (1u64 << shift) as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, size) in [
            ("0", 0),
            ("65536", 65536),
            ("16MiB", 16 << 20),
            ("64M", 64 << 20),
            ("64 m", 64 << 20),
            ("1GiB", 1 << 30),
            ("1.5g", 3 << 29),
            ("2kB", 2000),
            ("3TB", 3_000_000_000_000),
            ("1.25K", 1280),
            ("0.1GB", 100_000_000),
        ] {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "MiB",
            "-1",
            "1X",
            "1.",
            ".5M",
            "1.2.3",
            "99999999999T",
            "1e9",
            "1 000",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        assert_eq!(show(1023), "1023 B");
        assert_eq!(show(1536), "1.5 KiB");
        assert_eq!(show(16 << 30), "16.0 GiB");
        assert_eq!(show_input(999), "999 B");
        assert_eq!(show_input(1500), "1.5 kB");
        assert_eq!(show_input(16 << 30), "17.2 GB");
    }
}
