//! `keymill reduce`: the forms that other programs rely on, formats of input, bad rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::command::{Folder, assert_fails, gzip, run, stdout_of, text};

/// Lines `site,count` of a fixed pseudo-random sequence, with quotes, CRLF and line ends within quotes.
fn visits(rows: u32) -> (String, BTreeMap<String, (i64, u64)>) {
    let (mut lines, mut totals) = (String::from("site,count\n"), BTreeMap::new());
    let mut state = 7u32;
    for _ in 0..rows {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (number, count) = (state >> 28, i64::from(state >> 8 & 0xffff) - 30_000);
        let (site, written) = match number % 4 {
            0 => (format!("a,{number}"), format!("\"a,{number}\"")),
            1 => (format!("b\n\"{number}"), format!("\"b\n\"\"{number}\"")),
            _ => (format!("site{number}"), format!("site{number}")),
        };
        let end = if number.is_multiple_of(3) {
            "\r\n"
        } else {
            "\n"
        };
        write!(lines, "{written},{count}{end}").unwrap();
        let total = totals.entry(site).or_insert((0, 0));
        total.0 += count;
        total.1 += 1;
    }
    (lines, totals)
}

#[test]
fn sums_and_means_of_a_csv_file() {
    let folder = Folder::new();
    let file = folder.file("visits.csv", "site,count\na.org,3\nb.org,5\na.org,4\n");
    let arguments = [
        "reduce",
        &file,
        "--key",
        "site",
        "--agg",
        "sum(count),mean(count)",
    ];
    assert_eq!(
        text(&stdout_of(&arguments, b"")),
        "a.org\t7\t3.5\nb.org\t5\t5\n"
    );
    let csv = [
        &arguments[..],
        &["--format", "csv", "--sort", "sum(count):desc", "--top", "1"],
    ]
    .concat();
    let expected = "site,sum(count),mean(count)\na.org,7,3.5\n";
    assert_eq!(text(&stdout_of(&csv, b"")), expected);
}

#[test]
fn stations_without_a_header() {
    let folder = Folder::new();
    let file = folder.file("m.txt", "Oslo;-2.5\nRome;18.0\nOslo;4.5\nSão Paulo;25.3\n");
    let arguments = [
        "reduce",
        "--no-header",
        "--delimiter",
        ";",
        "--columns",
        "station,t",
        "--key",
        "station",
        "--agg",
        "min(t),mean(t),max(t),count",
        "--sort",
        "key",
        "--format",
        "tsv",
        &file,
    ];
    let expected = "Oslo\t-2.5\t1\t4.5\t2\nRome\t18\t18\t18\t1\nSão Paulo\t25.3\t25.3\t25.3\t1\n";
    assert_eq!(text(&stdout_of(&arguments, b"")), expected);
}

#[test]
fn every_thread_count_level_and_memory_gives_the_same_bytes() {
    let (lines, totals) = visits(200_000);
    let folder = Folder::new();
    let file = folder.file("visits.csv", &lines);
    let arguments = [
        "reduce",
        &file,
        "--key",
        "site",
        "--agg",
        "sum(count),count",
        "--format",
        "csv",
    ];
    let mut expected = String::from("site,sum(count),count(*)\n");
    for (site, (sum, count)) in &totals {
        let quoted = match site.contains([',', '"', '\n']) {
            true => format!("\"{}\"", site.replace('"', "\"\"")),
            false => site.clone(),
        };
        writeln!(expected, "{quoted},{sum},{count}").unwrap();
    }
    for more in [
        &["--threads", "1"][..],
        &["--threads", "2"],
        &["--threads", "2", "--level", "scalar"],
        &["--threads", "1", "--memory", "20MiB"],
    ] {
        let arguments = [&arguments[..], more].concat();
        assert_eq!(text(&stdout_of(&arguments, b"")), expected, "{more:?}");
    }
    let compressed = folder.file("visits.csv.gz", gzip(lines.as_bytes()));
    let arguments = [
        "reduce",
        "-",
        "--key",
        "site",
        "--agg",
        "sum(count),count",
        "--format",
        "csv",
    ];
    assert_eq!(text(&stdout_of(&arguments, lines.as_bytes())), expected);
    let arguments = [
        "reduce",
        &compressed,
        "--key",
        "site",
        "--agg",
        "sum(count),count",
        "--format",
        "csv",
    ];
    assert_eq!(text(&stdout_of(&arguments, b"")), expected);
}

