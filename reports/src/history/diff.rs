//! What changed between two reports. A change within the noise is none.

use crate::model::{Case, Change, Report, Since, Spread, Way};

/// Fewer runs do not tell a change from noise.
const LEAST_RUNS: u32 = 4;

/// A smaller change, in thousandths, is noise even if no run of one report is as fast as any run of
/// the other: all runs of a way are made within seconds, but the machine's speed changes over minutes.
const LEAST_CHANGE: u64 = 100;

/// Compares the cases of two reports of one machine.
pub(super) fn since(before: &Report, now: &Report) -> Since {
    let reference = thousandths(now.reference.median, before.reference.median);
    let mut found = Since {
        started: before.started.clone(),
        keymill: before.machine.keymill.clone(),
        reference,
        compared: 0,
        too_few_runs: 0,
        slower: Vec::new(),
        faster: Vec::new(),
    };
    for (case, way, earlier) in pairs(before, now) {
        found.compared += 1;
        let spread = way.end_to_end;
        if spread.runs.min(earlier.runs) < LEAST_RUNS {
            found.too_few_runs += 1;
            continue;
        }
        let expected = scaled(earlier, reference);
        let ratio = thousandths(spread.median, expected.median);
        let change = || change(case, way, earlier, ratio);
        if spread.min > expected.max && ratio >= 1000 + LEAST_CHANGE {
            found.slower.push(change());
        } else if spread.max < expected.min && ratio <= 1_000_000 / (1000 + LEAST_CHANGE) {
            found.faster.push(change());
        }
    }
    found.slower.sort_by_key(|it| std::cmp::Reverse(it.ratio));
    found.faster.sort_by_key(|it| it.ratio);
    found
}

/// Returns the ways that both reports have, each with its earlier times.
fn pairs<'a>(
    before: &'a Report,
    now: &'a Report,
) -> impl Iterator<Item = (&'a Case, &'a Way, Spread)> {
    now.cases.iter().flat_map(move |case| {
        let is_it =
            |it: &&Case| (it.subject, &it.data, it.bytes) == (case.subject, &case.data, case.bytes);
        let earlier = before.cases.iter().find(is_it);
        let ways = case.ways.iter();
        ways.filter_map(move |way| {
            let earlier = earlier?.ways.iter().find(|it| it.name == way.name)?;
            Some((case, way, earlier.end_to_end))
        })
    })
}

fn change(case: &Case, way: &Way, before: Spread, ratio: u64) -> Change {
    Change {
        subject: case.subject,
        data: case.data.clone(),
        bytes: case.bytes,
        way: way.name.clone(),
        before,
        now: way.end_to_end,
        ratio,
    }
}

/// Returns the earlier times as they would be at the machine's speed of now.
fn scaled(spread: Spread, reference: u64) -> Spread {
    let scale = |time: u64| (u128::from(time) * u128::from(reference) / 1000) as u64;
    Spread {
        median: scale(spread.median),
        min: scale(spread.min),
        max: scale(spread.max),
        runs: spread.runs,
    }
}

fn thousandths(one: u64, other: u64) -> u64 {
    // A report without times of the loop counts as one of the same speed.
    match (one, other) {
        (0, _) | (_, 0) => 1000,
        _ => (u128::from(one) * 1000 / u128::from(other)) as u64,
    }
}
