//! Compares keys of every length with a hash map of the standard library.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::stage::tokenize::InputError;

/// Every level with the default sizes and the tiny ones, each also with one hash for all keys.
fn settings() -> Vec<(Level, Tuning)> {
    let tuning = [Tuning::DEFAULT, Tuning::TINY];
    let tuning = tuning.into_iter().flat_map(|l| [l, l.all_colliding()]);
    // The default sizes without collisions, and the tiny ones with them.
    let tuning = tuning.step_by(if cfg!(miri) { 3 } else { 1 });
    let on_levels = |tuning| {
        Level::available()
            .into_iter()
            .map(move |level| (level, tuning))
    };
    tuning.flat_map(on_levels).collect()
}

/// Keys of every class and length, with NULs, each one several times.
fn keys() -> Vec<Vec<u8>> {
    let length = if cfg!(miri) { 10 } else { 40 };
    let texts = (0..length).flat_map(|length| {
        let text = |byte: u8| (0..length as u8).map(|i| byte ^ i).collect::<Vec<u8>>();
        [text(b'a'), text(b'k'), text(0)]
    });
    let numbers = (0..if cfg!(miri) { 30u32 } else { 3000 }).map(|i| format!("{i}").into_bytes());
    let once: Vec<Vec<u8>> = texts.chain(numbers).collect();
    let again = once.iter().step_by(3).cloned();
    once.iter()
        .cloned()
        .chain(again)
        .chain(once.iter().rev().cloned())
        .collect()
}

#[test]
fn ids_are_dense_and_in_order_of_first_arrival() {
    let keys = keys();
    let mut expected: HashMap<&[u8], u32> = HashMap::new();
    let text = keys.concat();
    let ends = keys.iter().scan(0, |end, key| {
        *end += key.len() as u32;
        Some(*end)
    });
    let offsets: Vec<u32> = core::iter::once(0).chain(ends).collect();
    for (level, tuning) in settings() {
        let mut table = KeyTable::new(&tuning, HashKey::from_seed(3)).on(level);
        for _ in 0..2 {
            let mut ids = Vec::new();
            let records = Records::from_u32(&offsets).unwrap();
            table.intern(&text, records, &mut ids).unwrap();
            expected.clear();
            for (key, id) in keys.iter().zip(ids) {
                let fresh = expected.len() as u32;
                assert_eq!(id, *expected.entry(key).or_insert(fresh));
                assert_eq!(table.emit(id), &key[..]);
                assert_eq!(table.intern_one(key), Ok(id));
            }
            assert_eq!(table.size(), expected.len());
            let spans: Vec<Span> = offsets
                .windows(2)
                .map(|ends| Span {
                    start: ends[0],
                    end: ends[1],
                })
                .rev()
                .collect();
            let mut again = Vec::new();
            table.intern_spans(&text, &spans, &mut again).unwrap();
            for (key, id) in keys.iter().rev().zip(again) {
                assert_eq!(id, expected[&key[..]]);
            }
            let (bytes, ends) = table.emit_all();
            assert_eq!(
                (bytes.len(), ends.len()),
                (*ends.last().unwrap(), table.size())
            );
            table.clear();
            assert_eq!(table.size(), 0);
        }
    }
}

#[test]
fn new_keys_are_checked_before_any_is_added() {
    let keys = keys();
    let text = keys.concat();
    let ends = keys.iter().scan(0, |end, key| {
        let start = *end;
        *end += key.len() as u32;
        Some(Span { start, end: *end })
    });
    let spans: Vec<Span> = ends.collect();
    let (known, refused) = (&spans[..spans.len() / 5], b"2999");
    let refused: &[u8] = if cfg!(miri) { b"29" } else { refused };
    for (level, tuning) in settings() {
        let mut table = KeyTable::new(&tuning, HashKey::from_seed(3)).on(level);
        table.intern_spans(&text, known, &mut Vec::new()).unwrap();
        let (size, mut ids) = (table.size(), vec![7]);
        assert!(table.get(refused).is_none());
        let taken = table.intern_spans_if(&text, &spans, &mut ids, |key| key != refused);
        assert_eq!((taken, table.size(), &ids[..]), (Ok(false), size, &[7][..]));
        let is_known = |key: &[u8]| known.iter().any(|span| span.of(&text) == key);
        let taken = table.intern_spans_if(&text, known, &mut ids, |_| false);
        assert_eq!((taken, table.size()), (Ok(true), size));
        let taken = table.intern_spans_if(&text, &spans, &mut ids, |key| !is_known(key));
        assert_eq!(taken, Ok(true));
        let expected = known
            .iter()
            .chain(&spans)
            .map(|span| table.get(span.of(&text)));
        assert!(expected.eq(ids[1..].iter().map(|&id| Some(id))));
    }
}

