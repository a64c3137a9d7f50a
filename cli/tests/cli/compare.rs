//! `keymill compare`, on files that are small enough for debug builds.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use serde_json::Value;

use crate::command::{Folder, assert_fails, keymill, levels, names_in, run, stdout_of, text};

/// Runs a quick comparison of a text. Returns the JSON and the page.
fn compared(folder: &Folder, input: &str) -> (Value, String) {
    let file = folder.file("words.txt", input);
    let target = folder.name("out/report");
    let said = stdout_of(&["compare", "--quick", "--data", &file, "-o", &target], b"");
    assert!(
        text(&said).starts_with("words.txt: Use "),
        "{}",
        text(&said)
    );
    let json = fs::read(folder.path("out/report/report.json")).unwrap();
    let page = fs::read_to_string(folder.path("out/report/report.md")).unwrap();
    let html = fs::read_to_string(folder.path("out/report/report.html")).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    assert!(
        html.contains("words.txt") && html.contains("<svg "),
        "{html}"
    );
    assert!(html.len() < 300_000, "{}", html.len());
    (serde_json::from_slice(&json).unwrap(), page)
}

fn ordered(spread: &Value) -> bool {
    let of = |name: &str| spread[name].as_u64().unwrap();
    of("min") <= of("median") && of("median") <= of("max") && of("runs") >= 1
}

#[test]
fn a_quick_run_writes_json_and_a_page_that_agree() {
    let folder = Folder::new();
    let (report, page) = compared(&folder, &"to be or not to be\n".repeat(2000));
    assert_eq!(report["format"], "keymill-report");
    assert_eq!(
        (&report["version"], &report["plan"]),
        (&5.into(), &"quick".into())
    );
    assert_eq!(report["answers_agree"], true);
    assert_eq!(
        report["machine"]["levels"].as_array().unwrap().len(),
        levels().len()
    );
    assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
    assert!(ordered(&report["memory_read"]["all_cores"]));
    assert!(
        report["command"]
            .as_str()
            .unwrap()
            .starts_with("keymill compare --quick")
    );
    check_threads_and_auto(&report);
    check_adapters(&report, &page);
    let recommended = &report["recommendations"][0];
    assert_eq!(recommended["data"], "words.txt");
    let first = page.split("\n## ").next().unwrap();
    assert!(
        first.contains(recommended["text"].as_str().unwrap()),
        "{first}"
    );
    assert!(
        !report["latency"].as_array().unwrap().is_empty(),
        "{report}"
    );
    assert_eq!(report["interrupted"], false);
}

/// Checks that stages also run on all threads, and that a job with `auto` is measured.
fn check_threads_and_auto(report: &Value) {
    let cores = &report["machine"]["cores"];
    for case in report["cases"].as_array().unwrap() {
        let ways = case["ways"].as_array().unwrap();
        for level in levels() {
            let is_it = |way: &&Value| way["threads"] == *cores && way["level"] == level.as_str();
            assert!(ways.iter().any(|way| is_it(&way)), "{level}: {case}");
        }
        let chooses = ways.iter().any(|way| way["part"] == "auto");
        let jobs = ["count", "reduce_by_key", "group_by_csv"];
        assert_eq!(chooses, jobs.contains(&case["subject"].as_str().unwrap()));
    }
    let cases = report["cases"].as_array().unwrap();
    assert!(cases.iter().any(|case| case["subject"] == "group_by_csv"));
    let measures = report["measures"].as_array().unwrap();
    let has = |name: &str| measures.iter().any(|it| it["name"] == name);
    assert!(has("auto_against_better"), "{measures:?}");
}

