//! What is in a body: lines.
#![forbid(unsafe_code)]

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use super::budget::Reserved;

/// Bytes that are decompressed at a time.
const STEP: usize = 256 << 10;

/// Why a body cannot be decompressed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Corrupt,
    TooLarge,
    NoMemory,
}

/// Decompresses gzip of one or several members, to at most `most` bytes.
pub(super) fn gunzip(
    body: &[u8],
    most: usize,
    reserved: &mut Reserved,
) -> Result<Vec<u8>, Trouble> {
    let mut decoder = MultiGzDecoder::new(body);
    let mut text = Vec::new();
    loop {
        if !reserved.grow(STEP) {
            return Err(Trouble::NoMemory);
        }
        let step = decoder.by_ref().take(STEP as u64).read_to_end(&mut text);
        match step {
            Err(_) => return Err(Trouble::Corrupt),
            Ok(_) if text.len() > most => return Err(Trouble::TooLarge),
            Ok(0) => return Ok(text),
            Ok(_) => {}
        }
    }
}

/// Makes whole lines of a body. With `has_header` the first line is left out.
pub(super) fn lines(mut text: Vec<u8>, has_header: bool) -> Vec<u8> {
    if has_header {
        let end = text.iter().position(|&byte| byte == b'\n');
        text.drain(..end.map_or(text.len(), |end| end + 1));
    }
    if text.last().is_some_and(|&last| last != b'\n') {
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::budget::Budget;
    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(body: &[u8], most: usize, memory: usize) -> Result<Vec<u8>, Trouble> {
        let budget = Budget::new(memory);
        let mut other = budget.reserve();
        assert!(other.grow(1));
        gunzip(body, most, &mut budget.reserve())
    }

    #[test]
    fn members_are_decompressed_within_limits() {
        let text = b"to be or not\n".repeat(100_000);
        let two = [gzip(&text), gzip(b"end")].concat();
        let whole = [&text[..], b"end"].concat();
        let length = whole.len();
        let all = 1 << 30;
        assert_eq!(unpacked(&two, length, all), Ok(whole));
        assert_eq!(unpacked(&two, length - 1, all), Err(Trouble::TooLarge));
        assert_eq!(unpacked(&two, length, length), Err(Trouble::NoMemory));
        assert_eq!(unpacked(b"no gzip", length, all), Err(Trouble::Corrupt));
        let cut = &two[..two.len() - 1];
        assert_eq!(unpacked(cut, length, all), Err(Trouble::Corrupt));
    }

    #[test]
    fn a_body_is_whole_lines() {
        let of =
            |text: &str, has_header| String::from_utf8(lines(text.into(), has_header)).unwrap();
        assert_eq!(of("", false), "");
        assert_eq!(of("a\nb", false), "a\nb\n");
        assert_eq!(of("a\nb\n", true), "b\n");
        assert_eq!(of("a", true), "");
    }
}
