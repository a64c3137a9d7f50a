//! Compares every rule with the oracle, at every level and with the default and tiny sizes.

use core::num::NonZeroUsize;

use proptest::prelude::*;

use super::alphabet::{rules, text};
use super::{InputError, Records, Span, Tokenized, Tokenizer};
use crate::stage::count::Counter;
use crate::{KeyCounts, Level, TokenRule, Tuning, oracle};

/// Compares a result with the oracle; the error describes the difference.
fn compare(
    rule: &TokenRule,
    text: &[u8],
    records: Option<&[u32]>,
    spans: &[Span],
    done: Tokenized,
) -> Result<(), String> {
    let whole = [0, text.len() as u32];
    let texts: Vec<_> = records
        .unwrap_or(&whole)
        .windows(2)
        .map(|pair| (pair[0], &text[pair[0] as usize..pair[1] as usize]))
        .collect();
    let mut expected = Vec::new();
    for (start, text) in &texts {
        for token in oracle::tokenize(rule, text) {
            let at = start + (token.as_ptr() as usize - text.as_ptr() as usize) as u32;
            expected.push((at, token));
        }
    }
    let rejected = texts.iter().map(|(_, text)| oracle::rejected(rule, text));
    let rejected: u64 = rejected.sum();
    let found: Vec<_> = spans
        .iter()
        .map(|span| (span.start, span.of(text)))
        .collect();
    if found != expected {
        return Err(format!(
            "{rule:?} on {text:x?}: {found:x?}, not {expected:x?}"
        ));
    }
    if (done.tokens, done.rejected) != (expected.len(), rejected) {
        return Err(format!(
            "{rule:?} on {text:x?}: {done:?}, {rejected} to reject"
        ));
    }
    Ok(())
}

