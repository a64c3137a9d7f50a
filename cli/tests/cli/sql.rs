//! `keymill sql`: statements over files and standard input, and what is refused.

use crate::command::{Folder, assert_fails, stdout_of, text};

const VISITS: &str = "site,count,day\na.org,3,2026-01-01\nb.com,5,2026-01-31\na.org,4,2026-02-01\nc.net,,2026-02-02\n";

#[test]
fn the_statements_of_the_text_books() {
    let folder = Folder::new();
    let file = folder.file("visits.csv", VISITS);
    for (statement, expected) in [
        (
            format!("SELECT * FROM '{file}' WHERE site = 'b.com'"),
            "b.com\t5\t2026-01-31\n",
        ),
        (
            format!(
                "SELECT site, sum(count) AS total FROM \"{file}\" WHERE count > 0 GROUP BY site \
                 HAVING sum(count) > 4 ORDER BY total DESC LIMIT 10"
            ),
            "a.org\t7\nb.com\t5\n",
        ),
        (
            format!("SELECT count(*), sum(count) FROM '{file}' WHERE day < '2026-02-01'"),
            "2\t8\n",
        ),
        (
            format!("SELECT DISTINCT month(day) AS m FROM '{file}' ORDER BY m DESC"),
            "2\n1\n",
        ),
        (
            format!("SELECT upper(site), count * 2 FROM '{file}' LIMIT 2 OFFSET 1"),
            "B.COM\t10\nA.ORG\t8\n",
        ),
    ] {
        assert_eq!(
            text(&stdout_of(&["sql", &statement], b"")),
            expected,
            "{statement}"
        );
    }
}

#[test]
fn standard_input_is_a_table() {
    let statement = "SELECT max(count) AS most FROM '-'";
    let arguments = ["sql", "--format", "csv", "--input", "csv", statement];
    let output = stdout_of(&arguments, VISITS.as_bytes());
    assert_eq!(text(&output), "most\n5\n");
}

#[test]
fn refusals_say_what_works() {
    let folder = Folder::new();
    let file = folder.file("visits.csv", VISITS);
    for (statement, message) in [
        (
            format!("SELECT * FROM '{file}' JOIN b ON true"),
            "joins do not work",
        ),
        (format!("SELECT x FROM '{file}'"), "there is no such column"),
        ("DELETE FROM x".to_owned(), "only SELECT works"),
        (
            format!("SELECT site / 2 FROM '{file}'"),
            "where a number is needed",
        ),
    ] {
        assert_fails(&["sql", &statement], 2, &[message]);
    }
}
