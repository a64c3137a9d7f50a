#![no_main]
use libfuzzer_sys::fuzz_target;
fuzz_target!(|data: &[u8]| { let mut n = 0; for l in keymill_kernels::Level::available() { let mut c = keymill_kernels::stage::count::Counter::new(l, &keymill_kernels::Limits::TINY); c.push(data); n += c.tokens(); } assert!(n < 1 << 60); });
