//! A random expression over random rows gives the values of a plain evaluator, and its text is read as
//! the same expression.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|choices: &[u8]| keymill::check_expression(choices));
