//! Pages of reports with invented figures.

use super::*;
use crate::crossover;
use crate::fixtures::{adapter, count, report};
use crate::recommend;

fn page(mut report: Report) -> String {
    report.crossovers = crossover::all(&report);
    report.gpu_lost = recommend::gpu_lost(&report);
    report.recommendations = recommend::recommend(&report);
    to_markdown(&report)
}

#[test]
fn the_page_shows_parts_crossover_and_losses_of_a_gpu() {
    let mut report = report(vec![adapter("Pebble", false), adapter("llvmpipe", true)]);
    let small = count(1000 << 10, 10, &[20, 100]);
    report.cases = vec![small, count(4000 << 10, 40, &[20, 400])];
    let page = page(report);
    for expected in [
        "| kernel | upload | readback | launch |",
        "| count | words | Pebble (GPU) | 2 MiB |",
        "| count | words | llvmpipe (*software Vulkan*) | none up to 3.9 MiB |",
        "- count, words, 1000 KiB: Pebble takes 2.00 times as long as the CPU",
        "| 3.9 MiB | the adapter | 20.0 ms | 19.6 ms | 20.4 ms | 3 | 0.20 GB/s | 0.50 | 2.00 ms |",
        "**words**: Use the CPU below 2 MiB and Pebble from there on",
    ] {
        assert!(page.contains(expected), "no {expected:?} in\n{page}");
    }
    let answer = page.find("**words**: Use").unwrap();
    assert!(answer < page.find("\n## In short").unwrap());
    assert!(answer < page.find("\n## ").unwrap());
}

#[test]
fn without_adapters_there_are_no_empty_columns() {
    let mut report = report(vec![]);
    report.cases = vec![count(1 << 20, 10, &[])];
    let page = page(report);
    assert!(!page.contains("readback"), "{page}");
    assert!(page.contains("None was found."));
    assert!(page.contains("No GPU was measured."));
}

#[test]
fn the_page_shows_disagreements_and_failures() {
    let mut report = report(vec![]);
    report.answers_agree = false;
    report.disagreements = vec!["one and one is three".to_owned()];
    report.failures.push(crate::model::Failure {
        what: "adding".to_owned(),
        error: "no fingers".to_owned(),
        adapter: None,
    });
    let page = page(report);
    assert!(page.contains("**Answers disagree.**\n\n- one and one is three"));
    assert!(page.contains("- adding: no fingers"));
}

#[test]
fn markdown_in_names_is_escaped() {
    let mut report = report(vec![adapter("Pebble", false)]);
    report.command = "keymill compare --data 'a``b\n## c'".to_owned();
    report.data[0].name = "a`b*\n## c<d>".to_owned();
    let mut case = count(1 << 20, 10, &[5]);
    case.data.clone_from(&report.data[0].name);
    report.cases = vec![case];
    let page = page(report);
    for line in [
        "- command: ``` keymill compare --data 'a``b ## c' ```\n",
        "- data `` a`b* ## c<d> ``: ",
        "\n## count (the word count): a\\`b\\* ## c\\<d>\n",
        "\n**a\\`b\\* ## c\\<d>**: ",
        "| count | a\\`b\\* ## c\\<d> |",
    ] {
        assert!(page.contains(line), "no {line:?} in\n{page}");
    }
    assert!(!page.contains("\n## c<"), "{page}");
}

#[test]
fn a_bar_in_a_name_is_escaped() {
    let mut report = report(vec![adapter("a|b", false)]);
    report.cases = vec![count(1 << 20, 10, &[5])];
    assert!(page(report).contains(r"a\|b (GPU)"));
}
