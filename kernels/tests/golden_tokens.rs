//! Compares every rule with Python's `split` and `re`: `golden/tokens.tsv`, made by
//! `scripts/golden-tokens`.
#![forbid(unsafe_code)]

use std::num::NonZeroUsize;

use keymill_kernels::stage::tokenize::Tokenizer;
use keymill_kernels::{Level, TokenRule, Tuning, oracle};

const GOLDEN: &str = include_str!("golden/tokens.tsv");

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits"))
        .collect()
}

fn rule(name: &str) -> TokenRule {
    let parts: Vec<_> = name.split(':').collect();
    match parts[..] {
        ["whitespace"] => TokenRule::Whitespace,
        ["words"] => TokenRule::Words,
        ["lines"] => TokenRule::Lines,
        ["split", separator] => TokenRule::Split(bytes(separator).into()),
        ["field", index, separator] => TokenRule::Field {
            index: index.parse::<NonZeroUsize>().expect("a number above 0"),
            separator: bytes(separator).into(),
        },
        _ => panic!("no such rule: {name}"),
    }
}

/// Returns the tokens of a row, and the number of rejected lines.
fn listed(column: &str) -> (Vec<Vec<u8>>, u64) {
    let mut tokens = Vec::new();
    let mut rejected = 0;
    for token in column.split(',').filter(|token| !token.is_empty()) {
        match token
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'))
        {
            Some(hex) => tokens.push(bytes(hex)),
            None => rejected += 1,
        }
    }
    (tokens, rejected)
}

#[test]
fn tokens_equal_those_of_python() {
    let rows: Vec<_> = GOLDEN.lines().collect();
    assert!(rows.len() > 500, "the file is all there");
    for row in rows.iter().step_by(if cfg!(miri) { 97 } else { 1 }) {
        let columns: Vec<_> = row.split('\t').collect();
        let [name, text, tokens] = columns[..] else {
            panic!("three columns: {row}")
        };
        let (rule, text, (expected, rejected)) = (rule(name), bytes(text), listed(tokens));
        assert_eq!(
            oracle::tokenize(&rule, &text),
            expected,
            "the oracle, {row}"
        );
        for level in Level::available() {
            for tuning in [Tuning::DEFAULT, Tuning::TINY] {
                let mut spans = Vec::new();
                let mut tokenizer = Tokenizer::new(level, &rule, &tuning);
                let done = tokenizer.tokenize(&text, None, &mut spans).expect("short");
                let found: Vec<_> = spans.iter().map(|span| span.of(&text)).collect();
                assert_eq!(found, expected, "{level}, {row}");
                assert_eq!(done.rejected, rejected, "{level}, {row}");
            }
        }
    }
}
