use keymill_kernels::{Level, Limits, TokenRule, stage::count::Counter};
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
    let mut out = Vec::with_capacity(bytes + 64);
    while out.len() < bytes {
        let x = (rnd() >> 11) as f64 / (1u64 << 53) as f64 * t;
        let w = &words[cdf.partition_point(|&c| c < x).min(vocab - 1)];
        out.extend_from_slice(w);
        out.push(if rnd() % 12 == 0 { b'\n' } else { b' ' });
    }
    out
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mb: usize = a[1].parse().unwrap();
    let vocab: usize = a[2].parse().unwrap();
    let levels: Vec<Level> = a[3].split(',').map(|l| l.parse().unwrap()).collect();
    let text = if vocab == 0 {
        let b = std::fs::read(&a[4]).unwrap();
        b.repeat((mb << 20) / b.len() + 1)
    } else {
        zipf(mb << 20, vocab)
    };
    for level in levels {
        let mut best = f64::MAX;
        let mut c = Counter::new(level, &TokenRule::Whitespace, &Limits::DEFAULT, 42);
        c.push(&text);
        let (tok, len) = (c.tokens(), c.len());
        for _ in 0..30 {
            let t = Instant::now();
            c.push(&text);
            best = best.min(t.elapsed().as_secs_f64());
        }
        println!(
            "{vocab} {level}: {:.3} GB/s, {:.2} ns/token, {tok} tokens {len} distinct",
            text.len() as f64 / best / 1e9,
            best * 1e9 / tok as f64
        );
    }
}
