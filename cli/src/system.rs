//! Reads Linux system information from `/proc`.
#![forbid(unsafe_code)]

use std::fs;

/// Returns the bytes in a line of the form `NAME: 16 kB`.
pub(crate) fn kibibytes_of(file: &str, name: &str) -> Option<u64> {
    find_kibibytes(&fs::read_to_string(file).ok()?, name)
}

fn find_kibibytes(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| *key == name)?;
    let number: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_line_is_read() {
        let text = "VmPeak:\t 1 kB\nVmHWM:\t   16 kB\nName:\tkB\n";
        assert_eq!(find_kibibytes(text, "VmHWM"), Some(16 << 10));
        assert_eq!(find_kibibytes(text, "Name"), None);
        assert_eq!(find_kibibytes(text, "VmH"), None);
    }
}
