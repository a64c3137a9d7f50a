use super::*;
use crate::fixtures::{adapter, count, limits, report};
use crate::model::Latency;
use crate::{crossover, needed, recommend};

/// A report with two sizes and, on request, adapters that win at the larger one.
fn measured(adapters: &[(&str, bool)]) -> Report {
    let mut report = report(
        adapters
            .iter()
            .map(|(name, soft)| adapter(name, *soft))
            .collect(),
    );
    for one in &mut report.adapters {
        one.limits = Some(limits(25_000_000_000));
    }
    let small: Vec<u64> = adapters.iter().map(|_| 9).collect();
    let large: Vec<u64> = adapters.iter().map(|_| 20).collect();
    report.machine.levels = vec!["scalar".to_owned(), "avx2".to_owned()];
    report.cases = vec![count(1 << 16, 3, &small), count(1 << 24, 60, &large)];
    report.crossovers = crossover::all(&report);
    report.needed = needed::needed(&report);
    report.recommendations = recommend::recommend(&report);
    report.latency = vec![Latency {
        way: "job, avx2, 2 threads".to_owned(),
        adapter: None,
        data: "words".to_owned(),
        bytes: 1 << 16,
        p50: 100_000,
        p90: 150_000,
        p99: 400_000,
        max: 900_000,
        runs: 1000,
    }];
    report
}

/// The page as XML.
fn parsed(page: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    roxmltree::Document::parse_with_options(page, options)
        .unwrap_or_else(|error| panic!("{error}\n{page}"))
}

#[test]
fn pages_are_well_formed_whatever_was_measured() {
    let mut hostile = measured(&[("<script>&\"'", false)]);
    hostile.data[0].name = "a\u{1b}[31m<b>&amp;]]>\u{ffff}\n-->".to_owned();
    for case in &mut hostile.cases {
        case.data.clone_from(&hostile.data[0].name);
    }
    hostile.recommendations = recommend::recommend(&hostile);
    let mut empty = measured(&[]);
    for case in &mut empty.cases {
        case.bytes = 0;
        for way in &mut case.ways {
            way.end_to_end = crate::model::Spread::default();
        }
    }
    for one in [
        Report::default(),
        report(vec![]),
        measured(&[]),
        measured(&[("Pebble", false)]),
        measured(&[("llvmpipe", true)]),
        measured(&[("Pebble", false), ("llvmpipe", true)]),
        hostile,
        empty,
    ] {
        let page = to_html(&one);
        let document = parsed(&page);
        assert!(!page.contains("<script") && !page.contains("NaN") && !page.contains("inf%"));
        check_names(&document);
        for (name, file) in to_charts(&one) {
            assert!(page.contains(&format!("id=\"{name}-t\"")), "{name}");
            roxmltree::Document::parse(&file).unwrap();
        }
    }
}

/// Every chart has a name and a description, and no two elements have the same id.
fn check_names(document: &roxmltree::Document<'_>) {
    let mut ids = std::collections::HashSet::new();
    for id in document.descendants().filter_map(|it| it.attribute("id")) {
        assert!(ids.insert(id), "{id} twice");
    }
    let named = |name| {
        document
            .descendants()
            .filter(move |it| it.has_tag_name(name))
    };
    for svg in named("svg").filter(|it| it.attribute("aria-hidden") != Some("true")) {
        assert_eq!(svg.attribute("role"), Some("img"));
        for id in svg.attribute("aria-labelledby").unwrap().split(' ') {
            let words = svg
                .children()
                .find(|it| it.attribute("id") == Some(id))
                .unwrap();
            assert!(!words.text().unwrap_or_default().is_empty(), "{id}");
        }
    }
    for link in named("a") {
        let target = link.attribute("href").unwrap().strip_prefix('#').unwrap();
        assert!(ids.contains(target), "{target}");
    }
    for table in named("table") {
        assert!(table.children().any(|it| it.has_tag_name("caption")));
    }
}

#[test]
fn the_answer_comes_first_and_the_crossover_is_marked() {
    let page = to_html(&measured(&[("Pebble", false)]));
    let place = |text: &str| {
        page.find(text)
            .unwrap_or_else(|| panic!("{text} in {page}"))
    };
    let answer = place("Use the CPU below ");
    let figure = place("<p class=\"big\">3.00×</p>");
    assert!(answer < figure && figure < place("id=\"summary\"") && answer < place("<main>"));
    assert!(place("class=\"guide\"") > place("id=\"sizes-0-t\""));
    assert!(page.contains("Pebble from "), "the guide of the crossover");
    assert!(page.contains("upload") && page.contains("work of the host"));
}

#[test]
fn without_an_adapter_the_figure_is_the_rate_of_the_cpu() {
    let page = to_html(&measured(&[]));
    assert!(page.contains("Use the CPU: no adapter was found"), "{page}");
    assert!(page.contains("<p class=\"big\">0.28 GB/s</p>"), "{page}");
    assert!(!page.contains("id=\"parts\""));
    assert!(
        page.contains("<td>PCIe 4.0 x16</td><td>25.0 GB/s</td><td>0.28 GB/s</td>"),
        "{page}"
    );
    assert!(page.contains("<title>job, avx2, 2 threads: 90 % of the runs within 150 µs</title>"));
}

#[test]
fn the_page_needs_no_network_and_is_small() {
    let page = to_html(&measured(&[("Pebble", false)]));
    for outside in ["http:", "https:", "url(", "@import", "src=", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.len() < 100_000, "{}", page.len());
}

/// Relative luminance by WCAG 2.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

/// The variables of a theme: `--ink: #16202c`.
fn theme(css: &str) -> std::collections::HashMap<&str, &str> {
    let variables = css
        .split(';')
        .filter_map(|one| one.trim().strip_prefix("--"));
    variables.filter_map(|one| one.split_once(": #")).collect()
}

#[test]
fn text_and_lines_have_contrast_in_each_theme() {
    let themes: Vec<&str> = style()
        .split(":root {")
        .skip(1)
        .map(|it| it.split('}').next().unwrap())
        .collect();
    assert_eq!(themes.len(), 3, "light, dark, print");
    for colours in themes.into_iter().map(theme) {
        let contrast = |one: &str, other: &str| {
            let (one, other) = (luminance(colours[one]), luminance(colours[other]));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for (text, paper) in [
            ("ink", "paper"),
            ("soft", "paper"),
            ("ink", "card"),
            ("soft", "card"),
            ("warn", "warn-paper"),
            ("link", "paper"),
        ] {
            assert!(
                contrast(text, paper) >= 4.5,
                "{text} on {paper}: {}",
                contrast(text, paper)
            );
        }
        for colour in 0..8 {
            let colour = format!("c{colour}");
            assert!(
                contrast(&colour, "paper") >= 3.0 && contrast(&colour, "card") >= 3.0,
                "{colour}"
            );
        }
    }
}
