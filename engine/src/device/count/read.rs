//! Reads and checks the counts of a device.
#![forbid(unsafe_code)]

use bytemuck::{bytes_of, pod_collect_to_vec, pod_read_unaligned};
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::{COUNT_NO_END, CountGroup, CountReport};

use crate::device::Fault;

fn wrong(what: String) -> Fault {
    Fault::NotConserved(format!("count, {what}"))
}

/// Returns the report of a text and the tokens that are left to the host.
pub(super) fn text(
    run: u32,
    tokens: u32,
    longest: usize,
    text: &[u8],
    report: &[u8],
    left: &[u8],
) -> Result<(CountReport, Vec<Span>), Fault> {
    let report: CountReport = pod_read_unaligned(report);
    check_run(&report, run)?;
    if report.counted.checked_add(report.left) != Some(tokens) {
        let (counted, left) = (report.counted, report.left);
        let message = format!("{counted} tokens counted and {left} left to the host, of {tokens}");
        return Err(wrong(message));
    }
    let spans: Vec<Span> = pod_collect_to_vec(left);
    let whole = spans.iter().map(|span| whole(*span, longest, text));
    match whole.collect::<Option<Vec<Span>>>() {
        Some(left) if left.len() == report.left as usize => Ok((report, left)),
        _ => Err(wrong(format!(
            "the list of {} tokens left to the host is invalid",
            spans.len()
        ))),
    }
}

/// Checks a span, and finds its end if the device did not: the device reads no more than `longest`
/// bytes of a key.
fn whole(span: Span, longest: usize, text: &[u8]) -> Option<Span> {
    let Span { start, end } = span;
    if end != COUNT_NO_END {
        return (start <= end && end as usize <= text.len()).then_some(span);
    }
    let rest = text.get(start as usize..)?;
    let length = length_before_space(rest);
    let end = start.checked_add(u32::try_from(length).ok()?)?;
    (length > longest).then_some(Span { start, end })
}

/// Returns the number of bytes before the first white space.
fn length_before_space(text: &[u8]) -> usize {
    let begins_space = |at: &usize| {
        let bytes = match text[*at] {
            0x9..=0xd | b' ' => return true,
            0xc2 => 2,
            0xe1..=0xe3 => 3,
            _ => return false,
        };
        let character = text
            .get(*at..at + bytes)
            .and_then(|it| str::from_utf8(it).ok());
        character.is_some_and(|it| it.chars().all(char::is_whitespace))
    };
    (0..text.len()).find(begins_space).unwrap_or(text.len())
}

fn check_run(report: &CountReport, run: u32) -> Result<(), Fault> {
    if report.run != run {
        return Err(wrong(format!(
            "the result is of run {}, not of run {run}",
            report.run
        )));
    }
    if report.lost > 0 {
        let lost = report.lost;
        return Err(wrong(format!("{lost} keys did not fit in the arena")));
    }
    Ok(())
}

/// Returns the fault for a text with more bytes left to the host than in all tokens.
pub(super) fn too_many_left() -> Fault {
    wrong("more bytes are left to the host than the tokens contain".to_owned())
}

/// The tokens that the table has counted, according to the reports of the texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) tokens: u64,
    pub(super) bytes: u64,
}

/// The groups of a table. They are checked before any is used.
pub(super) struct Groups {
    /// The [`CountGroup`]s as downloaded bytes.
    groups: Vec<u8>,
    arena: Vec<u8>,
}

