#![allow(missing_docs, reason = "scratch")]
use keymill::*;
use keymill_datasets::Generator;
use std::time::Instant;

fn rss() -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines()
        .find(|l| l.starts_with("VmHWM"))
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mib: u64 = args[1].parse().unwrap();
    let threads: usize = args[2].parse().unwrap();
    let memory: usize = args[3].parse().unwrap();
    let order = match args[4].as_str() {
        "none" => Order::None,
        "key" => Order::Key,
        _ => Order::Count,
    };
    let top: Option<usize> = args.get(5).and_then(|t| t.parse().ok());
    let path = format!("/tmp/unique-{mib}.txt");
    if !std::path::Path::new(&path).exists() {
        let mut f =
            std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&path).unwrap());
        keymill_datasets::Unique { seed: 1 }
            .write_to(mib << 20, &mut f)
            .unwrap();
    }
    let r = Resources {
        threads,
        memory: MemoryBudget::new(memory << 20),
        seed: 0x1234_5678_9abc,
        ..Resources::default()
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    for _ in 0..args.get(6).and_then(|t| t.parse().ok()).unwrap_or(3) {
        pool.install(|| {
        let t0 = Instant::now();
        let file = std::fs::File::open(&path).unwrap();
        let len = file.metadata().unwrap().len();
        let next = std::sync::atomic::AtomicU64::new(0);
        let ops: Vec<CountOperator> = std::thread::scope(|s| {
            let hs: Vec<_> = (0..threads).map(|_| s.spawn(|| {
                use std::os::unix::fs::FileExt;
                let mut op = CountOperator::new(&TokenRule::Whitespace, &r).unwrap();
                const B: u64 = 1 << 20;
                let mut buf = vec![0u8; B as usize + 64];
                loop {
                    let at = next.fetch_add(B, std::sync::atomic::Ordering::Relaxed);
                    if at >= len { break; }
                    let want = (B + 32).min(len - at) as usize;
                    file.read_exact_at(&mut buf[..want], at).unwrap();
                    let begin = if at == 0 { 0 } else { buf.iter().position(|b| *b <= b' ').unwrap() };
                    let stop = if want < B as usize { want } else { (B as usize + buf[B as usize..want].iter().position(|b| *b <= b' ').unwrap_or(want - B as usize)).min(want) };
                    op.push(&buf[begin..stop]).unwrap();
                }
                op
            })).collect();
            hs.into_iter().map(|h| h.join().unwrap()).collect()
        });
        let t1 = Instant::now();
        let mut op = CountOperator::merge_all(ops).unwrap();
        let t2 = Instant::now();
        let tokens = op.tokens();
        let mut limits = BatchLimits::default();
        limits.top = top;
        let mut b = op.drain(Drain::All, order, limits).unwrap();
        let t3 = Instant::now();
        let mut rows = 0;
        for batch in &mut b { rows += batch.unwrap().num_rows(); }
        let t4 = Instant::now();
        println!("push {:?} merge {:?} drain {:?} batches {:?} | drain+batches {:?} total {:?} tokens {tokens} rows {rows} groups {} spilled {} MiB hwm {} MiB", t1-t0, t2-t1, t3-t2, t4-t3, t4-t2, t4-t0, b.groups(), op.metrics().spilled_bytes >> 20, rss() >> 10);
    });
    }
}
