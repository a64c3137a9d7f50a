//! CSV whose key stays in the text where it can: any mix of plain and odd rows has the answer of plain code.

use std::collections::BTreeMap;

use keymill::aggregate::{count_rows, mean, min, sum};
use keymill::arrow::array::Array;
use keymill::arrow::array::cast::AsArray;
use keymill::arrow::array::types::{Float64Type, Int64Type, UInt64Type};
use keymill::prelude::*;
use keymill::read::{BadRows, Table, TableFormat};
use keymill::{ErrorKind, Tuning};
use proptest::prelude::*;
use proptest::sample::select;

/// Keys of every kind. Those with a delimiter, a line end or a quote are always written in quotes.
const KEYS: [&str; 10] = [
    "a",
    "Oslo",
    "S\u{e3}o Paulo",
    "sixteen bytes ok",
    "a key of more than sixteen bytes",
    "another key of more than sixteen bytes, with a comma",
    "line\nend",
    "\"",
    "\"a\"",
    "",
];

#[derive(Clone, Debug)]
struct Row {
    /// `None` is a key that is no UTF-8.
    key: Option<&'static str>,
    is_quoted: bool,
    number: Option<i64>,
    quarters: Option<i32>,
    /// What makes the row bad, if it is not its key.
    fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Number,
    FieldCount,
}

impl Row {
    fn is_bad(&self) -> bool {
        self.key.is_none() || self.fault.is_some()
    }

    /// The key as a value: an empty one without quotes is null.
    fn value(&self) -> Option<String> {
        let key = self.key.unwrap_or_default();
        (self.is_quoted || !key.is_empty()).then(|| key.to_owned())
    }

    fn write(&self, key_is_last: bool, out: &mut Vec<u8>) {
        let plain = self.key.map_or(&b"\xff\xfe"[..], str::as_bytes);
        let needs_quotes = plain.iter().any(|byte| b"\",\n".contains(byte));
        let key = match self.is_quoted || needs_quotes {
            true => [b"\"", &plain.escape_quotes()[..], b"\""].concat(),
            false => plain.to_vec(),
        };
        let number = match self.fault {
            Some(Fault::Number) => "1x".to_owned(),
            _ => self.number.map(|it| it.to_string()).unwrap_or_default(),
        };
        let quarters = self.quarters.map(|it| (f64::from(it) / 4.0).to_string());
        let mut fields = vec![
            number.into_bytes(),
            quarters.unwrap_or_default().into_bytes(),
        ];
        fields.insert(if key_is_last { 2 } else { 0 }, key);
        // A column that no job uses.
        fields.insert(0, b"x".to_vec());
        if self.fault == Some(Fault::FieldCount) {
            fields.push(b"more".to_vec());
        }
        out.extend(fields.join(&b','));
    }
}

trait EscapeQuotes {
    fn escape_quotes(&self) -> Vec<u8>;
}

impl EscapeQuotes for [u8] {
    fn escape_quotes(&self) -> Vec<u8> {
        let twice = |&byte: &u8| vec![byte; if byte == b'"' { 2 } else { 1 }];
        self.iter().flat_map(twice).collect()
    }
}

fn some<S: Strategy>(probability: f64, value: S) -> impl Strategy<Value = Option<S::Value>> {
    let is_some = proptest::bool::weighted(probability);
    (is_some, value).prop_map(|(is_some, value)| is_some.then_some(value))
}

fn row(odd: f64) -> impl Strategy<Value = Row> {
    use proptest::bool::weighted;
    let plain = select(&KEYS[..5]);
    let any = prop_oneof![select(&KEYS[..]).prop_map(Some), Just(None)];
    let key = (weighted(odd), plain, any)
        .prop_map(|(is_odd, plain, any)| if is_odd { any } else { Some(plain) });
    let fault = some(odd / 2.0, select(&[Fault::Number, Fault::FieldCount][..]));
    let number = some(1.0 - odd, -1_000_000_000_000..1_000_000_000_000i64);
    let quarters = some(1.0 - odd, -400..400);
    (key, weighted(odd), number, quarters, fault).prop_map(
        |(key, is_quoted, number, quarters, fault)| Row {
            key,
            is_quoted,
            number,
            quarters,
            fault,
        },
    )
}

/// Whole files: some without any odd row, some with a few, some with many.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    select(&[0.0, 0.02, 0.3][..]).prop_flat_map(|odd| proptest::collection::vec(row(odd), 0..200))
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Group {
    rows: u64,
    numbers: Vec<i64>,
    quarters: Vec<i32>,
}

/// The count, the sum and the minimum of the numbers, and the mean of the floats.
type Answer = (u64, Option<i64>, Option<i64>, Option<f64>);

fn expected(rows: &[Row]) -> BTreeMap<Option<String>, Answer> {
    let mut groups: BTreeMap<Option<String>, Group> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.is_bad()) {
        let group = groups.entry(row.value()).or_default();
        group.rows += 1;
        group.numbers.extend(row.number);
        group.quarters.extend(row.quarters);
    }
    let answer = |group: Group| {
        let sum = (!group.numbers.is_empty()).then(|| group.numbers.iter().sum());
        let floats = group.quarters.iter().sum::<i32>();
        let mean = f64::from(floats) / 4.0 / group.quarters.len() as f64;
        let mean = (!group.quarters.is_empty()).then_some(mean);
        (group.rows, sum, group.numbers.iter().min().copied(), mean)
    };
    groups
        .into_iter()
        .map(|(key, group)| (key, answer(group)))
        .collect()
}