#[test]
fn many_groups_spill() {
    let mut lines = String::from("id,x\n");
    for id in 0..300_000u64 {
        writeln!(
            lines,
            "a-rather-long-key-of-a-group-{:06},{id}",
            id * 7919 % 300_000
        )
        .unwrap();
    }
    let folder = Folder::new();
    let file = folder.file("ids.csv", &lines);
    let arguments = [
        "reduce",
        &file,
        "--key",
        "id",
        "--agg",
        "sum(x),max(x),mean(x)",
    ];
    let all = stdout_of(&arguments, b"");
    let small = [
        &arguments[..],
        &["--memory", "20MiB", "--threads", "2", "--stats"],
    ]
    .concat();
    let output = run(&small, b"");
    assert_eq!(output.stdout, all);
    let stats = text(&output.stderr);
    assert!(!stats.contains("spilled: 0 bytes"), "{stats}");
    assert!(stats.contains("rejected: 0"), "{stats}");
}

#[test]
fn columns_have_inferred_and_set_types() {
    let input = b"\xef\xbb\xbfid,day,x,ok\r\n007,2024-01-02,1.5,true\r\n\r\n8,NA,,false\r\n007,2024-01-01,\"2\",true";
    let reduce = |more: &[&str]| {
        let arguments = [&["reduce", "-", "--null", "NA", "--format", "csv"], more].concat();
        text(&stdout_of(&arguments, input)).to_owned()
    };
    let inferred = reduce(&["--key", "id", "--agg", "count(day),sum(x),count(x)"]);
    assert_eq!(
        inferred,
        "id,count(day),sum(x),count(x)\n7,2,3.5,2\n8,0,,0\n"
    );
    let as_text = reduce(&["--columns", "id:text", "--key", "id", "--agg", "count"]);
    assert_eq!(as_text, "id,count(*)\n007,2\n8,1\n");
    assert_eq!(reduce(&["--key", "ok"]), "ok,count(*)\nfalse,1\ntrue,2\n");
}

#[test]
fn bad_rows_fail_are_skipped_or_are_rejected() {
    let folder = Folder::new();
    let mut lines = String::from("site,count\n");
    for row in 0..20_000 {
        lines.push_str(match row {
            15_000 => "b,\"x\ny\"\n",
            16_000 => "b\n",
            17_000 => "b,1,2\r\n",
            _ => "a,1\n",
        });
    }
    let file = folder.file("visits.csv", &lines);
    let arguments = ["reduce", &file, "--key", "site", "--agg", "sum(count)"];
    let says = [
        "visits.csv`, line 15002, column `count`",
        "`\"x\\ny\"` is not an integer",
        "--bad-rows",
    ];
    for threads in ["1", "2"] {
        assert_fails(
            &[&arguments[..], &["--threads", threads]].concat(),
            1,
            &says,
        );
    }
    let output = run(
        &[&arguments[..], &["--bad-rows", "skip", "--stats"]].concat(),
        b"",
    );
    assert_eq!(text(&output.stdout), "a\t19997\n");
    let stats = text(&output.stderr);
    assert!(
        stats.contains("3 bad rows left out") && stats.contains("rejected: 3"),
        "{stats}"
    );
    let reject = format!("reject:{}", folder.name("bad.csv"));
    for threads in ["1", "2"] {
        let more = ["--bad-rows", &reject, "--quiet", "--threads", threads];
        assert_eq!(
            text(&stdout_of(&[&arguments[..], &more].concat(), b"")),
            "a\t19997\n"
        );
        let expected = format!(
            "# `{file}`, line 15002, column `count`: `\"x\\ny\"` is not an integer of 64 bits\nb,\"x\ny\"\n\
             # `{file}`, line 16003: 1 value where 2 are expected\nb\n\
             # `{file}`, line 17003: 3 values where 2 are expected\nb,1,2\n"
        );
        assert_eq!(
            std::fs::read_to_string(folder.path("bad.csv")).unwrap(),
            expected
        );
    }
}

