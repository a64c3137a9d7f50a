//! Parses and formats sizes.
#![forbid(unsafe_code)]

/// Units and their bytes. A single letter is a power of 1024, as in other tools' options.
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

/// Parses a size: `64M`, `16MiB`, `1.5GiB`, `20MB`, `65536`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let found = UNITS.iter().find(|(name, _)| *name == unit);
    match found {
        Some(&(_, bytes)) if is_number(number) => times(number, bytes)
            .ok_or_else(|| "it is too large; the maximum is 16 EiB less one byte".to_owned()),
        _ => Err("a size is a number of bytes, or one with a unit: 65536, 64M, 1GiB".to_owned()),
    }
}

/// Returns whether a text is digits, or digits, a point and digits.
fn is_number(text: &str) -> bool {
    let is_whole = |digits: &str| !digits.is_empty() && !digits.contains('.');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    is_whole(whole) && is_whole(fraction)
}

/// Multiplies a number, which may have a fraction, by a unit. `None` if the result is too large.
fn times(number: &str, unit: u64) -> Option<u64> {
    /// Further digits of a fraction are less than a byte.
    const PLACES: usize = 18;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let fraction = &fraction[..fraction.len().min(PLACES)];
    let parts = fraction.parse::<u128>().ok()? * u128::from(unit);
    let part = parts / 10u128.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_add(u64::try_from(part).ok()?)
}

/// Formats an amount of input, or a rate, in powers of 1000: `1.5 GB`.
pub(crate) fn show_input(bytes: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let amount = bytes as f64;
    match units.into_iter().find(|&(unit, _)| amount >= unit) {
        Some((unit, name)) => format!("{:.1} {name}", amount / unit),
        None => format!("{bytes} B"),
    }
}

/// Formats a size of memory in powers of 1024: `1.5 GiB`.
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
    fn sizes_are_parsed_with_their_units() {
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
    fn invalid_sizes_are_errors() {
        for text in ["", "MiB", "-1", "1X", "1.", ".5M", "1.2.3", "1e9", "1 000"] {
            let said = parse(text).unwrap_err();
            assert!(said.starts_with("a size is a number"), "{text}: {said}");
        }
    }

    #[test]
    fn an_overflow_is_reported_as_too_large() {
        assert_eq!(parse("18446744073709551615"), Ok(u64::MAX));
        for text in ["18446744073709551616", "99999999999T", "16777216.0TiB"] {
            let said = parse(text).unwrap_err();
            assert!(said.contains("too large"), "{text}: {said}");
        }
        assert_eq!(parse("0.00000000000000000000001K"), Ok(0));
        assert_eq!(parse("1.5000000000000000000000000K"), Ok(1536));
    }

    #[test]
    fn sizes_are_formatted_short() {
        assert_eq!(show(1023), "1023 B");
        assert_eq!(show(1536), "1.5 KiB");
        assert_eq!(show(16 << 30), "16.0 GiB");
        assert_eq!(show_input(999), "999 B");
        assert_eq!(show_input(1500), "1.5 kB");
        assert_eq!(show_input(16 << 30), "17.2 GB");
    }
}
