//! Tests of every stage at every level against its oracle.

use super::*;

/// Returns text of a few chunks and rows of a few keys. `last` is the last word and the last value.
fn data(last: i64) -> [Resident; 3] {
    let words: String = (0..60_000)
        .map(|word| format!("W{} \u{e9}t\u{c9}\n", word % 97))
        .collect();
    let keys: Vec<u64> = (0..5000).map(|row| row % 97).collect();
    let values: Vec<i64> = (0..4999).chain([last]).collect();
    let texts = keys
        .iter()
        .map(|key| format!("{key}-\0-").repeat(*key as usize));
    [
        Resident::text(format!("{words} {last}")),
        Resident::rows(&keys[..], &values[..]).unwrap(),
        Resident::keyed(texts, values).unwrap(),
    ]
}

/// Returns every stage and the index of its data.
fn stages() -> [(Stage, usize); 8] {
    [
        (Stage::Frame, 0),
        (Stage::Lowercase, 0),
        (Stage::Tokenize(TokenRule::Whitespace), 0),
        (Stage::Tokenize(TokenRule::Split(b"W".as_slice().into())), 0),
        (Stage::Count(TokenRule::Words), 0),
        (Stage::ReduceByKey, 1),
        (Stage::ReduceByKey, 2),
        (Stage::HashPartition(16), 1),
    ]
}

#[test]
fn every_level_agrees_with_the_oracle() {
    let data = data(7);
    for (stage, kind) in stages() {
        let expected = expected(&stage, &data[kind]).unwrap();
        assert!(expected.rows >= 5000 && expected.digest > 0, "{stage:?}");
        for level in Level::available() {
            let probed = run(&stage, level, &data[kind], 2).unwrap();
            assert_eq!(probed.answer, expected, "{stage:?} {level}");
            assert_eq!(probed.times.len(), 2);
            assert!(probed.kernel_time() > Duration::ZERO);
        }
    }
}

#[test]
fn any_number_of_threads_agrees_with_the_oracle() {
    let data = data(7);
    for (stage, kind) in stages() {
        let is_shared = !matches!(stage, Stage::Lowercase | Stage::Count(_));
        let expected = expected(&stage, &data[kind]).unwrap();
        for threads in [1, 2, 3, 8] {
            for level in Level::available() {
                let probed = run_on_threads(&stage, level, &data[kind], threads, 2);
                assert_eq!(probed.is_ok(), is_shared, "{stage:?}");
                let Ok(probed) = probed else { continue };
                assert_eq!(probed.answer, expected, "{stage:?} {level} {threads}");
                assert!(probed.times.len() == 2 && probed.kernel_time() > Duration::ZERO);
            }
        }
    }
    // Fewer rows than threads, and no rows.
    for rows in [0, 1, 3] {
        let rows = Resident::rows(vec![5; rows], vec![7; rows]).unwrap();
        for stage in [Stage::ReduceByKey, Stage::HashPartition(4)] {
            let probed = run_on_threads(&stage, Level::best(), &rows, 4, 0).unwrap();
            assert_eq!(probed.answer, expected(&stage, &rows).unwrap());
        }
    }
    let none = run_on_threads(&Stage::Frame, Level::best(), &data[0], 0, 1).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Config);
}

#[test]
fn narrow_keys_are_partitioned_everywhere() {
    let keys = Resident::keys((0..5000).map(|row| row * 77).collect::<Vec<u32>>());
    let stage = Stage::HashPartition(256);
    let answer = expected(&stage, &keys).unwrap();
    assert_eq!((answer.rows, keys.bytes_for(&stage)), (5000, 20_000));
    for level in Level::available() {
        assert_eq!(run(&stage, level, &keys, 0).unwrap().answer, answer);
        let shared = run_on_threads(&stage, level, &keys, 3, 0).unwrap();
        assert_eq!(shared.answer, answer);
    }
    for info in adapters().iter().filter(|info| info.refused.is_none()) {
        let adapter = Adapter::open(info).unwrap();
        assert_eq!(adapter.run(&stage, &keys, 1).unwrap().answer, answer);
    }
    assert!(expected(&Stage::ReduceByKey, &keys).is_err());
    assert!(run(&Stage::ReduceByKey, Level::best(), &keys, 0).is_err());
}

