//! Measures the stable hash by kind of key, and the partitioning of rows. For comparison, a loop
//! over single hashes, and a plain read of the keys as the upper bound.
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill::probe::{self, Resident, Stage};
use keymill_bench::{probed, read_all};
use keymill_kernels::stable_hash::{hash_bytes, hash_mid, hash_short, partition_of};
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};
use keymill_kernels::{HashSeed, Level, oracle};

const SEED: HashSeed = HashSeed(7);
const ROWS: usize = 64 << 10;
const PARTITIONS: usize = 100;

/// Returns words of 1 to 8 bytes, their bytes, and the offsets of these.
fn words() -> (Vec<u64>, Vec<u8>, Vec<u32>) {
    let word = |i: u64| {
        let letters = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 0x0101_0101_0101_0101;
        letters >> (i % 8 * 8)
    };
    let words: Vec<u64> = (0..ROWS as u64).map(word).collect();
    let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
    for word in &words {
        let length = 8 - word.leading_zeros() as usize / 8;
        bytes.extend_from_slice(&word.to_le_bytes()[..length]);
        offsets.push(bytes.len() as u32);
    }
    (words, bytes, offsets)
}

fn hash_partition(criterion: &mut Criterion) {
    let (words, bytes, offsets) = words();
    let pairs: Vec<[u64; 2]> = words.iter().map(|&word| [!word, word]).collect();
    let mut group = criterion.benchmark_group("stage/hash_partition");
    group.throughput(Throughput::ElementsAndBytes {
        elements: ROWS as u64,
        bytes: bytes.len() as u64,
    });

    let mut hashes = vec![0; ROWS];
    let one_by_one = |hashes: &mut [u64]| {
        for (hash, ends) in hashes.iter_mut().zip(offsets.windows(2)) {
            *hash = hash_bytes(SEED, &bytes[ends[0] as usize..ends[1] as usize]);
        }
    };
    one_by_one(&mut hashes);
    let expected = hashes.clone();
    let rows_of = oracle::hash_partition(&expected, PARTITIONS);
    group.bench_function("one-by-one/hash-short", |bencher| {
        bencher.iter(|| one_by_one(black_box(&mut hashes)));
    });
    group.bench_function("one-by-one/bytes", |bencher| {
        bencher.iter(|| {
            one_by_one(&mut hashes);
            let mut rows = vec![Vec::new(); PARTITIONS];
            for (row, &hash) in hashes.iter().enumerate() {
                rows[partition_of(hash, PARTITIONS as u32) as usize].push(row as u32);
            }
            rows
        });
    });
    group.bench_function("read/bytes", |bencher| {
        bencher.iter(|| read_all(black_box(&bytes)));
    });
    let by_u64 = Stage::HashPartition(PARTITIONS);
    let keys = Resident::rows(&words[..], vec![0; ROWS]).expect("there is a value for each key");
    let placed = probe::expected(&by_u64, &keys).expect("the stage accepts rows");
    for level in Level::available() {
        hash_short(level, SEED, &words, &mut hashes);
        assert_eq!(hashes, expected);
        group.bench_function(format!("{level}/hash-short"), |bencher| {
            bencher.iter(|| hash_short(level, SEED, black_box(&words), &mut hashes));
        });
        group.bench_function(format!("{level}/hash-mid"), |bencher| {
            bencher.iter(|| hash_mid(level, SEED, black_box(&pairs), &mut hashes));
        });
        let mut stage = HashPartition::new(level, SEED, PARTITIONS);
        let mut rows = Partitioned::default();
        stage.bytes(&bytes, &offsets, &mut rows);
        assert!((0..PARTITIONS).all(|partition| rows.rows_of(partition) == rows_of[partition]));
        group.bench_function(format!("{level}/bytes"), |bencher| {
            bencher.iter(|| stage.bytes(black_box(&bytes), &offsets, &mut rows));
        });
        group.bench_function(format!("{level}/u64s"), |bencher| {
            bencher.iter_custom(probed(&by_u64, level, &keys, placed));
        });
    }
    group.finish();
}

criterion_group!(benches, hash_partition);
criterion_main!(benches);