/// The same tests for each level of this processor architecture, with the default and tiny sizes.
/// If a level is not available its tests do nothing, which `scripts/test` counts as a skip.
macro_rules! suite {
    ($($(#[$kind:meta])* $name:ident: $level:ident, $tuning:ident;)*) => {$(
        $(#[$kind])*
        mod $name {
            use super::*;

            const SETTING: (Level, Tuning) = (Level::$level, Tuning::$tuning);

            proptest! {
                #![proptest_config(cases())]

                #[test]
                fn tokens_equal_those_of_the_oracle(text in text(400)) {
                    for rule in rules() {
                        agrees(SETTING, &rule, &text, None)?;
                    }
                }

                #[test]
                fn records_are_separate_texts(
                    text in text(200),
                    cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
                ) {
                    let mut offsets: Vec<_> =
                        cuts.iter().map(|cut| cut.index(text.len() + 1) as u32).collect();
                    offsets.sort_unstable();
                    for rule in rules() {
                        agrees(SETTING, &rule, &text, Some(&offsets))?;
                    }
                }
            }

            #[test]
            fn tokens_at_block_and_tile_bounds() {
            check_bounds(SETTING).unwrap();
            }
        }
    )*};
}

suite! {
    scalar: Scalar, DEFAULT;
    scalar_tiny: Scalar, TINY;
    #[cfg(target_arch = "aarch64")]
    neon: Neon, DEFAULT;
    #[cfg(target_arch = "aarch64")]
    neon_tiny: Neon, TINY;
    #[cfg(target_arch = "x86_64")]
    avx2: Avx2, DEFAULT;
    #[cfg(target_arch = "x86_64")]
    avx2_tiny: Avx2, TINY;
    #[cfg(target_arch = "x86_64")]
    avx512: Avx512, DEFAULT;
    #[cfg(target_arch = "x86_64")]
    avx512_tiny: Avx512, TINY;
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 1 } else { 200 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Compares spans and counts with the oracle, twice, as the second run reuses memory.
fn agrees(
    (level, tuning): (Level, Tuning),
    rule: &TokenRule,
    text: &[u8],
    offsets: Option<&[u32]>,
) -> Result<(), TestCaseError> {
    if !level.is_available() {
        return Ok(());
    }
    let records = offsets.map(|offsets| Records::from_u32(offsets).unwrap());
    let mut tokenizer = Tokenizer::new(level, rule, &tuning);
    let mut counter = Counter::new(level, rule, &tuning, 3);
    let mut spans = vec![Span { start: 9, end: 9 }; 3];
    let mut tokens = Vec::new();
    for round in 1..=2u64 {
        let done = tokenizer.tokenize(text, records, &mut spans).unwrap();
        prop_assert_eq!(done.level, level);
        compare(rule, text, offsets, &spans, done).map_err(TestCaseError::fail)?;
        match records {
            Some(records) => counter.push_records(text, records).unwrap(),
            None => counter.push(text),
        }
        prop_assert_eq!(counter.tokens(), round * done.tokens as u64);
        prop_assert_eq!(counter.rejected(), round * done.rejected);
        tokens.extend(spans.iter().map(|span| span.of(text).to_vec()));
    }
    let mut groups = KeyCounts::default();
    counter.drain_into(&mut groups);
    let mut counted = Vec::new();
    groups.for_each(|key, count| counted.extend(vec![key.to_vec(); count as usize]));
    counted.sort();
    tokens.sort();
    prop_assert_eq!(counted, tokens);
    Ok(())
}

/// Checks tokens with lengths near those of blocks and tiles, between separators of every kind.
fn check_bounds(setting: (Level, Tuning)) -> Result<(), TestCaseError> {
    let tile = setting.1.tile_bytes;
    let mut lengths = vec![0, 1, 63, 64, 65, 127, 128, 129];
    if !cfg!(miri) {
        lengths.extend([tile - 1, tile, tile + 1, 2 * tile + 3, 5 * tile]);
    }
    let ends: [&[u8]; 9] = [
        b"",
        b"\n",
        b"\r\n",
        b"\r",
        b",",
        b", ",
        b",,",
        "\u{3000}".as_bytes(),
        b"\n\n",
    ];
    for length in lengths {
        for end in ends {
            for letter in ["x", "é"] {
                let token = letter.repeat(length / letter.len());
                let text = [b"ab", end, token.as_bytes(), end].concat();
                let other = [token.as_bytes(), end, b"c,d", end, b"e"].concat();
                for rule in rules() {
                    agrees(setting, &rule, &text, None)?;
                    agrees(setting, &rule, &other, None)?;
                    if cfg!(miri) {
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_wrong_result_is_detected() {
    let rule = TokenRule::Field {
        index: NonZeroUsize::MIN.saturating_add(1),
        separator: b",".as_slice().into(),
    };
    let text = b"a,b\nc\nd,e\n";
    let mut spans = Vec::new();
    let mut tokenizer = Tokenizer::new(Level::best(), &rule, &Tuning::TINY);
    let done = tokenizer.tokenize(text, None, &mut spans).unwrap();
    assert_eq!(compare(&rule, text, None, &spans, done), Ok(()));

    let check = |spans: &[Span], done| compare(&rule, text, None, spans, done).is_err();
    assert!(check(&spans[1..], done), "a token is missing");
    assert!(check(&[spans[1], spans[0]], done), "out of order");
    let empty = Span { start: 2, end: 2 };
    assert!(check(&[empty, spans[1]], done), "too short");
    assert!(
        check(
            &[],
            Tokenized {
                tokens: 0,
                rejected: 0,
                ..done
            }
        ),
        "nothing"
    );
    assert!(check(&spans, Tokenized { tokens: 3, ..done }));
    assert!(check(
        &spans,
        Tokenized {
            rejected: 0,
            ..done
        }
    ));
}

#[test]
fn two_texts_without_a_line_end_are_not_joined() {
    for level in Level::available() {
        let mut counter = Counter::new(level, &TokenRule::Whitespace, &Tuning::DEFAULT, 1);
        counter.push(b"one foo");
        counter.push(b"bar two");
        assert_eq!((counter.tokens(), counter.len()), (4, 4));
        for rule in rules() {
            let mut spans = Vec::new();
            let mut tokenizer = Tokenizer::new(level, &rule, &Tuning::DEFAULT);
            let records = Records::from_i64(&[0, 3, 6]).unwrap();
            tokenizer
                .tokenize(b"foobar", Some(records), &mut spans)
                .unwrap();
            let expected = if matches!(&rule, TokenRule::Field { index, .. } if index.get() > 1) {
                vec![]
            } else {
                vec![Span { start: 0, end: 3 }, Span { start: 3, end: 6 }]
            };
            assert_eq!(spans, expected, "{rule:?}");
        }
    }
}

#[test]
fn a_column_of_many_short_strings_without_separators() {
    let rows = if cfg!(miri) { 50 } else { 100_000 };
    let mut offsets = vec![0i32];
    let mut text = Vec::new();
    for row in 0..rows {
        text.extend(format!("{row:05}").bytes());
        offsets.push(text.len() as i32);
    }
    let records = Records::from_i32(&offsets).unwrap();
    for level in Level::available() {
        for rule in [TokenRule::Whitespace, TokenRule::Words, TokenRule::Lines] {
            let mut spans = Vec::new();
            let mut tokenizer = Tokenizer::new(level, &rule, &Tuning::DEFAULT);
            let done = tokenizer
                .tokenize(&text, Some(records), &mut spans)
                .unwrap();
            assert_eq!(done.tokens, rows);
            let are_rows = spans
                .iter()
                .zip(offsets.windows(2))
                .all(|(span, pair)| [span.start, span.end] == [pair[0] as u32, pair[1] as u32]);
            assert!(are_rows);
            let mut counter = Counter::new(level, &rule, &Tuning::DEFAULT, 1);
            counter.push_records(&text, records).unwrap();
            assert_eq!(counter.len(), rows);
        }
    }
}

#[test]
fn white_space_is_the_same_as_in_std() {
    let text: String = (0..=char::MAX as u32)
        .step_by(if cfg!(miri) { 0x1c } else { 1 })
        .filter_map(char::from_u32)
        .flat_map(|c| [c, 'x'])
        .collect();
    let expected: Vec<_> = text.split_whitespace().collect();
    assert_eq!(
        oracle::tokenize(&TokenRule::Whitespace, b"a\x1cb\xc2\x85c"),
        [&b"a\x1cb"[..], b"c"]
    );
    for level in Level::available() {
        let mut spans = Vec::new();
        let mut tokenizer = Tokenizer::new(level, &TokenRule::Whitespace, &Tuning::DEFAULT);
        tokenizer
            .tokenize(text.as_bytes(), None, &mut spans)
            .unwrap();
        let found = spans.iter().map(|span| span.of(text.as_bytes()));
        assert!(found.eq(expected.iter().map(|token| token.as_bytes())));
    }
}

#[test]
fn invalid_offsets_are_refused() {
    let descend = |record| InputError::OffsetsDescend { record };
    assert_eq!(Records::from_i32(&[0, 3, 2]).unwrap_err(), descend(1));
    assert_eq!(Records::from_i64(&[-1, 3]).unwrap_err(), descend(0));
    assert!(Records::from_u32(&[]).unwrap().is_empty());
    assert!(Records::from_u32(&[7]).unwrap().is_empty());
    let far = Records::from_i64(&[0, 2, i64::MAX]).unwrap();
    let mut tokenizer = Tokenizer::new(Level::best(), &TokenRule::Lines, &Tuning::TINY);
    let mut spans = vec![Span::default()];
    let error = tokenizer
        .tokenize(b"abc", Some(far), &mut spans)
        .unwrap_err();
    assert!(error.to_string().contains("3 bytes"), "{error}");
    assert_eq!(spans.len(), 1);
    let mut counter = Counter::new(Level::best(), &TokenRule::Lines, &Tuning::TINY, 1);
    assert!(counter.push_records(b"abc", far).is_err());
    assert_eq!(counter.tokens(), 0);
}
