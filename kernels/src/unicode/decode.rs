//! Decodes and encodes single characters of UTF-8.

/// Decodes the character that begins at the first byte; returns it and its length in bytes.
///
/// Strict: no overlong forms, no surrogates, nothing above U+10FFFF. Branches on the length are
/// cheaper here than tables: even in text of many scripts they are predicted well enough, and the
/// next character does not depend on this one.
#[inline(always)]
pub(crate) fn decode(bytes: &[u8]) -> Option<(u32, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((u32::from(first), 1));
    }
    let second = tail(bytes, 1)?;
    if (0xc2..0xe0).contains(&first) {
        return Some((u32::from(first & 0x1f) << 6 | second, 2));
    }
    let third = tail(bytes, 2)?;
    if (0xe0..0xf0).contains(&first) {
        let point = u32::from(first & 0x0f) << 12 | second << 6 | third;
        let valid = point >= 0x800 && !(0xd800..0xe000).contains(&point);
        return valid.then_some((point, 3));
    }
    let fourth = tail(bytes, 3)?;
    if (0xf0..0xf5).contains(&first) {
        let point = u32::from(first & 0x07) << 18 | second << 12 | third << 6 | fourth;
        return (0x1_0000..0x11_0000).contains(&point).then_some((point, 4));
    }
    None
}

/// Returns the six bits of a continuation byte.
#[inline(always)]
fn tail(bytes: &[u8], at: usize) -> Option<u32> {
    let byte = *bytes.get(at)?;
    (byte & 0xc0 == 0x80).then_some(u32::from(byte & 0x3f))
}

/// Encodes a character; returns four bytes, and how many of them are used.
#[inline(always)]
pub(crate) fn encode(point: u32) -> ([u8; 4], usize) {
    let head = |shift: u32, mark: u32| (point >> shift | mark) as u8;
    let tail = |shift: u32| (point >> shift & 0x3f | 0x80) as u8;
    match point {
        0..0x80 => ([point as u8, 0, 0, 0], 1),
        0x80..0x800 => ([head(6, 0xc0), tail(0), 0, 0], 2),
        0x800..0x1_0000 => ([head(12, 0xe0), tail(6), tail(0), 0], 3),
        _ => ([head(18, 0xf0), tail(12), tail(6), tail(0)], 4),
    }
}

/// Returns the number of bytes of an incomplete character at the end.
pub(crate) fn unfinished(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|&length| {
            let last = &bytes[bytes.len() - length..];
            core::str::from_utf8(last)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_std(bytes: &[u8]) -> Option<(u32, usize)> {
        (1..=bytes.len().min(4)).find_map(|length| {
            let text = core::str::from_utf8(&bytes[..length]).ok()?;
            Some((text.chars().next()? as u32, length))
        })
    }

    #[test]
    fn edge_cases_decode_as_in_std() {
        let heads: Vec<u8> = if cfg!(miri) {
            vec![0x41, 0xc3, 0xe0, 0xed, 0xf0, 0xf4]
        } else {
            (0..=255).collect()
        };
        let edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
        for &a in &heads {
            assert_eq!(decode(&[a]), by_std(&[a]));
            for b in edges {
                assert_eq!(decode(&[a, b]), by_std(&[a, b]));
                for c in edges {
                    assert_eq!(decode(&[a, b, c]), by_std(&[a, b, c]));
                    for d in edges {
                        let bytes = [a, b, c, d];
                        assert_eq!(decode(&bytes), by_std(&bytes), "{bytes:x?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_character_is_encoded_as_in_std() {
        let step = if cfg!(miri) { 997 } else { 1 };
        for c in (0..0x11_0000).step_by(step).filter_map(char::from_u32) {
            let (bytes, length) = encode(c as u32);
            assert_eq!(bytes[..length], *c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    #[test]
    fn incomplete_characters_are_measured() {
        assert_eq!(unfinished("né".as_bytes()), 0);
        assert_eq!(unfinished(b"n\xc3"), 1);
        assert_eq!(unfinished(b"\xe2\x80"), 2);
        assert_eq!(unfinished(b"a\xf0\x9f\x98"), 3);
        assert_eq!(unfinished(b"a\xe0\x80"), 0, "overlong: never a character");
        assert_eq!(unfinished(b""), 0);
    }
}
