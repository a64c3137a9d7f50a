//! Checks that all ways of a case give the same answer, and that of the oracle.

use crate::figures::size;
use crate::model::{Answer, Case};

/// Describes every way that gave a different answer.
pub(crate) fn disagreements(cases: &[Case]) -> Vec<String> {
    cases.iter().flat_map(of).collect()
}

fn of(case: &Case) -> Vec<String> {
    let oracle = case.expected.as_ref().map(|answer| ("the oracle", answer));
    let first = || {
        let way = case.ways.first()?;
        Some((way.name.as_str(), &way.answer))
    };
    let Some((reference, right)) = oracle.or_else(first) else {
        return Vec::new();
    };
    let differing = case.ways.iter().filter(|way| way.answer != *right);
    differing
        .map(|way| {
            format!(
                "{}, {}, {}: {} answered {}; {reference}, {}",
                case.subject.name(),
                case.data,
                size(case.bytes),
                way.name,
                shown(&way.answer),
                shown(right)
            )
        })
        .collect()
}

fn shown(answer: &Answer) -> String {
    let Answer {
        rows,
        groups,
        digest,
    } = answer;
    format!("{rows} rows, {groups} groups, digest {digest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::count;

    #[test]
    fn ways_that_agree_are_not_reported() {
        let mut case = count(1000, 10, &[5]);
        assert_eq!(disagreements(&[case.clone()]), [""; 0]);
        case.expected = Some(case.ways[0].answer.clone());
        assert_eq!(disagreements(&[case]), [""; 0]);
    }

    #[test]
    fn a_way_with_another_answer_is_named() {
        let mut case = count(1000, 10, &[5]);
        case.ways[2].answer.groups += 1;
        let told = disagreements(&[case]);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("count, words, 1000 B: the adapter answered 6 rows, 5 groups"));
        assert!(told[0].contains("; avx2, 1 thread, 6 rows, 4 groups"));
    }

    #[test]
    fn the_oracle_is_the_reference_if_it_was_computed() {
        let mut case = count(1000, 10, &[]);
        case.expected = Some(Answer {
            rows: 7,
            ..case.ways[0].answer.clone()
        });
        assert_eq!(disagreements(&[case]).len(), 2);
    }
}
