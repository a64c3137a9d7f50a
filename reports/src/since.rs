//! The comparison with an earlier report, in words.

use crate::figures::{ratio, size, time};
use crate::model::{Change, Since};

pub(crate) const TITLE: &str = "What changed since the last run";

pub(crate) const HEADINGS: [&str; 6] = [
    "work",
    "size",
    "way",
    "before",
    "now",
    "time ÷ before, without the machine’s change",
];

/// Describes the comparison.
pub(crate) fn sentence(since: &Since) -> String {
    let Since {
        started,
        keymill,
        reference,
        compared,
        too_few_runs,
        slower,
        faster,
    } = since;
    let noise = compared.saturating_sub((slower.len() + faster.len()) as u32 + too_few_runs);
    format!(
        "Compared with the run of {started} with keymill {keymill}: of {compared} figures, {} are slower, {} are \
         faster, {noise} differ by noise at most, and {too_few_runs} have too few runs to tell. A figure \
         counts as changed if all of its runs lie outside the range of the earlier runs and the medians \
         differ by 10 % or more. All earlier times are first multiplied by {}, which is how a fixed loop on one core changed: so a \
         slower machine is not taken for a slower program.",
        slower.len(),
        faster.len(),
        ratio(*reference, 1000)
    )
}

/// Returns the cells of a change.
pub(crate) fn row(it: &Change) -> Vec<String> {
    vec![
        format!("{}, {}", it.subject.name(), it.data),
        size(it.bytes),
        it.way.clone(),
        time(it.before.median),
        time(it.now.median),
        ratio(it.ratio, 1000),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_figures_are_accounted_for() {
        let since = Since {
            started: "2026-01-01T00:00:00Z".to_owned(),
            keymill: "0.1.0".to_owned(),
            reference: 1250,
            compared: 9,
            too_few_runs: 2,
            slower: vec![],
            faster: vec![],
        };
        let text = sentence(&since);
        assert!(
            text.contains("of 9 figures, 0 are slower, 0 are faster, 7 differ by noise"),
            "{text}"
        );
        assert!(text.contains("multiplied by 1.25"), "{text}");
    }
}
