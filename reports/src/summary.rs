//! The summary of a report: at most ten lines, each a name and a value.

use crate::crossover::best_on_cpu;
use crate::figures::{bandwidth, rate, ratio, size, time};
use crate::model::{Report, Subject};
use crate::recommend::largest_count;

/// Returns the lines of the summary.
pub(crate) fn lines(report: &Report) -> Vec<(&'static str, String)> {
    let mut lines = vec![("answers", answers(report))];
    let data = report.recommendations.first().map(|it| it.data.as_str());
    if let Some(largest) = data.and_then(|data| largest_count(report, data)) {
        if let Some(best) = best_on_cpu(largest) {
            let its = best.end_to_end;
            let text = format!(
                "{}: {} at {} ({}; {} to {} in {} runs)",
                best.name,
                rate(largest.bytes, its.median),
                size(largest.bytes),
                time(its.median),
                time(its.min),
                time(its.max),
                its.runs
            );
            lines.push(("fastest on the CPU", text));
        }
        lines.extend(levels(report, largest));
        lines.extend(adapters(report, largest));
    }
    if let Some(text) = crossover(report) {
        lines.push(("crossover", text));
    }
    let read = &report.memory_read;
    if read.all_cores.median > 0 {
        let (one, all) = (
            bandwidth(read.one_core.median),
            bandwidth(read.all_cores.median),
        );
        lines.push((
            "reading memory",
            format!("{one} with 1 core, {all} with {} threads", read.threads),
        ));
    }
    lines.push(("machine", machine(report)));
    lines.push(("command", report.command.clone()));
    let took = time(report.took_ms.saturating_mul(1_000_000));
    lines.push((
        "measured",
        format!(
            "{}, in {took}, with keymill {}",
            report.started, report.machine.keymill
        ),
    ));
    lines.truncate(10);
    lines
}

fn answers(report: &Report) -> String {
    let all = [&report.cases, &report.resident, &report.variants];
    let cases = all.iter().map(|cases| cases.len()).sum::<usize>();
    let ways: usize = all.into_iter().flatten().map(|case| case.ways.len()).sum();
    let checked = report
        .cases
        .iter()
        .filter(|case| case.expected.is_some())
        .count();
    match report.answers_agree {
        true => format!(
            "the same in all {ways} ways of {cases} cases; {checked} cases compared with the plain oracle"
        ),
        false => "THEY DIFFER: do not rely on any figure".to_owned(),
    }
}

/// What SIMD gains with one thread.
fn levels(report: &Report, largest: &crate::model::Case) -> Option<(&'static str, String)> {
    let (slowest, best) = (
        report.machine.levels.first()?,
        report.machine.levels.last()?,
    );
    let with = |level: &String| {
        let mut ways = largest.ways.iter();
        let way = ways.find(|way| way.threads == Some(1) && way.level.as_ref() == Some(level))?;
        Some(way.end_to_end.median)
    };
    let text = format!(
        "{best} is {} times as fast as {slowest}, with one thread",
        ratio(with(slowest)?, with(best)?)
    );
    (slowest != best).then_some(("SIMD", text))
}

fn adapters(report: &Report, largest: &crate::model::Case) -> Option<(&'static str, String)> {
    let described = report.adapters.iter().zip(0..).map(|(adapter, number)| {
        let way = crate::crossover::on_adapter(largest, number);
        let figure = match (way, &adapter.not_measured) {
            (Some(way), _) => rate(largest.bytes, way.end_to_end.median),
            (None, Some(why)) => format!("not measured: {why}"),
            (None, None) => "not measured at this size".to_owned(),
        };
        format!("{} ({}): {figure}", adapter.name, adapter.label)
    });
    let described: Vec<String> = described.collect();
    Some((
        "adapters",
        match described.is_empty() {
            true => "none was found".to_owned(),
            false => described.join("; "),
        },
    ))
}

fn crossover(report: &Report) -> Option<String> {
    let data = &report.recommendations.first()?.data;
    let of = report
        .crossovers
        .iter()
        .filter(|it| it.subject == Subject::Count && it.data == *data);
    let described = of.map(|it| {
        let name = report
            .adapter(it.adapter)
            .map_or("an adapter", |it| &it.name);
        match it.bytes {
            Some(bytes) => format!("{name} is faster from {} on", size(bytes)),
            None => format!("{name} is slower up to {}", size(it.up_to_bytes)),
        }
    });
    let described: Vec<String> = described.collect();
    (!described.is_empty()).then(|| described.join("; "))
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let processor = machine
        .processor
        .as_deref()
        .unwrap_or("an unknown processor");
    let memory = machine
        .memory_bytes
        .map_or_else(String::new, |it| format!(", {} of memory", size(it)));
    format!(
        "{processor}, {} cores{memory}, {}",
        machine.cores, machine.system
    )
}
