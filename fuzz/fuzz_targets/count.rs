//! The fused count of texts pushed in pieces: the same as counting the oracle's tokens.
#![no_main]

use arbitrary::Arbitrary;
use keymill_fuzz::{Counts, counts_of, each_setting};
use keymill_kernels::stage::count::Counter;
use keymill_kernels::{Groups, TokenRule};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Job<'a> {
    seed: u64,
    first: &'a [u8],
    second: &'a [u8],
}

fuzz_target!(|job: Job| {
    let mut expected = Counts::new();
    let mut tokens = 0;
    for text in [job.first, job.second] {
        for token in whitespace_tokens(text) {
            *expected.entry(token.to_vec()).or_default() += 1;
            tokens += 1;
        }
    }
    each_setting(|level, limits| {
        let mut counter = Counter::new(level, &TokenRule::Whitespace, limits, job.seed);
        counter.push(job.first);
        counter.push(job.second);
        assert_eq!(counter.tokens(), tokens, "{level} {limits:?}");
        let mut groups = Groups::default();
        counter.drain_into(&mut groups);
        assert_eq!(counts_of([&groups]), expected, "{level} {limits:?}");
    });
});

fn whitespace_tokens(text: &[u8]) -> Vec<&[u8]> {
    let (mut tokens, mut start, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let width = white_space_at(&text[at..]);
        if width > 0 && start < at {
            tokens.push(&text[start..at]);
        }
        at += width.max(1);
        if width > 0 {
            start = at;
        }
    }
    tokens.extend((start < text.len()).then(|| &text[start..]));
    tokens
}

/// How many bytes the white space at the start has; 0: there is none.
fn white_space_at(text: &[u8]) -> usize {
    (1..=text.len().min(3))
        .find(|&width| {
            std::str::from_utf8(&text[..width]).is_ok_and(|text| {
                text.chars().count() == 1 && text.chars().all(char::is_whitespace)
            })
        })
        .unwrap_or(0)
}
