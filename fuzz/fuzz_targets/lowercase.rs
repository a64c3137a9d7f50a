//! Lower-case text is that of the oracle at all levels, and at most 1.5 times as long as the input.
#![no_main]

use keymill_fuzz::is_comparable;
use keymill_kernels::stage::lowercase::lowercase;
use keymill_kernels::{Level, oracle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if !is_comparable(text) {
        return;
    }
    let expected = oracle::lowercase(text);
    assert!(expected.len() <= text.len() + text.len() / 2);
    for level in Level::available() {
        let mut out = Vec::new();
        assert_eq!(lowercase(level, text, &mut out), level);
        assert_eq!(out, expected, "{level}");
    }
});
