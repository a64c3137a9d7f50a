//! `keymill sql` without groups: bad rows, limits, and what `--explain` and `--stats` say of rows.

use crate::command::{Folder, names_in, run, stdout_of, text};

const NUMBERS: &str = "a,b\n1,10\nx,20\n3,0\n4,40\n";

/// Runs a statement over a file with the column `a` of integers. Returns the exit code and both outputs.
fn sql(statement: &str, options: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["sql", statement, "--columns", "a:int"], options].concat();
    let output = run(&arguments, b"");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output.status.code(), stdout.to_owned(), stderr.to_owned())
}

#[test]
fn a_limit_does_not_hide_a_bad_row_before_it() {
    let folder = Folder::new();
    let file = folder.file("numbers.csv", NUMBERS);
    for statement in [
        format!("SELECT a FROM '{file}' LIMIT 2"),
        format!("SELECT a FROM '{file}' ORDER BY a LIMIT 1"),
        format!("SELECT DISTINCT a FROM '{file}' LIMIT 1"),
        format!("SELECT a FROM '{file}' WHERE b > 20"),
    ] {
        let (code, _, stderr) = sql(&statement, &[]);
        assert_eq!(code, Some(1), "{statement}: {stderr}");
        assert!(
            stderr.contains("line 3, column `a`: `x`"),
            "{statement}: {stderr}"
        );
    }
}

#[test]
fn bad_rows_are_counted_and_kept() {
    let folder = Folder::new();
    let file = folder.file("numbers.csv", NUMBERS);
    let reject = format!("reject:{}", folder.name("bad.csv"));
    for (select, rows, kept) in [
        ("a FROM 'F'", "1\n3\n4\n", "rows: 3 read, 3 kept"),
        ("a FROM 'F' WHERE b > 5", "1\n4\n", "rows: 3 read, 2 kept"),
        (
            "a FROM 'F' ORDER BY a DESC LIMIT 1",
            "4\n",
            "rows: 3 read, 3 kept",
        ),
        (
            "DISTINCT a > 2 FROM 'F'",
            "false\ntrue\n",
            "rows: 3 read, 3 kept",
        ),
        (
            "DISTINCT count(*) FROM 'F' GROUP BY a",
            "1\n",
            "rows: 3 read, ",
        ),
    ] {
        let statement = format!("SELECT {}", select.replace("'F'", &format!("'{file}'")));
        let (code, stdout, stderr) = sql(&statement, &["--bad-rows", &reject, "--stats"]);
        assert_eq!(
            (code, stdout.as_str()),
            (Some(0), rows),
            "{statement}: {stderr}"
        );
        assert!(stderr.contains("rejected: 1"), "{statement}: {stderr}");
        assert!(stderr.contains(kept), "{statement}: {stderr}");
        let rejected = std::fs::read_to_string(folder.path("bad.csv")).unwrap();
        assert!(
            rejected.ends_with("is not an integer of 64 bits\nx,20\n"),
            "{rejected}"
        );
        std::fs::remove_file(folder.path("bad.csv")).unwrap();
    }
}

#[test]
fn a_job_that_fails_leaves_the_file_of_rejected_rows_as_it_was() {
    let folder = Folder::new();
    let file = folder.file("numbers.csv", NUMBERS);
    let old = folder.file("bad.csv", "old\n");
    let statement = format!("SELECT a / b FROM '{file}'");
    let (code, _, stderr) = sql(&statement, &["--bad-rows", &format!("reject:{old}")]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("division by zero"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "old\n");
    assert_eq!(names_in(&folder.path("")), ["bad.csv", "numbers.csv"]);
}

#[test]
fn an_input_is_not_replaced_by_its_bad_rows() {
    let folder = Folder::new();
    let file = folder.file("numbers.csv", NUMBERS);
    let reject = format!("reject:{file}");
    let (code, _, stderr) = sql(&format!("SELECT a FROM '{file}'"), &["--bad-rows", &reject]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("is an input; name another one"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), NUMBERS);
}

#[test]
fn control_characters_in_names_of_columns_are_escaped() {
    let folder = Folder::new();
    let file = folder.file("odd.csv", "a\u{1b}[31m,b\nx,2\ny,3\n");
    for (statement, code) in [
        (format!("SELECT c FROM '{file}'"), 2),
        (format!("SELECT \"a\u{1b}[31m\" + 1 FROM '{file}'"), 2),
        (
            format!("SELECT b FROM '{file}' GROUP BY \"a\u{1b}[31m\""),
            2,
        ),
    ] {
        let output = run(&["sql", &statement], b"");
        assert_eq!(output.status.code(), Some(code), "{statement:?}");
        let stderr = text(&output.stderr);
        assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
        assert!(
            stderr.contains("\\x1b[31m") || stderr.contains("GROUP BY"),
            "{stderr:?}"
        );
    }
}

#[test]
fn lists_are_written_as_text() {
    let folder = Folder::new();
    let file = folder.file("numbers.csv", NUMBERS);
    let statement = format!("SELECT top(b, 2) AS most FROM '{file}'");
    for (format, expected) in [
        ("tsv", "[40,20]\n"),
        ("csv", "most\n\"[40,20]\"\n"),
        ("json", "{\"most\":[40,20]}\n"),
    ] {
        let output = stdout_of(&["sql", "--format", format, &statement], b"");
        assert_eq!(text(&output), expected);
    }
}

#[test]
fn explain_says_how_many_rows_are_read_and_were() {
    let folder = Folder::new();
    let file = folder.file("numbers.csv", NUMBERS.replace('x', "2"));
    let copy = folder.name("numbers.parquet");
    stdout_of(
        &["sql", &format!("SELECT * FROM '{file}'"), "-o", &copy],
        b"",
    );
    for (statement, before, after) in [
        (
            format!("SELECT a FROM '{file}' WHERE b > 5 LIMIT 1"),
            "rows        about 4 to read\n",
            "measured    4 rows read, 0 rejected, 3 kept; ",
        ),
        (
            format!("SELECT a FROM '{copy}' WHERE b > 5"),
            "rows        4 to read\n",
            "measured    4 rows read, 0 rejected, 3 kept; 3 before having and limit, 3 written",
        ),
        (
            format!("SELECT b > 5, count(*) FROM '{copy}' GROUP BY 1"),
            "rows        4 to read\n",
            "measured    4 rows read, 0 rejected, 4 kept; 2 before having and limit, 2 written",
        ),
        (
            format!("SELECT a FROM '{copy}' WHERE b > 500"),
            "rows        0 to read; statistics leave out 1 of 1 row groups\n",
            "",
        ),
    ] {
        let output = run(&["sql", "--explain", &statement], b"");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(before), "{statement}: {stderr}");
        assert!(stderr.contains(after), "{statement}: {stderr}");
    }
}
