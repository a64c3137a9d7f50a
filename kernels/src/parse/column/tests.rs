use core::fmt::Debug;
use core::str::FromStr;

use super::*;
use proptest::prelude::*;

/// The fields of a text, with commas between them.
fn spans_of(text: &[u8]) -> Vec<Span> {
    let mut start = 0;
    let fields = text.split(|&byte| byte == b',');
    fields
        .map(|field| {
            let span = Span {
                start,
                end: start + field.len() as u32,
            };
            start = span.end + 1;
            span
        })
        .collect()
}

type Numbers<N> = fn(Level, &[u8], &[Span], &mut Vec<N>, &mut Vec<u32>);

/// Checks the numbers that are found, and that only those of `may_miss` and the last ones are not.
fn check<N: FromStr + Copy + Debug>(
    text: &str,
    all: Numbers<N>,
    bits: impl Fn(N) -> u64,
    may_miss: impl Fn(&str) -> bool,
) {
    let spans = spans_of(text.as_bytes());
    for level in Level::available() {
        let (mut values, mut missed) = (Vec::new(), Vec::new());
        all(level, text.as_bytes(), &spans, &mut values, &mut missed);
        assert_eq!(values.len(), spans.len());
        assert!(missed.is_sorted_by(|one, next| one < next), "{missed:?}");
        for (row, field) in text.split(',').enumerate() {
            let expected = field.parse::<N>().ok().map(&bits);
            if missed.contains(&(row as u32)) {
                let is_last = row >= spans.len() / LANES * LANES;
                let is_number = expected.is_some() && !may_miss(field);
                assert!(is_last || !is_number, "{level}: {field:?} is missed");
            } else {
                assert_eq!(Some(bits(values[row])), expected, "{level}: {field:?}");
            }
        }
    }
}

fn check_both(text: &str) {
    check(text, integers, i64::cast_unsigned, |field| {
        field.len() > 8 || field.starts_with('+')
    });
    check(text, floats, f64::to_bits, |field| {
        let is_plain = field.bytes().all(|it| b"-.0123456789".contains(&it));
        field.len() > 8 || !is_plain
    });
}

proptest! {
    #[test]
    fn numbers_are_those_of_the_standard_library(
        fields in proptest::collection::vec(
            "-?[0-9]{1,8}|-?[0-9]{0,4}\\.[0-9]{0,4}|[-+.0-9]{0,9}|[0-9]{3,20}|[-+]?[0-9.]{2}[eE\\x00 /:x_][0-9]?|nan|-inf|\\PC{0,3}",
            0..40,
        )
    ) {
        let text = fields.join(",");
        check_both(&text);
    }
}

#[test]
fn every_byte_at_every_place_is_known_or_missed() {
    let mut texts = Vec::new();
    for number in [
        "12345678", "-1234567", "1.5", "-0.25", "7", "-9", "1234.567",
    ] {
        for place in 0..number.len() {
            for byte in (0..0x80).map(char::from).filter(|&it| it != ',') {
                let mut text = number.to_owned();
                text.replace_range(place..=place, &byte.to_string());
                texts.push(text);
            }
        }
    }
    let step = if cfg!(miri) { 97 } else { 1 };
    for texts in texts.chunks(100).step_by(step) {
        check_both(&texts.join(","));
    }
}

#[test]
fn signs_zeros_and_points_are_exact() {
    let texts = [
        "-0", "0", "-0.0", "0.0", ".5", "5.", "-.5", "-5.", "-", ".", "-.", "", "1.2.3", "--1",
        "1-", "-00001", "99999999", "-9999999", "0.000001", "00000000", "..", "9999.999",
    ];
    check_both(&texts.join(","));
    // More than one batch, and the end of the text.
    let many = texts.repeat(if cfg!(miri) { 13 } else { 60 });
    for rest in 0..LANES {
        check_both(&many[rest..].join(","));
    }
}

#[test]
fn spans_may_be_in_any_order() {
    let (mut values, mut missed) = (Vec::new(), Vec::new());
    let spans: Vec<Span> = (0..24)
        .rev()
        .map(|row| Span {
            start: row,
            end: row + 2,
        })
        .collect();
    let text = b"0123456789012345678901234";
    for level in Level::available() {
        values.clear();
        integers(level, text, &spans, &mut values, &mut missed);
        let expected = |row: usize| [1, 12, 23, 34, 45, 56, 67, 78, 89, 90][(23 - row) % 10];
        assert!(missed.is_empty());
        assert!(
            (0..24).all(|row| values[row] == expected(row)),
            "{values:?}"
        );
    }
}