impl Groups {
    /// Reads the groups of a table and checks their totals against `counted`.
    pub(super) fn read(
        run: u32,
        counted: Counted,
        longest: usize,
        downloads: Vec<Vec<u8>>,
    ) -> Result<Self, Fault> {
        let Ok([report, groups, arena]) = <[Vec<u8>; 3]>::try_from(downloads) else {
            return Err(wrong("the number of downloads is wrong".to_owned()));
        };
        check_run(&pod_read_unaligned(&report), run)?;
        let read = Self { groups, arena };
        for group in read.iter() {
            let is_short = group.length as usize <= longest && group.count > 0;
            if !is_short || read.key(&group).is_none() {
                return Err(wrong(format!("a group is invalid: {group:?}")));
            }
        }
        let (mut tokens, mut bytes) = (0u64, 0u64);
        for group in read.iter() {
            tokens += u64::from(group.count);
            bytes += u64::from(group.count) * u64::from(group.length);
        }
        // Both totals are independent: one is from masks of the text, the other from the keys in
        // the table.
        if (tokens, bytes) != (counted.tokens, counted.bytes) {
            let Counted {
                tokens: all_tokens,
                bytes: all_bytes,
            } = counted;
            return Err(wrong(format!(
                "{tokens} tokens with {bytes} bytes, not {all_tokens} tokens with {all_bytes} bytes"
            )));
        }
        Ok(read)
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        for group in self.iter() {
            if let Some(key) = self.key(&group) {
                visit(key, group.count.into());
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = CountGroup> {
        let groups = self.groups.chunks_exact(size_of::<CountGroup>());
        groups.map(pod_read_unaligned)
    }

    fn key<'a>(&'a self, group: &'a CountGroup) -> Option<&'a [u8]> {
        let length = group.length as usize;
        if length <= CountGroup::INLINE_BYTES {
            return bytes_of(&group.key).get(..length);
        }
        let start = group.key[0] as usize * 4;
        self.arena.get(start..start.checked_add(length)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tokens of two bytes, and one of ten.
    const COUNTED: Counted = Counted {
        tokens: 3,
        bytes: 14,
    };

    const REPORT: CountReport = CountReport {
        counted: 3,
        left: 1,
        groups: 2,
        arena_used: 3,
        lost: 0,
        run: 7,
        hot: 0,
    };

    #[test]
    fn damaged_reports_are_detected() {
        let read = |report: CountReport, left: &[u32]| {
            let left: &[u8] = bytemuck::cast_slice(left);
            text(7, 4, 3, b"to be or notable", bytes_of(&report), left).map(|(_, left)| left.len())
        };
        assert_eq!(read(REPORT, &[3, 5]), Ok(1));
        let damaged: [(CountReport, &[u32]); 7] = [
            (CountReport { run: 6, ..REPORT }, &[3, 5]),
            (CountReport { lost: 1, ..REPORT }, &[3, 5]),
            (
                CountReport {
                    counted: 2,
                    ..REPORT
                },
                &[3, 5],
            ),
            (
                CountReport {
                    counted: u32::MAX,
                    left: 5,
                    ..REPORT
                },
                &[3, 5],
            ),
            (REPORT, &[]),
            (REPORT, &[5, 3]),
            (REPORT, &[3, 500]),
        ];
        for (report, left) in damaged {
            assert!(
                matches!(read(report, left), Err(Fault::NotConserved(_))),
                "{report:?}"
            );
        }
        assert!(read(CountReport::default(), &[]).is_err());
    }

    #[test]
    fn the_host_finds_the_end_of_a_long_token() {
        let read = |bytes: &[u8], start: u32| {
            let left = [start, COUNT_NO_END];
            let left: &[u8] = bytemuck::cast_slice(&left);
            let read = text(7, 4, 3, bytes, bytes_of(&REPORT), left);
            read.map(|(_, left)| left[0].of(bytes).to_vec())
        };
        let token = "b\0\u{300}\u{2030}\u{200b}\u{e9}".as_bytes();
        for space in ["", " ", "\n", "\u{85}", "\u{1680}", "\u{2028}", "\u{3000}"] {
            let bytes = [b"to ", token, space.as_bytes()].concat();
            assert_eq!(read(&bytes, 3), Ok(token.to_vec()));
            let bytes = [&bytes[..], b"abcd", space.as_bytes(), b"\xe2\x80"].concat();
            assert!(read(&bytes, 3).unwrap().starts_with(token));
        }
        assert_eq!(read(b" abc\xe2\x80", 1), Ok(b"abc\xe2\x80".to_vec()));
        // Tokens that are not longer than the limit, and positions outside the text.
        for start in [0, 3, 4, 7, 8, u32::MAX] {
            assert!(read(b"abc def", start).is_err(), "{start}");
        }
    }

    #[test]
    fn damaged_groups_are_detected() {
        let short = CountGroup {
            length: 2,
            key: [u32::from_le_bytes(*b"to\0\0"), 0],
            count: 2,
        };
        let long = CountGroup {
            length: 10,
            key: [1, 0],
            count: 1,
        };
        let read = |groups: &[CountGroup], arena: &[u8]| {
            let downloads = vec![
                bytes_of(&REPORT).to_vec(),
                bytemuck::cast_slice(groups).to_vec(),
                arena.to_vec(),
            ];
            Groups::read(7, COUNTED, 16, downloads)
        };
        let arena = b"....0123456789..";
        let mut seen = Vec::new();
        let right = read(&[short, long], arena).unwrap();
        right.for_each(|key, count| seen.push((key.to_vec(), count)));
        assert_eq!(seen, [(b"to".to_vec(), 2), (b"0123456789".to_vec(), 1)]);
        for groups in [
            vec![],
            vec![short],
            vec![
                short,
                CountGroup {
                    key: [3, 0],
                    ..long
                },
            ],
            vec![short, CountGroup { length: 17, ..long }],
            vec![
                CountGroup { count: 3, ..short },
                CountGroup { count: 0, ..long },
            ],
            vec![CountGroup::default(); 2],
        ] {
            assert!(read(&groups, arena).is_err(), "{groups:?}");
        }
        assert!(read(&[short, long], b"").is_err());
        assert!(Groups::read(7, COUNTED, 16, Vec::new()).is_err());
    }
}
