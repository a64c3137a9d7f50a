use keymill_kernels::{Level, Limits, stage::count::Counter};
use std::time::Instant;
fn zipf(bytes: usize, vocab: usize) -> Vec<u8> {
    let mut s = 88172645463325252u64;
    let mut rnd = move || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        s
    };
    let words: Vec<Vec<u8>> = (0..vocab)
        .map(|_| {
            let n = 2 + (rnd() % 4 + rnd() % 5) as usize;
            (0..n).map(|_| b'a' + (rnd() % 26) as u8).collect()
        })
        .collect();
    let mut cdf = Vec::new();
    let mut t = 0f64;
    for i in 0..vocab {
        t += 1.0 / (i as f64 + 1.0);
        cdf.push(t);
    }
    // alias-free: table of 1M samples
    let table: Vec<u32> = (0..1 << 22)
        .map(|_| {
            let x = (rnd() >> 11) as f64 / (1u64 << 53) as f64 * t;
            cdf.partition_point(|&c| c < x).min(vocab - 1) as u32
        })
        .collect();
    let mut out = Vec::with_capacity(bytes + 64);
    while out.len() < bytes {
        let w = &words[table[(rnd() >> 42) as usize] as usize];
        out.extend_from_slice(w);
        out.push(if rnd() % 12 == 0 { b'\n' } else { b' ' });
    }
    out
}
fn main() {
    let mb: usize = std::env::args().nth(1).map_or(256, |s| s.parse().unwrap());
    let vocabs: Vec<usize> = std::env::args()
        .skip(2)
        .map(|s| s.parse().unwrap())
        .collect();
    for v in vocabs {
        let text = zipf(mb << 20, v);
        let t = Instant::now();
        let s = std::str::from_utf8(&text).unwrap();
        let mut m = std::collections::HashMap::<&str, u64>::default();
        for w in s[..s.len() / 8].split_whitespace() {
            *m.entry(w).or_default() += 1;
        }
        println!(
            "vocab {v}: std {:.3} GB/s",
            text.len() as f64 / 8.0 / t.elapsed().as_secs_f64() / 1e9
        );
        for level in Level::available().into_iter().rev() {
            let mut best = f64::MAX;
            let (mut tok, mut len) = (0, 0);
            for _ in 0..5 {
                let mut c = Counter::new(
                    level,
                    &keymill_kernels::TokenRule::Whitespace,
                    &Limits::DEFAULT,
                    42,
                );
                let t = Instant::now();
                c.push(&text);
                best = best.min(t.elapsed().as_secs_f64());
                tok = c.tokens();
                len = c.len();
            }
            println!(
                "  {level}: {:.3} GB/s, {:.2} ns/token, {tok} tokens {len} distinct",
                text.len() as f64 / best / 1e9,
                best * 1e9 / tok as f64
            );
        }
    }
}