#[test]
fn nonsense_is_an_error() {
    let folder = Folder::new();
    let file = folder.file("a.csv", "site,count\na,1\n");
    let other = folder.file("b.csv", "site,visits\na,1\n");
    let empty = folder.file("empty.csv", "");
    let open = folder.file("open.csv", "site,count\na,\"1\nb,2\n");
    let binary = folder.file("binary.csv", b"site,count\n\xff,1\n");
    let fails = |arguments: &[&str], code, says: &[&str]| {
        assert_fails(&[&["reduce"], arguments].concat(), code, says);
    };
    fails(
        &[&file, "--key", "sit"],
        2,
        &["no column `sit`", "site, count"],
    );
    fails(
        &[&file, "--key", "site", "--agg", "sum(x)"],
        2,
        &["no column `x`"],
    );
    fails(
        &[&file, "--key", "site", "--agg", "summ(count)"],
        2,
        &["`summ(count)`", "count, sum, mean"],
    );
    fails(
        &[&file, "--key", "site", "--columns", "x:int"],
        2,
        &["no column `x`"],
    );
    fails(
        &[&file, "--key", "site", "--columns", "count:integer"],
        2,
        &["`integer` is not a type"],
    );
    fails(
        &[&file, "--key", "site", "--sort", "x"],
        2,
        &["cannot sort by `x`"],
    );
    fails(
        &[&file, "--key", "site", "--delimiter", "\""],
        2,
        &["delimiter"],
    );
    fails(
        &[&file, "--key", "site", "--bad-rows", "drop"],
        2,
        &["drop"],
    );
    fails(
        &[&file, &other, "--key", "site"],
        1,
        &["b.csv", "a.csv", "site, visits", "site, count"],
    );
    fails(&[&empty, "--key", "site"], 1, &["empty.csv", "empty"]);
    fails(
        &[&open, "--key", "site"],
        1,
        &["open.csv`, line 2", "quote is not closed"],
    );
    fails(
        &[&binary, "--key", "site"],
        1,
        &["binary.csv`, line 2, column `site`", "UTF-8"],
    );
    let count = [
        "reduce",
        "--columns",
        "site:binary",
        "--key",
        "site",
        "--format",
        "csv",
        &binary,
    ];
    assert_eq!(stdout_of(&count, b""), b"site,count(*)\n\xff,1\n");
}

#[test]
fn files_without_rows_and_giant_values() {
    let folder = Folder::new();
    let header = folder.file("header.csv", "site,count\n");
    let empty = folder.file("empty.csv", "");
    let giant = "x".repeat(3 << 20);
    let rows = folder.file(
        "rows.csv",
        format!("site,count\n\"{giant}\n\",1\na,2\n\"{giant}\n\",3"),
    );
    let arguments = [
        "reduce",
        "--key",
        "site",
        "--agg",
        "sum(count)",
        "--columns",
        "count:int",
    ];
    assert_eq!(
        text(&stdout_of(&[&arguments[..], &[&header]].concat(), b"")),
        ""
    );
    let all = stdout_of(
        &[&arguments[..], &[&empty, &header, &rows, &empty]].concat(),
        b"",
    );
    assert_eq!(text(&all), format!("a\t2\n{giant}\\n\t4\n"));
}

#[test]
fn parquet_arrow_and_json_are_read() {
    let (lines, totals) = visits(20_000);
    let folder = Folder::new();
    let csv = folder.file("visits.csv", &lines);
    // One group for each row of the input, as a file of every format.
    let all = ["reduce", &csv, "--key", "site,count", "--sort", "key", "-o"];
    for name in [
        "rows.parquet",
        "rows.arrow",
        "rows.json",
        "rows.csv",
        "rows.csv.zst",
    ] {
        let file = folder.name(name);
        stdout_of(&[&all[..], &[&file]].concat(), b"");
        let groups = [
            "reduce",
            &file,
            "--key",
            "site",
            "--agg",
            "sum(\"count(*)\") AS n",
            "--format",
            "csv",
        ];
        let found = stdout_of(&groups, b"");
        let mut counts = String::from("site,n\n");
        for (site, (_, count)) in &totals {
            let quoted = match site.contains([',', '"', '\n']) {
                true => format!("\"{}\"", site.replace('"', "\"\"")),
                false => site.clone(),
            };
            writeln!(counts, "{quoted},{count}").unwrap();
        }
        assert_eq!(text(&found), counts, "{name}");
        // The first bytes say what standard input is.
        if !name.ends_with(".zst") {
            let bytes = std::fs::read(folder.path(name)).unwrap();
            let piped = [
                "reduce",
                "-",
                "--key",
                "site",
                "--agg",
                "sum(\"count(*)\") AS n",
                "--format",
                "csv",
            ];
            assert_eq!(stdout_of(&piped, &bytes), found, "{name}");
        }
    }
    let tabs = folder.file("tabs.tsv", "site\tcount\na,b\t1\n\"c\td\"\t2\n");
    let arguments = ["reduce", &tabs, "--key", "site", "--agg", "sum(count)"];
    assert_eq!(text(&stdout_of(&arguments, b"")), "a,b\t1\nc\\td\t2\n");
}