/// Returns the stages that adapters run, and the index of their data.
fn stages_on_adapters() -> [(Stage, usize); 9] {
    [
        (Stage::Frame, 0),
        (Stage::Tokenize(TokenRule::Lines), 0),
        (Stage::Tokenize(TokenRule::Split(b"W".as_slice().into())), 0),
        (Stage::HashPartition(16), 1),
        (Stage::HashPartition(1000), 1),
        (Stage::ReduceByKey, 1),
        (Stage::ReduceByKey, 2),
        (Stage::Tokenize(TokenRule::Whitespace), 0),
        (Stage::Count(TokenRule::Whitespace), 0),
    ]
}

#[test]
fn every_adapter_agrees_with_the_oracle() {
    let data = data(7);
    for info in adapters().iter().filter(|info| info.refused.is_none()) {
        let adapter = Adapter::open(info).unwrap();
        for (stage, kind) in stages_on_adapters() {
            let expected = expected(&stage, &data[kind]).unwrap();
            let probed = adapter.run(&stage, &data[kind], 2).unwrap();
            assert_eq!(probed.answer, expected, "{stage:?} {}", info.name);
            assert!(probed.times.iter().all(|times| {
                times.kernel > Duration::ZERO
                    && times.kernel <= times.whole
                    && times.upload > Duration::ZERO
                    && times.readback > Duration::ZERO
            }));
        }
        for (stage, kind) in stages_on_adapters() {
            // Chunks of a few kilobytes, and one chunk for the whole text.
            for chunk_bytes in [5000, usize::MAX] {
                let probed = adapter.run_in_chunks(&stage, &data[kind], chunk_bytes, 0);
                assert_eq!(
                    probed.unwrap().answer,
                    expected(&stage, &data[kind]).unwrap()
                );
            }
        }
        let error = adapter.run(&Stage::Lowercase, &data[0], 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let limits = adapter.limits().unwrap();
        assert!(limits.upload_bytes_per_second > 0.0 && limits.launch > Duration::ZERO);
        assert!(limits.pinned_bytes_per_second > 0.0);
    }
}

#[test]
fn every_shader_variant_agrees_with_the_oracle() {
    let data = data(7);
    for info in adapters().iter().filter(|info| info.refused.is_none()) {
        let variants = info.variants();
        assert!(variants[0] == ShaderVariant::BASE && variants.contains(&info.shaders));
        // The tests of the shaders cover all variants.
        for variant in [variants[0], variants[variants.len() - 1]] {
            let adapter = Adapter::open_with(info, variant).unwrap();
            for (stage, kind) in stages_on_adapters() {
                let expected = expected(&stage, &data[kind]).unwrap();
                let probed = adapter.run(&stage, &data[kind], 0).unwrap();
                assert_eq!(probed.answer, expected, "{stage:?} {} {variant}", info.name);
            }
        }
    }
}

#[test]
fn different_inputs_have_different_digests() {
    let (one, other) = (data(7), data(123));
    for (stage, kind) in stages() {
        let answers = [&one, &other].map(|data| expected(&stage, &data[kind]).unwrap());
        // Partitions depend only on the keys, which are the same.
        let differs = stage != Stage::HashPartition(16);
        assert_eq!(answers[0] != answers[1], differs, "{stage:?}");
    }
    let moved = |keys: [u64; 3]| {
        let rows = Resident::rows(keys, [0; 3]).unwrap();
        expected(&Stage::HashPartition(16), &rows).unwrap()
    };
    assert_ne!(moved([1, 2, 3]), moved([3, 2, 1]));
}

#[test]
fn data_of_the_wrong_kind_is_refused() {
    let text = Resident::text("to be");
    let rows = Resident::rows([1], [1]).unwrap();
    let keyed = Resident::keyed(["a"], [1]).unwrap();
    for (stage, data) in [
        (&Stage::ReduceByKey, &text),
        (&Stage::Tokenize(TokenRule::Lines), &rows),
        (&Stage::HashPartition(0), &rows),
        (&Stage::HashPartition(16), &keyed),
    ] {
        for error in [
            run(stage, Level::Scalar, data, 1).unwrap_err(),
            expected(stage, data).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }
    assert!(Resident::rows([1, 2], [1]).is_err());
    assert!(Resident::keyed(["a", "b"], [1]).is_err());
}
