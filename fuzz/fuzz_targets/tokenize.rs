//! The tokens of a text, as a whole and as records, are those of the oracle at all levels and
//! tunings.
#![no_main]

use arbitrary::Arbitrary;
use keymill_fuzz::{AnyRule, each_setting, is_comparable, offsets};
use keymill_kernels::oracle;
use keymill_kernels::stage::tokenize::{Records, Tokenizer};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Job<'a> {
    rule: AnyRule,
    cuts: Vec<u16>,
    text: &'a [u8],
}

fuzz_target!(|job: Job| {
    let (rule, text) = (&job.rule.0, job.text);
    if !is_comparable(text) {
        return;
    }
    let offsets = offsets(&job.cuts, text);
    let whole = oracle::tokenize(rule, text);
    let cells = || {
        offsets
            .windows(2)
            .map(|ends| &text[ends[0] as usize..ends[1] as usize])
    };
    let of_cells: Vec<&[u8]> = cells()
        .flat_map(|cell| oracle::tokenize(rule, cell))
        .collect();

    each_setting(|level, tuning| {
        let mut tokenizer = Tokenizer::new(level, rule, tuning);
        let mut spans = Vec::new();
        let done = tokenizer
            .tokenize(text, None, &mut spans)
            .expect("a short text");
        let tokens: Vec<&[u8]> = spans.iter().map(|span| span.of(text)).collect();
        assert_eq!(tokens, whole, "{level} {tuning:?}");
        assert_eq!((done.tokens, done.level), (whole.len(), level));
        assert_eq!(
            done.rejected,
            oracle::rejected(rule, text),
            "{level} {tuning:?}"
        );

        let records = Records::from_u32(&offsets).expect("the offsets ascend");
        let done = tokenizer
            .tokenize(text, Some(records), &mut spans)
            .expect("records of the text");
        let tokens: Vec<&[u8]> = spans.iter().map(|span| span.of(text)).collect();
        assert_eq!(tokens, of_cells, "{level} {tuning:?}");
        let rejected: u64 = cells().map(|cell| oracle::rejected(rule, cell)).sum();
        assert_eq!(done.rejected, rejected, "{level} {tuning:?}");
    });
});
