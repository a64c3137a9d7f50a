//! Merging operators.

use std::collections::BTreeMap;

use super::*;

#[test]
fn merging_is_associative() {
    let words = words(3, 900);
    let expected = in_order(&count(&words), &Order::Key);
    every_setting(|resources| {
        let make = |part: usize| {
            let mut one = operator(resources);
            one.push(&text_of(&words[part * 300..][..300])).unwrap();
            one
        };
        let (mut left, mut right) = (make(0), make(1));
        left.merge(&mut make(1)).unwrap();
        left.merge(&mut make(2)).unwrap();
        right.merge(&mut make(2)).unwrap();
        let mut first = make(0);
        first.merge(&mut right).unwrap();
        for mut whole in [left, first] {
            assert_eq!(whole.tokens(), 900);
            let rows = drained(
                &mut whole,
                Drain::Values,
                &Order::Key,
                BatchLimits::default(),
            );
            assert!(rows == expected, "{resources:?}");
        }
    });
}

#[test]
fn operators_with_other_settings_are_not_merged_and_stay_unchanged() {
    let mut one = operator(&Resources::default());
    one.push(b"still counts").unwrap();
    let mut other_seed = operator(&Resources {
        seed: 99,
        ..Resources::default()
    });
    let mut lines = TextCount::new(&TokenRule::Lines, &Resources::default()).unwrap();
    for other in [&mut other_seed, &mut lines] {
        other.push(b"one line").unwrap();
        let held = other.tokens();
        assert_eq!(one.merge(other).unwrap_err().kind(), ErrorKind::Config);
        assert_eq!((one.tokens(), other.tokens()), (2, held));
    }
}

#[test]
fn a_merged_operator_is_empty_and_can_count_again() {
    every_setting(|resources| {
        let (mut one, mut other) = (operator(resources), operator(resources));
        let mut expected = BTreeMap::new();
        for round in 0..3 {
            // Once small, once by partition; the merged operator counts on.
            for words in [words(round, 5), words(round, 900)] {
                other.push(&text_of(&words)).unwrap();
                for (key, n) in count(&words) {
                    *expected.entry(key).or_default() += n;
                }
                one.merge(&mut other).unwrap();
                let nothing = (other.tokens(), other.metrics(), other.groups_at_most());
                assert_eq!(nothing, (0, OperatorMetrics::default(), 0));
            }
        }
        let rows = |one: &mut _| drained(one, Drain::Values, &Order::Key, BatchLimits::default());
        assert_eq!(rows(&mut other), []);
        assert!(
            rows(&mut one) == in_order(&expected, &Order::Key),
            "{resources:?}"
        );
    });
}
