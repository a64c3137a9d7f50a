//! Reports with invented figures, for tests of the conclusions.

use crate::model::{
    Adapter, AdapterLimits, Answer, Case, Data, FORMAT, Kind, Part, Report, Spread, Subject,
    VERSION, Way,
};

/// Returns a report on one text, `words`, without figures.
pub(crate) fn report(adapters: Vec<Adapter>) -> Report {
    Report {
        format: FORMAT.to_owned(),
        version: VERSION,
        command: "keymill compare".to_owned(),
        plan: "quick".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        took_ms: 1,
        adapters,
        tokens: "whitespace".to_owned(),
        data: vec![Data {
            name: "words".to_owned(),
            kind: Kind::Text,
            description: String::new(),
            is_given: true,
            bytes: 1 << 20,
        }],
        answers_agree: true,
        ..Report::default()
    }
}

/// Returns an adapter that passed its self-test.
pub(crate) fn adapter(name: &str, is_software: bool) -> Adapter {
    Adapter {
        name: name.to_owned(),
        label: match is_software {
            true => "software Vulkan".to_owned(),
            false => "GPU".to_owned(),
        },
        is_software,
        interface: "vulkan".to_owned(),
        driver: "invented".to_owned(),
        binding_bytes: 1 << 27,
        not_measured: None,
        limits: None,
    }
}

/// Returns the limits of an adapter with a rate of pinned uploads.
pub(crate) fn limits(pinned: u64) -> AdapterLimits {
    let spread = |figure| Spread::of(vec![figure]).unwrap_or_default();
    AdapterLimits {
        upload: spread(pinned / 2),
        pinned: spread(pinned),
        readback: spread(pinned / 4),
        launch_ns: spread(20_000),
    }
}

/// Returns the case of a word count of one size, with the times of the CPU and of each adapter in
/// milliseconds.
pub(crate) fn count(bytes: u64, cpu: u64, adapters: &[u64]) -> Case {
    let mut ways = vec![
        way("avx2, 1 thread", None, 2 * cpu),
        way("job, avx2, 2 threads", None, cpu),
    ];
    ways[0].threads = Some(1);
    let numbered = (0..).zip(adapters);
    ways.extend(numbered.map(|(number, &time)| way("the adapter", Some(number), time)));
    Case {
        subject: Subject::Count,
        data: "words".to_owned(),
        bytes,
        expected: None,
        ways,
    }
}

fn way(name: &str, adapter: Option<u32>, milliseconds: u64) -> Way {
    let spread = |time| Spread::of(vec![time - time / 50, time, time + time / 50]);
    let time = milliseconds * 1_000_000;
    let part_of_it = |share: u64| adapter.and_then(|_| spread(time / share));
    Way {
        name: name.to_owned(),
        part: Part::Stage,
        level: adapter.is_none().then(|| "avx2".to_owned()),
        threads: adapter.is_none().then_some(2),
        adapter,
        end_to_end: spread(time).unwrap_or_default(),
        kernel: part_of_it(10),
        upload: part_of_it(2),
        readback: part_of_it(4),
        launch: part_of_it(100),
        answer: Answer {
            rows: 6,
            groups: 4,
            digest: "0000000000000001".to_owned(),
        },
    }
}
