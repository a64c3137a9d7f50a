//! Statements over batches in memory: the rows they give, and what is refused.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};

use crate::{Engine, ErrorKind};

fn visits() -> RecordBatch {
    let sites = ["a.org", "b.com", "a.org", "c.net", "b.com", "a.org"];
    let sites: ArrayRef = Arc::new(StringArray::from(sites.to_vec()));
    let counts = vec![Some(3), Some(5), Some(4), None, Some(1), Some(0)];
    let counts: ArrayRef = Arc::new(Int64Array::from(counts));
    let prices = vec![0.5, 1.5, -2.0, 0.0, f64::NAN, 8.0];
    let prices: ArrayRef = Arc::new(Float64Array::from(prices));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, 31, 59, 365, 366]));
    let columns = [
        ("site", sites),
        ("count", counts),
        ("Price", prices),
        ("day", days),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The rows of a statement over batches of two rows, `|` between columns, `-` for null.
fn run(statement: &str) -> Result<Vec<String>, crate::Error> {
    let all = visits();
    let batches: Vec<RecordBatch> = (0..3).map(|part| all.slice(part * 2, 2)).collect();
    let engine = Engine::builder().threads(2).build().unwrap();
    let mut job = engine.read_batches(batches).sql(statement)?;
    let plan = job.explain();
    let rows = job.collect()?;
    assert!(plan.contains("source"), "{plan}");
    let mut lines = Vec::new();
    for batch in rows.batches() {
        let options = FormatOptions::default().with_null("-");
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<_> = columns.iter().map(|it| it.value(row).to_string()).collect();
            lines.push(values.join("|"));
        }
    }
    Ok(lines)
}

