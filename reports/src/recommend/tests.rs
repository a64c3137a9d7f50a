//! Recommendations from invented figures.

use super::*;
use crate::fixtures::{adapter, count, report};
use crate::model::Spread;
use crate::needed;

/// Returns the recommendation for these times of the GPU `Pebble`.
fn with_gpu(cases: &[(u64, u64, u64)]) -> (Report, Recommendation) {
    let mut report = report(vec![adapter("Pebble", false)]);
    let case = |&(bytes, cpu, gpu)| count(bytes, cpu, &[gpu]);
    report.cases = cases.iter().map(case).collect();
    let recommended = only(&report);
    (report, recommended)
}

fn only(report: &Report) -> Recommendation {
    let mut all = recommend(report);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn says(recommended: &Recommendation, words: &[&str]) {
    for word in words {
        let text = &recommended.text;
        assert!(text.contains(word), "no `{word}` in {text:?}");
    }
}

#[test]
fn a_gpu_that_always_wins_is_recommended() {
    let (report, recommended) = with_gpu(&[(1 << 16, 10, 5), (1 << 20, 160, 40)]);
    assert_eq!(recommended.choice, Choice::Gpu);
    says(
        &recommended,
        &["Use Pebble", "64 KiB", "4.00 times as fast"],
    );
    assert_eq!(gpu_lost(&report), [""; 0]);
}

#[test]
fn a_gpu_that_loses_is_not_recommended() {
    let (report, recommended) = with_gpu(&[(1 << 16, 10, 100), (1 << 20, 160, 320)]);
    assert_eq!(recommended.choice, Choice::Cpu);
    says(
        &recommended,
        &[
            "Use the CPU: Pebble",
            "2.00 times as long",
            "kernel alone is 5.00 times",
            "Fastest on the CPU: job, avx2, 2 threads",
            "2.00 times one thread",
        ],
    );
    let lost = gpu_lost(&report);
    assert_eq!(lost.len(), 2);
    assert!(lost[0].contains("count, words, 64 KiB: Pebble takes 10.0 times"));
}

#[test]
fn a_gpu_that_wins_above_a_size_is_recommended_from_there() {
    let (report, recommended) = with_gpu(&[(1000 << 10, 10, 20), (4000 << 10, 40, 20)]);
    assert_eq!(recommended.choice, Choice::BySize);
    says(&recommended, &["Use the CPU below 2 MiB and Pebble"]);
    assert_eq!(gpu_lost(&report).len(), 1);
    assert_eq!(crossover::all(&report)[0].bytes, Some(2000 << 10));
}

#[test]
fn software_is_never_recommended() {
    let mut report = report(vec![adapter("llvmpipe", true)]);
    report.cases = vec![count(1 << 16, 10, &[1]), count(1 << 20, 10, &[100])];
    let recommended = only(&report);
    assert_eq!(recommended.choice, Choice::Cpu);
    says(&recommended, &["no GPU", "llvmpipe is software Vulkan"]);
    assert_eq!(gpu_lost(&report), [""; 0]);
}

#[test]
fn without_an_adapter_the_cpu_is_recommended() {
    let mut report = report(vec![]);
    report.cases = vec![count(1 << 20, 1, &[])];
    report.memory_read.all_cores = Spread::of(vec![10_485_760_000]).unwrap();
    let recommended = only(&report);
    assert_eq!(recommended.choice, Choice::Cpu);
    says(
        &recommended,
        &["no adapter was found", "1.05 GB/s", "10.0 %"],
    );
    assert_eq!(crossover::all(&report), []);
}

#[test]
fn a_gpu_without_figures_is_named_with_the_reason() {
    let mut pebble = adapter("Pebble", false);
    pebble.not_measured = Some("it cannot add".to_owned());
    let mut report = report(vec![pebble]);
    report.cases = vec![count(1 << 20, 10, &[])];
    says(&only(&report), &["Use the CPU", "Pebble", "it cannot add"]);
}

#[test]
fn the_best_of_several_gpus_is_compared() {
    let adapters = [("Slow", false), ("llvmpipe", true), ("Fast", false)];
    let mut report = report(adapters.map(|(name, soft)| adapter(name, soft)).into());
    report.cases = vec![count(1 << 20, 10, &[9, 1, 5])];
    says(&only(&report), &["Use Fast", "2.00 times as fast"]);
}

#[test]
fn runs_that_overlap_are_a_tie() {
    let (_, recommended) = with_gpu(&[(1 << 20, 1000, 990)]);
    says(&recommended, &["treat it as a tie"]);
    let (_, recommended) = with_gpu(&[(1 << 20, 1000, 500)]);
    assert!(!recommended.text.contains("tie"));
}

#[test]
fn nothing_is_recommended_if_answers_disagree() {
    let mut report = report(vec![adapter("Pebble", false)]);
    report.cases = vec![count(1 << 20, 10, &[1])];
    report.answers_agree = false;
    let recommended = only(&report);
    assert_eq!(recommended.choice, Choice::None);
    says(&recommended, &["Do not rely"]);
}

#[test]
fn without_a_gpu_the_text_says_what_one_would_have_to_reach() {
    let mut report = report(vec![]);
    // 2.5 GB/s on the CPU.
    report.cases = vec![count(25_000_000, 10, &[])];
    report.needed = needed::needed(&report);
    says(
        &only(&report),
        &[
            "PCIe 4.0 x16 (25.0 GB/s)",
            "if its kernel counted 2.78 GB/s",
        ],
    );
    // 50 GB/s on the CPU.
    report.cases = vec![count(500_000_000, 10, &[])];
    report.needed = needed::needed(&report);
    says(&only(&report), &["No GPU behind PCIe 4.0 x16"]);
}

#[test]
fn an_empty_file_needs_no_gpu() {
    let mut report = report(vec![]);
    report.data[0].bytes = 0;
    report.data[0].description = EMPTY.to_owned();
    says(&only(&report), &["Use the CPU", "empty"]);
}
