//! The answer: one sentence and one figure for this data.

use super::chart::bars::{Bars, Row};
use super::markup::{Markup, escaped};
use crate::crossover::{best_on_cpu, crossover, on_adapter, points};
use crate::figures::{bandwidth, rate, ratio, size};
use crate::model::{Case, Choice, Recommendation, Report, Subject, Way};
use crate::recommend::{best_gpu, largest_count};

/// A figure and what it counts.
struct Figure {
    number: String,
    caption: String,
}

/// Adds the answer of each data set: the caller's own data has the first place.
pub(super) fn add(page: &mut Markup, report: &Report) {
    page.element("h1", "Does a GPU pay for this data?");
    let Some(first) = report.recommendations.first() else {
        page.raw("<div class=\"answer\">");
        page.raw("<p class=\"sentence\">Nothing was counted, so there is no answer.</p></div>");
        return;
    };
    one(page, report, first, 0);
    let others = report.recommendations.get(1..).unwrap_or_default();
    let lines: Vec<String> = others
        .iter()
        .map(|it| format!("{}: {}", it.data, it.text))
        .collect();
    page.list(&lines);
}

fn one(page: &mut Markup, report: &Report, answer: &Recommendation, number: usize) {
    page.paragraph(&about(report, &answer.data));
    page.raw("<div class=\"answer\">");
    let (sentence, rest) = first_sentence(&answer.text);
    page.raw(&format!("<p class=\"sentence\">{}</p>", escaped(sentence)));
    if let Some(largest) = largest_count(report, &answer.data) {
        if let Some(figure) = figure(report, answer.choice, largest) {
            page.raw(&format!("<p class=\"big\">{}</p>", escaped(&figure.number)));
            page.raw(&format!(
                "<p class=\"caption\">{}</p>",
                escaped(&figure.caption)
            ));
        }
        page.chart(Some(rates(report, largest, number).draw()));
    }
    if !rest.is_empty() {
        page.paragraph(rest);
    }
    page.raw("</div>");
}

/// Splits a text behind its first sentence. A full stop in a number or a name does not end one.
fn first_sentence(text: &str) -> (&str, &str) {
    text.split_once(". ").map_or((text, ""), |(first, rest)| {
        (&text[..first.len() + 1], rest.trim_start())
    })
}

fn about(report: &Report, data: &str) -> String {
    let described = report.data.iter().find(|it| it.name == data);
    let what = described.map_or("", |it| &it.description);
    let bytes = described.map_or(0, |it| it.bytes);
    format!(
        "{data}: {what}, {}, tokens by {}",
        size(bytes),
        report.tokens
    )
}

fn figure(report: &Report, choice: Choice, largest: &Case) -> Option<Figure> {
    let best = best_on_cpu(largest)?;
    let at = size(largest.bytes);
    let gpu = best_gpu(report, &largest.data).and_then(|number| {
        Some((
            report.adapter(number)?,
            on_adapter(largest, number)?,
            number,
        ))
    });
    let of_gpu = |one: u64, other: u64, words: &str, name: &str| Figure {
        number: format!("{}×", ratio(one, other)),
        caption: format!("{words} at {at}, end to end: {name} against {}", best.name),
    };
    let cpu = best.end_to_end.median;
    match (choice, gpu) {
        (Choice::None, _) => None,
        (Choice::BySize | Choice::Gpu, Some((gpu, way, number))) => {
            let mut figure = of_gpu(cpu, way.end_to_end.median, "as fast", &gpu.name);
            if let Some(from) = crossover(&points(report, Subject::Count, &largest.data, number)) {
                figure.caption += &format!("; faster from {} on", size(from));
            }
            Some(figure)
        }
        (_, Some((gpu, way, _))) => Some(of_gpu(way.end_to_end.median, cpu, "the time", &gpu.name)),
        (_, None) => Some(Figure {
            number: rate(largest.bytes, cpu),
            caption: format!("counted on the CPU at {at}: {}", best.name),
        }),
    }
}

/// Compares the rates at the largest size with what the memory can do.
fn rates(report: &Report, largest: &Case, number: usize) -> Bars {
    let row = |name: String, colour: usize, bytes_per_second: f64| Row {
        name,
        figure: bandwidth(bytes_per_second as u64),
        parts: vec![(colour, bytes_per_second, bandwidth(bytes_per_second as u64))],
    };
    let of = |way: &Way, colour| {
        let seconds = way.end_to_end.median.max(1) as f64 / 1e9;
        row(way.name.clone(), colour, largest.bytes as f64 / seconds)
    };
    let mut rows = Vec::new();
    let by_one = largest.ways.iter().filter(|way| way.threads == Some(1));
    let one = by_one.min_by_key(|way| way.end_to_end.median);
    let best = best_on_cpu(largest);
    rows.extend(
        one.filter(|it| best.is_some_and(|best| best.name != it.name))
            .map(|it| of(it, 0)),
    );
    rows.extend(best.map(|it| of(it, 0)));
    for adapter in 0..report.adapters.len() as u32 {
        rows.extend(on_adapter(largest, adapter).map(|it| of(it, 1)));
    }
    let read = report.memory_read.all_cores.median;
    if read > 0 {
        let name = format!("reading memory, {} threads", report.memory_read.threads);
        rows.push(row(name, 6, read as f64));
    }
    let words: Vec<String> = rows
        .iter()
        .map(|it| format!("{}: {}", it.name, it.figure))
        .collect();
    Bars {
        id: format!("answer-{number}"),
        title: format!("Word count of {}, end to end", size(largest.bytes)),
        description: words.join("; ") + ".",
        legend: vec![],
        rows,
    }
}
