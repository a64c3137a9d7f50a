//! Lines are those of the oracle. At the places where a reader may cut, the two sides have the
//! tokens of the whole text.
#![no_main]

use arbitrary::Arbitrary;
use keymill_fuzz::{AnyRule, each_setting, is_comparable};
use keymill_kernels::stage::frame::{Boundary, Framer, first_boundary, last_boundary};
use keymill_kernels::{Level, TokenRule, oracle};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Job<'a> {
    rule: AnyRule,
    searched: u8,
    text: &'a [u8],
}

fuzz_target!(|job: Job| {
    let (rule, text) = (&job.rule.0, job.text);
    if !is_comparable(text) {
        return;
    }
    let lines = oracle::frame(text);
    each_setting(|level, tuning| {
        let mut records = Vec::new();
        Framer::new(level, tuning)
            .frame(text, &mut records)
            .expect("a short text");
        let found: Vec<&[u8]> = records.iter().map(|record| record.of(text)).collect();
        assert_eq!(found, lines, "{level} {tuning:?}");
    });

    let last = last_boundary(Level::Scalar, rule, text);
    let first = first_boundary(Level::Scalar, rule, text, 0);
    assert_eq!(last.is_some(), first.is_some());
    for cut in last.iter().chain(&first) {
        check_cut(rule, text, cut);
    }
    // If a prefix has no boundary, the search may continue after it.
    let searched = usize::from(job.searched).min(text.len());
    let can_continue = first_boundary(Level::Scalar, rule, &text[..searched], 0).is_none();
    for level in Level::available() {
        assert_eq!(last_boundary(level, rule, text), last, "{level}");
        assert_eq!(first_boundary(level, rule, text, 0), first, "{level}");
        if can_continue {
            assert_eq!(
                first_boundary(level, rule, text, searched),
                first,
                "{level}"
            );
        }
    }
});

fn check_cut(rule: &TokenRule, text: &[u8], cut: &Boundary) {
    let (left, right) = (&text[..cut.end], &text[cut.next..]);
    let both = [oracle::tokenize(rule, left), oracle::tokenize(rule, right)].concat();
    assert_eq!(both, oracle::tokenize(rule, text), "{cut:?}");
    let rejected = oracle::rejected(rule, left) + oracle::rejected(rule, right);
    assert_eq!(rejected, oracle::rejected(rule, text), "{cut:?}");
}
