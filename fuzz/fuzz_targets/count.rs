//! The fused count of texts, records and absorbed groups has the same counts as the oracle.
#![no_main]

use arbitrary::Arbitrary;
use keymill_fuzz::{AnyRule, Counts, add, counts_of, each_setting, is_comparable, offsets, summed};
use keymill_kernels::stage::count::Counter;
use keymill_kernels::stage::tokenize::Records;
use keymill_kernels::{KeyCounts, PackedShort, oracle};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Job<'a> {
    rule: AnyRule,
    seed: u64,
    partitions: u8,
    cuts: Vec<u16>,
    first: &'a [u8],
    second: &'a [u8],
}

fuzz_target!(|job: Job| {
    let rule = &job.rule.0;
    if !(is_comparable(job.first) && is_comparable(job.second)) {
        return;
    }
    let offsets = offsets(&job.cuts, job.second);
    let cells = offsets
        .windows(2)
        .map(|ends| &job.second[ends[0] as usize..ends[1] as usize]);
    let mut expected = Counts::new();
    let mut rejected = 0;
    for text in cells.chain([job.first]) {
        add(&mut expected, oracle::count(rule, text));
        rejected += oracle::rejected(rule, text);
    }

    each_setting(|level, tuning| {
        let mut counter = Counter::new(level, rule, tuning, job.seed);
        let push = |counter: &mut Counter| {
            counter.push(job.first);
            let records = Records::from_u32(&offsets).expect("the offsets ascend");
            counter
                .push_records(job.second, records)
                .expect("records of the text");
        };

        push(&mut counter);
        assert_eq!(
            counter.tokens(),
            expected.values().sum::<u64>(),
            "{level} {tuning:?}"
        );
        assert_eq!(counter.rejected(), rejected, "{level} {tuning:?}");
        let mut groups = KeyCounts::default();
        counter.drain_into(&mut groups);
        assert_eq!(counts_of(&groups), expected, "{level} {tuning:?}");
        assert!(counter.is_empty());

        // The same counter once more, through partitions.
        push(&mut counter);
        let mut partitions = vec![KeyCounts::default(); usize::from(job.partitions % 4 + 1)];
        counter.flush(&mut partitions);
        assert!(counter.is_empty());
        assert_eq!(summed(&partitions), expected, "{level} {tuning:?}");
        partitions
            .iter()
            .for_each(|partition| counter.absorb(partition));
        groups.clear();
        counter.drain_into(&mut groups);
        assert_eq!(counts_of(&groups), expected, "{level} {tuning:?}");

        // And once more; keys that occur once stay in the packed lists.
        let mut packed_short = PackedShort::default();
        partitions
            .iter_mut()
            .for_each(|partition| counter.absorb_part(partition, &mut packed_short));
        counter.settle(&mut packed_short, usize::from(job.seed as u16));
        groups.clear();
        counter.drain_into(&mut groups);
        groups.packed_short = packed_short;
        assert_eq!(counts_of(&groups), expected, "{level} {tuning:?}");
    });
});