/// Checks that every measure and shader variant of each adapter is in the report.
fn check_adapters(report: &Value, page: &str) {
    let adapters = report["adapters"].as_array().unwrap();
    let measured = adapters.iter().filter(|it| it["not_measured"].is_null());
    let measured = measured.count();
    assert_eq!(page.contains("## Shader variants"), measured > 0);
    let variants = report["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 4 * measured);
    for case in variants {
        let ways = case["ways"].as_array().unwrap();
        assert!(ways.len() >= 2, "{case}");
        assert!(ways.iter().all(|way| way["answer"] == case["expected"]));
    }
    let names = [
        "tokenize_resident",
        "hash_partition_resident",
        "reduce_by_key_resident",
        "zipf_against_uniform",
        "count_resident",
        "streamed_against_pinned",
        "micro_batch",
    ];
    let measures = report["measures"].as_array().unwrap();
    for name in names {
        let found = measures.iter().filter(|it| it["name"] == name).count();
        // Jobs cannot distinguish adapters of the same name.
        let least = match name {
            "streamed_against_pinned" => measured.min(1),
            _ => measured,
        };
        assert!(found >= least, "{name} in {measures:?}");
    }
}

#[test]
fn compressed_data_is_decompressed_and_measured() {
    let folder = Folder::new();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let words = "to be or not to be\n".repeat(100);
    encoder.write_all(words.as_bytes()).unwrap();
    let file = folder.file("words.gz", encoder.finish().unwrap());
    let page = stdout_of(&["compare", "--quick", "--data", &file], b"");
    let page = text(&page);
    assert!(
        page.contains("data `words.gz`: the whole file; up to 1.9 KiB"),
        "{page}"
    );
}

#[test]
fn every_level_counts_the_words_of_the_file() {
    let folder = Folder::new();
    let (report, _) = compared(&folder, &"to be or not to be\n".repeat(100));
    let cases = report["cases"].as_array().unwrap();
    let counted = |case: &&Value| case["subject"] == "count" && case["data"] == "words.txt";
    let case = cases.iter().find(counted).unwrap();
    assert_eq!(
        (&case["expected"]["rows"], &case["expected"]["groups"]),
        (&600.into(), &4.into())
    );
    let ways = case["ways"].as_array().unwrap();
    for level in levels() {
        assert!(
            ways.iter().any(|way| way["level"] == level.as_str()),
            "{level}"
        );
    }
    assert!(ways.iter().any(|way| way["part"] == "job"));
    for (number, adapter) in report["adapters"].as_array().unwrap().iter().enumerate() {
        let is_there = ways.iter().any(|way| way["adapter"] == number);
        assert_eq!(is_there, adapter["not_measured"].is_null(), "{adapter}");
        assert_eq!(adapter["is_software"] == true, adapter["label"] != "GPU");
    }
    for way in ways {
        assert_eq!(way["answer"], case["expected"], "{way}");
        assert!(ordered(&way["end_to_end"]), "{way}");
    }
}

#[test]
fn the_schema_is_printed_and_names_the_version() {
    let schema: Value = serde_json::from_slice(&stdout_of(&["compare", "--schema"], b"")).unwrap();
    assert_eq!(schema["properties"]["version"]["const"], 5);
}

#[test]
fn data_that_cannot_be_measured_exits_with_1() {
    let folder = Folder::new();
    let missing = folder.name("missing");
    assert_fails(&["compare", "--quick", "--data", &missing], 1, &["missing"]);
    let file = folder.file("file", "to be");
    let inside = folder.name("file/inside");
    let arguments = ["compare", "--quick", "--data", &file, "-o", &inside];
    assert_fails(&arguments, 1, &["inside", "folder"]);
    let wrong = run(&["compare", "--tokens", "field:0,;"], b"");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn several_files_standard_input_and_binary_data_are_compared() {
    let folder = Folder::new();
    let empty = folder.file("empty", "");
    let binary = folder.file("binary", [0xff, 0, b' ', 0xfe, b'\n'].repeat(50));
    let page = stdout_of(
        &["compare", "--quick", "--data", &empty, &binary, "-"],
        b"to be or not to be",
    );
    let page = text(&page);
    for words in [
        "**empty**: Use the CPU: the data is empty",
        "**binary**: Use ",
        "**standard input**: Use ",
    ] {
        assert!(page.contains(words), "no {words:?} in {page}");
    }
}

/// Simulates a machine without a Vulkan driver.
#[test]
fn small_files_are_compared_without_adapters() {
    let folder = Folder::new();
    let file = folder.file("a `b`\n## c", "to be or not to be\n".repeat(6));
    for bytes in [1, 10] {
        fs::write(&file, &"to be or not to be\n".repeat(6)[..bytes]).unwrap();
        let output = keymill()
            .args(["compare", "--quick", "--data", &file])
            .env("VK_DRIVER_FILES", "/nonexistent")
            .output()
            .unwrap();
        assert_eq!(text(&output.stderr), "", "{bytes}");
        assert_eq!(output.status.code(), Some(0), "{bytes}");
        let page = text(&output.stdout);
        assert!(page.contains("No adapter was measured."), "{page}");
        assert!(!page.contains("\n## c\n"), "{page}");
        assert!(page.contains(r"data `` a `b`\n## c ``"), "{page}");
    }
}

/// The data is missing as well, but the folder is checked first.
#[test]
fn the_output_folder_is_checked_before_the_measurement() {
    let folder = Folder::new();
    folder.file("out/report.md/a-file", "");
    let (missing, target) = (folder.name("missing"), folder.name("out"));
    let arguments = ["compare", "--data", &missing, "-o", &target];
    assert_fails(&arguments, 1, &["report.md", "name a file"]);
    assert_eq!(names_in(&folder.path("out")), ["report.md"]);
}