#[test]
fn records_beyond_the_text_change_nothing() {
    let mut table = KeyTable::new(&Tuning::TINY, HashKey::from_seed(3));
    let mut ids = Vec::new();
    let beyond = table.intern(b"abc", Records::from_u32(&[0, 2, 9]).unwrap(), &mut ids);
    assert!(beyond.is_err() && ids.is_empty() && table.size() == 0);
    for (start, end) in [(0, 4), (4, 4), (2, 1), (u32::MAX, u32::MAX)] {
        let spans = [Span { start: 0, end: 2 }, Span { start, end }];
        let beyond = table.intern_spans(b"abc", &spans, &mut ids);
        let error = InputError::SpanBeyondText { span: 1, bytes: 3 };
        let refused = table.intern_spans_if(b"abc", &spans, &mut ids, |_| true);
        assert_eq!(refused, Err(error.clone().into()), "{start}..{end}");
        assert_eq!(beyond, Err(error.into()), "{start}..{end}");
        assert!(ids.is_empty() && table.size() == 0);
    }
}

/// Keys whose lengths and last bytes are edge cases of the form of words.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = || prop_oneof![Just(0u8), 0..18u8, any::<u8>()];
    let some = |length: core::ops::Range<usize>| proptest::collection::vec(byte(), length);
    prop_oneof![some(0..4), some(14..19), some(0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 40 }))]

    #[test]
    fn bytes_of_every_kind_are_distinguished(
        keys in proptest::collection::vec(key(), 0..if cfg!(miri) { 8 } else { 300 }),
        repeat in any::<bool>(),
    ) {
        let mut keys = keys;
        if repeat {
            keys.extend(keys.clone());
        }
        let text = keys.concat();
        let ends = keys.iter().scan(0, |end, key| {
            *end += key.len() as i64;
            Some(*end)
        });
        let offsets: Vec<i64> = core::iter::once(0).chain(ends).collect();
        let mut seen: HashMap<&[u8], u32> = HashMap::new();
        let mut arrivals: Vec<&[u8]> = Vec::new();
        let mut expected = Vec::new();
        for key in &keys {
            expected.push(*seen.entry(key).or_insert_with(|| {
                arrivals.push(key);
                arrivals.len() as u32 - 1
            }));
        }
        let arrived = arrivals.concat();
        for (level, tuning) in settings() {
            let new = || KeyTable::new(&tuning, HashKey::from_seed(3)).on(level);
            let (mut whole, mut loose) = (new(), new());
            let (mut ids, mut loose_ids) = (vec![], vec![]);
            whole.reserve(keys.len()).unwrap();
            whole.intern(&text, Records::from_i64(&offsets).unwrap(), &mut ids).unwrap();
            loose.intern_with(keys.len(), |row| &keys[row], &mut loose_ids).unwrap();
            prop_assert_eq!(&ids, &expected);
            prop_assert_eq!(&loose_ids, &expected);
            for key in &keys {
                prop_assert_eq!(loose.get(key), seen.get(&key[..]).copied());
                let longer = [&key[..], b"\0"].concat();
                prop_assert_eq!(loose.get(&longer), seen.get(&longer[..]).copied());
            }
            let (bytes, offsets) = whole.columns();
            prop_assert_eq!(bytes, &arrived[..]);
            prop_assert_eq!(offsets.len(), arrivals.len() + 1);
            for (ends, key) in offsets.windows(2).zip(&arrivals) {
                prop_assert_eq!(&bytes[ends[0]..ends[1]], *key);
            }
        }
    }
}

#[test]
fn both_ways_to_read_words_give_the_same() {
    for length in 0..=17usize {
        for last in [0, 15, 16, 255] {
            let mut bytes = *b"abcdefghijklmnopqrst";
            bytes[length.max(1) - 1] = last;
            let read: &[u8; 16] = bytes.first_chunk().unwrap();
            assert_eq!(
                words_in(read, length),
                words_of(&bytes[..length]),
                "{length}, {last}"
            );
        }
    }
    // The last byte could be the length of a shorter key.
    for last in 0..16 {
        let mut bytes = [0; 16];
        bytes[15] = last;
        assert_eq!(words_of(&bytes), LONG);
        assert_ne!(words_of(&bytes[..usize::from(last)]), LONG);
    }
}

#[test]
fn one_key_more_than_ids_is_an_error() {
    let mut table = KeyTable::new(&Tuning::TINY, HashKey::from_seed(3));
    table.most = 2;
    let long = [b'x'; 40];
    let keys: [&[u8]; 4] = [b"one", &long, b"one", &long];
    let mut ids = vec![];
    table.intern_with(4, |row| keys[row], &mut ids).unwrap();
    assert_eq!(ids, [0, 1, 0, 1]);
    for key in [&b"two"[..], &[b'y'; 40]] {
        let full = Err(InternError::TooManyKeys { most: 2 });
        assert_eq!(table.intern_with(1, |_| key, &mut ids), full);
        assert_eq!((ids.len(), table.size()), (4, 2));
    }
    assert_eq!(table.intern_one(&long), Ok(1));
}