fn rows(statement: &str) -> String {
    match run(statement) {
        Ok(lines) => lines.join(" "),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

#[test]
fn rows_are_filtered_and_selected_in_their_order() {
    for (statement, wanted) in [
        (
            "SELECT * FROM t WHERE site = 'b.com'",
            "b.com|5|1.5|1970-01-02 b.com|1|NaN|1971-01-01",
        ),
        (
            "select SITE, Count + 1 from t where count > 2",
            "a.org|4 b.com|6 a.org|5",
        ),
        ("SELECT t.count FROM t LIMIT 2 OFFSET 1", "5 4"),
        ("SELECT x.count FROM 'dir/t.csv' AS x LIMIT 1", "3"),
        ("SELECT count FROM t ORDER BY count DESC", "5 4 3 1 0 -"),
        (
            "SELECT count FROM t ORDER BY 1 NULLS FIRST LIMIT 3",
            "- 0 1",
        ),
        (
            "SELECT site FROM t ORDER BY count * -1, site LIMIT 2",
            "b.com a.org",
        ),
        (
            "SELECT site FROM t ORDER BY site",
            "a.org a.org a.org b.com b.com c.net",
        ),
        (
            "SELECT upper(site) AS s FROM t WHERE day >= '1970-03-01' ORDER BY s",
            "A.ORG B.COM C.NET",
        ),
        (
            "SELECT count FROM t WHERE count IS NULL OR count = 0",
            "- 0",
        ),
        ("SELECT count FROM t WHERE NOT (count > 1)", "1 0"),
        ("SELECT 1 AS one FROM t LIMIT 1", "1"),
        ("SELECT count, count FROM t LIMIT 1", "3|3"),
        (
            "SELECT DISTINCT site FROM t ORDER BY site DESC",
            "c.net b.com a.org",
        ),
        (
            "SELECT DISTINCT substr(site, 3) x FROM t ORDER BY 1 LIMIT 2",
            "com net",
        ),
        ("SELECT \"Price\" FROM t WHERE price < 0", "-2.0"),
        (
            "SELECT count FROM t WHERE count / count = 1",
            "Format: `count / count`: division by zero; divide by nullif(…, 0) to get null instead",
        ),
        (
            "SELECT count FROM t WHERE count <> 0 AND 12 / count = 4",
            "3",
        ),
        (
            "SELECT CASE WHEN count = 0 THEN -1 ELSE 12 / count END FROM t",
            "4 2 3 - 12 -1",
        ),
        (
            "SELECT count FROM t WHERE site IN ('c.net', 'x') OR count IN (5)",
            "5 -",
        ),
        (
            "SELECT site FROM t WHERE site LIKE '%.o_g' AND site ~ '^a' LIMIT 1",
            "a.org",
        ),
        ("SELECT count FROM t LIMIT 0", ""),
        // −0.0 and 0.0 are equal, so that the second column decides.
        (
            "SELECT day FROM t WHERE day < '1970-03-02' \
             ORDER BY CASE WHEN count = 4 THEN -0.0 ELSE 0.0 END, day DESC LIMIT 2",
            "1970-03-01 1970-02-01",
        ),
    ] {
        assert_eq!(rows(statement), wanted, "{statement}");
    }
}

#[test]
fn groups_are_aggregated_filtered_and_ordered() {
    for (statement, wanted) in [
        (
            "SELECT site, sum(count) AS total FROM t GROUP BY site ORDER BY total DESC",
            "a.org|7 b.com|6 c.net|-",
        ),
        (
            "SELECT site FROM t GROUP BY site HAVING sum(count) > 6",
            "a.org",
        ),
        (
            "SELECT count(*) AS n, site FROM t GROUP BY 2 HAVING n > 1 ORDER BY n, site",
            "2|b.com 3|a.org",
        ),
        (
            "SELECT count(DISTINCT site), count(DISTINCT count % 2 = 0), max(DISTINCT count) FROM t",
            "3|2|5",
        ),
        (
            "SELECT site, count(*) FILTER (WHERE count > 3) AS n, sum(count) FILTER (WHERE price > 0) \
             FROM t GROUP BY site HAVING count(*) FILTER (WHERE day > '1970-02-28') > 0 ORDER BY 1 DESC",
            "c.net|0|- b.com|1|6 a.org|1|3",
        ),
        ("SELECT top(count, 2) FROM t", "[5, 4]"),
        (
            "SELECT sum(count) / count(*) FROM t GROUP BY site ORDER BY max(count) DESC",
            "3 2 -",
        ),
        (
            "SELECT upper(site), count(count) FROM t GROUP BY upper(site) ORDER BY 1 DESC",
            "C.NET|0 B.COM|2 A.ORG|3",
        ),
        (
            "SELECT length(site) * 2 AS l, sum(count * 2) FROM t GROUP BY l",
            "10|26",
        ),
        ("SELECT count(*), sum(count), max(count) FROM t", "6|13|5"),
        (
            "SELECT count(*), sum(count) FROM t WHERE count > 100",
            "0|-",
        ),
        (
            "SELECT count(*) FROM t WHERE count > 100 HAVING count(*) > 0",
            "",
        ),
        ("SELECT site FROM t WHERE count > 100 GROUP BY site", ""),
        (
            "SELECT date_part('year', day) y, count(*) FROM t GROUP BY y ORDER BY y",
            "1970|4 1971|2",
        ),
        (
            "SELECT DISTINCT count(*) > 1 FROM t GROUP BY site ORDER BY 1",
            "false true",
        ),
        ("SELECT avg(count) FROM t", "2.6"),
        (
            "SELECT variance(count) = var(count), stddev_samp(count) = stddev(count) FROM t",
            "true|true",
        ),
        (
            "SELECT site, count FROM t GROUP BY count, site ORDER BY count LIMIT 2 OFFSET 1",
            "b.com|1 a.org|3",
        ),
        (
            "SELECT sum(CASE WHEN count > 3 THEN 1 ELSE 0 END) FROM t",
            "2",
        ),
    ] {
        assert_eq!(rows(statement), wanted, "{statement}");
    }
}

#[test]
fn what_does_not_work_is_refused_by_name() {
    for (statement, message) in [
        (
            "SELECT * FROM a JOIN b ON a.x = b.x",
            "JOIN b ON a.x = b.x`: joins do not work",
        ),
        ("SELECT * FROM a, b", "joins do not work"),
        ("SELECT * FROM (SELECT 1) x", "subqueries do not work"),
        (
            "SELECT * FROM t WHERE count IN (SELECT 1)",
            "subqueries are not supported",
        ),
        (
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "`WITH`: common tables do not work",
        ),
        (
            "SELECT 1 FROM a UNION SELECT 2 FROM b",
            "set operations do not work",
        ),
        (
            "SELECT sum(count) OVER () FROM t",
            "window functions (OVER)",
        ),
        ("SELECT DISTINCT ON (site) site FROM t", "DISTINCT ON"),
        (
            "SELECT site FROM t GROUP BY ROLLUP (site)",
            "is not supported",
        ),
        ("DROP TABLE t", "only SELECT works"),
        ("SELECT 1", "the table is missing"),
        ("SELECT 1 FROM t; SELECT 2 FROM t", "write one SELECT"),
        ("SELECT FROM t WHERE", "cannot read"),
        (
            "SELECT x FROM t",
            "`x`: there is no such column; the columns are: site, count, Price, day",
        ),
        (
            "SELECT \"SITE\" FROM t",
            "texts are written in single quotes",
        ),
        (
            "SELECT y.count FROM t",
            "this is not the table; it is called `t`",
        ),
        (
            "SELECT site, sum(count) FROM t",
            "`site`: this column is not in GROUP BY",
        ),
        ("SELECT sum(sum(count)) FROM t", "not inside of another one"),
        (
            "SELECT count FROM t AS x(a, b)",
            "name the columns in SELECT",
        ),
        ("SELECT TOP 3 count FROM t", "write LIMIT 10 at the end"),
        (
            "SELECT sum(DISTINCT count) FROM t",
            "DISTINCT is supported in count, min and max",
        ),
        (
            "SELECT count(DISTINCT *) FROM t",
            "an argument is an expression",
        ),
        (
            "SELECT lower(DISTINCT site) FROM t",
            "DISTINCT and FILTER are for aggregates",
        ),
        (
            "SELECT sum(count) FILTER (WHERE count) FROM t",
            "`count` is Int64, where a condition is needed",
        ),
        (
            "SELECT count FROM t WHERE sum(count) > 1",
            "an aggregate stands in SELECT",
        ),
        (
            "SELECT site + 1 FROM t",
            "`site + 1`: `site` is Utf8, where a number is needed",
        ),
        (
            "SELECT count FROM t WHERE site > 3",
            "`site` is Utf8 and `3` is Int64",
        ),
        (
            "SELECT count FROM t WHERE count",
            "`count` is Int64, where a condition is needed",
        ),
        (
            "SELECT count FROM t WHERE day > 'x'",
            "this is not a value of the type Date32",
        ),
        ("SELECT foo(count) FROM t", "there is no function `foo`"),
        (
            "SELECT count FROM t ORDER BY 3",
            "the result has the columns 1 to 1",
        ),
        (
            "SELECT count FROM t LIMIT -1",
            "LIMIT and OFFSET take a number of rows",
        ),
        (
            "SELECT count FROM t FETCH FIRST 1 ROW ONLY",
            "write LIMIT 10 instead",
        ),
        (
            "SELECT DISTINCT site FROM t GROUP BY site, day ORDER BY day",
            "order by selected columns",
        ),
    ] {
        let error = run(statement).expect_err(statement);
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(message), "{statement}: {error}");
    }
}