#[test]
fn bad_lines_of_json_are_named_or_left_out() {
    let folder = Folder::new();
    let file = folder.file(
        "a.json",
        "{\"k\":\"a\",\"n\":1}\n{\"k\":\"b\",\"n\":\"x\"}\n{\"k\n{\"k\":\"a\",\"n\":2}\n",
    );
    let arguments = [
        "reduce",
        &file,
        "--columns",
        "n:int",
        "--key",
        "k",
        "--agg",
        "sum(n)",
    ];
    assert_fails(&arguments, 1, &["a.json`, line 2", "x"]);
    let output = run(
        &[&arguments[..], &["--bad-rows", "skip", "--stats"]].concat(),
        b"",
    );
    assert_eq!(text(&output.stdout), "a\t3\n");
    assert!(text(&output.stderr).contains("rejected: 2"));
}

#[test]
fn damaged_files_and_other_columns_are_errors() {
    let folder = Folder::new();
    let csv = folder.file("a.csv", "k,n\na,1\n");
    let open = folder.file("open.csv", "\"k\na,1\n");
    let says = ["open.csv", "a quote in the header is not closed"];
    assert_fails(&["reduce", &open, "--key", "k"], 1, &says);
    let parquet = folder.name("a.parquet");
    stdout_of(&["reduce", &csv, "--key", "k", "-o", &parquet], b"");
    let other = folder.name("b.parquet");
    stdout_of(&["reduce", &csv, "--key", "n", "-o", &other], b"");
    let says = ["b.parquet", "a.parquet", "n Int64", "k Utf8"];
    assert_fails(&["reduce", &parquet, &other, "--key", "k"], 1, &says);
    let bytes = std::fs::read(&parquet).unwrap();
    let cut = folder.file("cut.parquet", &bytes[..bytes.len() - 9]);
    assert_fails(
        &["reduce", &cut, "--key", "k"],
        1,
        &["cut.parquet", "Parquet"],
    );
    let arrow = folder.file("x.arrow", "nonsense");
    assert_fails(&["reduce", &arrow, "--key", "k"], 1, &["x.arrow", "Arrow"]);
}

#[test]
fn lists_of_files_are_read() {
    let folder = Folder::new();
    let first = folder.file("a b.csv", "k,n\nx,1\n");
    let second = folder.file("c.csv", "k,n\nx,2\n");
    let reduce = ["reduce", "--key", "k", "--agg", "sum(n)", "--files-from"];
    for list in [
        format!("{first}\r\n\n{second}"),
        format!("{first}\0{second}\0"),
    ] {
        let file = folder.file("list", &list);
        let from_file = [&reduce[..], &[&file]].concat();
        assert_eq!(text(&stdout_of(&from_file, b"")), "x\t3\n");
        let from_stdin = [&reduce[..], &["-", &second]].concat();
        assert_eq!(text(&stdout_of(&from_stdin, list.as_bytes())), "x\t5\n");
    }
    let empty = folder.file("empty", "\n");
    assert_fails(&[&reduce[..], &[&empty]].concat(), 1, &["empty"]);
    assert_fails(
        &[&reduce[..], &["nowhere"]].concat(),
        1,
        &["`nowhere`", "cannot be read"],
    );
}

#[test]
fn results_are_written_as_markdown() {
    let input = b"k,n\na|b,1\n";
    let arguments = [
        "reduce", "--key", "k", "--agg", "sum(n)", "--format", "markdown",
    ];
    let expected = "| k | sum(n) |\n|---|---:|\n| a\\|b | 1 |\n";
    assert_eq!(text(&stdout_of(&arguments, input)), expected);
}