fn found(groups: &Groups) -> BTreeMap<Option<String>, Answer> {
    let batch = groups.to_batch().unwrap();
    let keys = batch.column(0).as_string::<i32>();
    let count = batch.column(1).as_primitive::<UInt64Type>();
    let [sum, min] = [2, 3].map(|number| batch.column(number).as_primitive::<Int64Type>());
    let mean = batch.column(4).as_primitive::<Float64Type>();
    let integer = |column: &keymill::arrow::array::Int64Array, row: usize| {
        column.is_valid(row).then(|| column.value(row))
    };
    let rows = (0..batch.num_rows()).map(|row| {
        let key = keys.is_valid(row).then(|| keys.value(row).to_owned());
        let mean = mean.is_valid(row).then(|| mean.value(row));
        (
            key,
            (count.value(row), integer(sum, row), integer(min, row), mean),
        )
    });
    rows.collect()
}

/// The file, and the number of the line of its first bad row.
fn file(
    rows: &[Row],
    key_is_last: bool,
    end: &str,
    has_last_end: bool,
) -> (Vec<u8>, Option<usize>) {
    let header = if key_is_last { "u,n,f,k" } else { "u,k,n,f" };
    let mut text = [header, end].concat().into_bytes();
    let mut first_bad = None;
    for (number, row) in rows.iter().enumerate() {
        if row.is_bad() && first_bad.is_none() {
            first_bad = Some(text.iter().filter(|&&byte| byte == b'\n').count() + 1);
        }
        row.write(key_is_last, &mut text);
        if has_last_end || number + 1 < rows.len() {
            text.extend(end.as_bytes());
        }
    }
    (text, first_bad)
}

fn job(table: Table, level: Level, threads: usize, chunk_bytes: usize) -> keymill::AggregateJob {
    let limits = if chunk_bytes < 4096 {
        Tuning::TINY
    } else {
        Tuning::DEFAULT
    };
    // With the tiny limits a table is split soon, and then takes batches only.
    let limits = Tuning {
        chunk_bytes,
        flush_bytes: 1 << 20,
        ..limits
    };
    let engine = Engine::builder()
        .level(level)
        .threads(threads)
        .tuning(limits);
    let engine = engine.device(DeviceChoice::Cpu).build().unwrap();
    let job = engine.read_table(table).group_by(["k"]);
    job.agg([count_rows(), sum("n"), min("n"), mean("f")])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn groups_of_csv_are_those_of_plain_code(
        rows in rows(),
        key_is_last in any::<bool>(),
        end in select(&["\n", "\r\n"][..]),
        has_last_end in any::<bool>(),
        level in select(Level::available()),
        threads in 1..3usize,
        chunk_bytes in select(&[64, 500, 256 << 10][..]),
    ) {
        let (text, first_bad) = file(&rows, key_is_last, end, has_last_end);
        let table = || {
            let columns = ["k:text", "n:int", "f:float"].map(|column| column.parse().unwrap());
            Table::of_bytes(text.clone()).format(TableFormat::Csv).columns(columns)
        };
        let skipped = job(table().bad_rows(BadRows::Skip), level, threads, chunk_bytes).collect();
        let skipped = skipped.unwrap();
        prop_assert_eq!(found(&skipped), expected(&rows));
        let bad = rows.iter().filter(|row| row.is_bad()).count() as u64;
        prop_assert_eq!(skipped.metrics().rejected, bad);
        prop_assert_eq!(skipped.metrics().rows_read + bad, rows.len() as u64);
        let all = job(table(), level, threads, chunk_bytes).collect();
        match first_bad {
            None => prop_assert_eq!(found(&all.unwrap()), expected(&rows)),
            Some(line) => {
                let error = all.unwrap_err();
                prop_assert_eq!(error.kind(), ErrorKind::Format);
                let place = format!("line {line}");
                let said = error.message();
                let ends = [",", ":"].map(|end| said.contains(&format!("{place}{end}")));
                prop_assert!(ends.contains(&true), "{} in {}", place, said);
            }
        }
    }
}

#[test]
fn a_plan_says_whether_keys_stay_in_the_text() {
    let table = || {
        let columns = ["n:int", "f:float"].map(|column| column.parse().unwrap());
        let table = Table::of_bytes("k,n,f\na,1,2\n").format(TableFormat::Csv);
        table.columns(columns)
    };
    let said = "keys        k, looked up in the text\n";
    assert!(
        job(table(), Level::best(), 1, 4096)
            .explain()
            .contains(said)
    );
    let spelled = job(table().nulls(["NA"]), Level::best(), 1, 4096).explain();
    assert!(spelled.contains("keys        k\n"), "{spelled}");
    let engine = Engine::new().unwrap();
    for (key, argument) in [("n", "f"), ("k", "k")] {
        let job = engine.read_table(table()).group_by([key]);
        let plan = job.agg([min(argument)]).explain();
        assert!(plan.contains(&format!("keys        {key}\n")), "{plan}");
    }
    let filtered = engine.read_table(table()).filter(col("n").gt(lit(0)));
    let plan = filtered.group_by(["k"]).count().explain();
    assert!(plan.contains("keys        k\n"), "{plan}");
}