#[test]
fn rows_and_groups_are_filtered_and_computed() {
    let input = b"site,day,n\na.org,2024-01-02,3\nA.org,2024-02-01,4\nb.org,2024-01-05,5\nb.org,2024-01-06,0\n";
    let reduce = |more: &[&str]| {
        let arguments = [&["reduce", "-", "--format", "csv"], more].concat();
        text(&stdout_of(&arguments, input)).to_owned()
    };
    let positive = [
        "--where",
        "n > 0",
        "--key",
        "lower(site) AS site",
        "--agg",
        "sum(n * 2) AS twice, count",
    ];
    assert_eq!(
        reduce(&positive),
        "site,twice,count(*)\na.org,14,2\nb.org,10,1\n"
    );
    let having = [&positive[..], &["--having", "twice > 10"]].concat();
    assert_eq!(reduce(&having), "site,twice,count(*)\na.org,14,2\n");
    let select = [&positive[..], &["--select", "twice + 1 AS more, site"]].concat();
    assert_eq!(reduce(&select), "more,site\n15,a.org\n11,b.org\n");
    let unused = ["--where", "site = 'b.org'", "--key", "n"];
    assert_eq!(reduce(&unused), "n,count(*)\n0,1\n5,1\n");
    let folder = Folder::new();
    let path = folder.file("a.csv", input);
    assert_fails(
        &["reduce", &path, "--key", "site", "--where", "n >"],
        2,
        &["n >"],
    );
    assert_fails(
        &["reduce", &path, "--key", "site", "--where", "m > 0"],
        2,
        &["no column `m`"],
    );
}

#[test]
fn without_a_key_all_rows_are_one_group() {
    let folder = Folder::new();
    let file = folder.file("visits.csv", "site,count\na.org,3\nb.org,5\na.org,4\n");
    let reduce = |more: &[&str]| {
        let output = stdout_of(&[&["reduce", &file][..], more].concat(), b"");
        text(&output).to_owned()
    };
    let agg = ["--agg", "sum(count),count"];
    assert_eq!(reduce(&agg), "12\t3\n");
    assert_eq!(reduce(&[]), "3\n");
    let csv = [&agg[..], &["--format", "csv"]].concat();
    assert_eq!(reduce(&csv), "sum(count),count(*)\n12,3\n");
    assert_eq!(
        reduce(&[&agg[..], &["--where", "count > 9"]].concat()),
        "\\N\t0\n"
    );
    assert_eq!(
        reduce(&[&agg[..], &["--having", "\"sum(count)\" > 99"]].concat()),
        ""
    );
    assert_eq!(
        reduce(&[&agg[..], &["--select", "\"sum(count)\" + 1 AS n"]].concat()),
        "13\n"
    );
    assert_eq!(
        reduce(&[&agg[..], &["--sort", "sum(count):desc"]].concat()),
        "12\t3\n"
    );
    let huge = folder.file("huge.csv", "n\n9223372036854775807\n9223372036854775807\n");
    let says = "`sum(n)` of all rows is 18446744073709551614, which does not fit Int64";
    assert_fails(&["reduce", &huge, "--agg", "sum(n)"], 1, &[says]);
    assert_fails(
        &["sql", &format!("SELECT sum(n) FROM '{huge}'")],
        1,
        &[says],
    );
}

#[test]
fn values_of_columns_that_are_not_used_are_never_bad() {
    let folder = Folder::new();
    let csv = folder.file("a.csv", "n,k,x\n1,a,1\nmany,b,2\n3,a,3\n");
    let lines = "{\"n\":1,\"k\":\"a\",\"x\":1}\n{\"n\":\"many\",\"k\":\"b\",\"x\":2}\n{\"n\":3,\"k\":\"a\",\"x\":3}\n";
    let json = folder.file("a.ndjson", lines);
    for file in [&csv, &json] {
        let reduce = |more: &[&str]| {
            let arguments = ["reduce", file, "--columns", "n:int"];
            text(&stdout_of(&[&arguments, more].concat(), b"")).to_owned()
        };
        assert_eq!(reduce(&["--agg", "count(*)"]), "3\n");
        assert_eq!(reduce(&["--key", "k"]), "a\t2\nb\t1\n");
        assert_eq!(reduce(&["--where", "1 = 1", "--agg", "count"]), "3\n");
        assert_eq!(reduce(&["--where", "x > 1", "--agg", "count"]), "2\n");
        assert_fails(
            &["reduce", file, "--columns", "n:int", "--agg", "count(n)"],
            1,
            &["line", "many"],
        );
    }
    let parquet = folder.name("a.parquet");
    let arrow = folder.name("a.arrow");
    for file in [&parquet, &arrow] {
        stdout_of(&["sql", &format!("SELECT * FROM '{csv}'"), "-o", file], b"");
        let sql = |statement: &str| {
            let statement = statement.replace("FILE", &format!("'{file}'"));
            text(&stdout_of(&["sql", &statement], b"")).to_owned()
        };
        assert_eq!(sql("SELECT count(*) FROM FILE"), "3\n");
        assert_eq!(sql("SELECT 7 AS seven FROM FILE"), "7\n7\n7\n");
        assert_eq!(sql("SELECT count(*) FROM FILE WHERE x > 1"), "2\n");
    }
}
