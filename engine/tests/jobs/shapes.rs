//! The group-by questions of known benchmarks over tables of the same shape, compared with plain maps.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use keymill::prelude::*;
use keymill::read::Table;
use keymill_datasets::{Generator, H2o, H2oRow, Rng, Stations};

/// Runs a statement over CSV.
fn run(table: &str, columns: &str, threads: usize, statement: &str) -> RecordBatch {
    let columns = columns.split_terminator('|').map(|it| it.parse().unwrap());
    let table = Table::of_bytes(table.to_owned()).columns(columns.collect::<Vec<_>>());
    let engine = Engine::builder().threads(threads).build().unwrap();
    let rows = engine.read_table(table).sql(statement).unwrap().collect();
    rows.unwrap().to_batch().unwrap()
}

/// The values of a column as texts; null is `-`.
fn texts(column: &ArrayRef) -> Vec<String> {
    let column = cast(column, &DataType::Utf8).unwrap();
    let values = column.as_string::<i32>().iter();
    values
        .map(|value| value.unwrap_or("-").to_owned())
        .collect()
}

/// The values of a column as numbers; those of a list one after another.
fn numbers(column: &ArrayRef, row: usize) -> Vec<f64> {
    let values = match column.data_type() {
        DataType::List(_) => column.as_list::<i32>().value(row),
        _ => column.slice(row, 1),
    };
    let values = cast(&values, &DataType::Float64).unwrap();
    values
        .as_primitive::<Float64Type>()
        .iter()
        .map(Option::unwrap)
        .collect()
}

fn written(generator: &dyn Generator) -> String {
    let mut bytes = Vec::new();
    generator.write_to(u64::MAX, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn assert_close(found: &[f64], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(wanted) {
        let most = 1e-9 * wanted.abs().max(1e-3);
        assert!(
            (found - wanted).abs() <= most,
            "{what}: {found} is not {wanted}"
        );
    }
}

type Answers = fn(&[&H2oRow]) -> Vec<f64>;

fn all(rows: &[&H2oRow], of: fn(&H2oRow) -> f64) -> Vec<f64> {
    rows.iter().map(|row| of(row)).collect()
}

fn v1(row: &H2oRow) -> f64 {
    row.v1 as f64
}

fn v2(row: &H2oRow) -> f64 {
    row.v2 as f64
}

fn v3(row: &H2oRow) -> f64 {
    row.v3 as f64 / 1e6
}

fn total(values: &[f64]) -> f64 {
    values.iter().sum()
}

fn average(values: &[f64]) -> f64 {
    total(values) / values.len() as f64
}

/// Values in order, smallest first.
fn in_order(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn median_and_deviation(rows: &[&H2oRow]) -> Vec<f64> {
    let values = in_order(all(rows, v3));
    let half = values.len() / 2;
    let median = match values.len() % 2 {
        0 => f64::midpoint(values[half - 1], values[half]),
        _ => values[half],
    };
    let mean = average(&values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    vec![median, (squares / (values.len() - 1) as f64).sqrt()]
}

fn explained(rows: &[&H2oRow]) -> Vec<f64> {
    let (y, x) = (all(rows, v1), all(rows, v2));
    let (of_y, of_x) = (average(&y), average(&x));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (y, x) in y.iter().zip(&x) {
        xy += (y - of_y) * (x - of_x);
        xx += (x - of_x).powi(2);
        yy += (y - of_y).powi(2);
    }
    vec![xy * xy / (xx * yy)]
}

/// The keys by their numbers, the aggregates, and what they are.
const QUESTIONS: [(&[usize], &str, Answers); 10] = [
    (&[1], "sum(v1)", |rows| vec![total(&all(rows, v1))]),
    (&[1, 2], "sum(v1)", |rows| vec![total(&all(rows, v1))]),
    (&[3], "sum(v1), mean(v3)", |rows| {
        vec![total(&all(rows, v1)), average(&all(rows, v3))]
    }),
    (&[4], "mean(v1), mean(v2), mean(v3)", |rows| {
        [v1, v2, v3].map(|of| average(&all(rows, of))).to_vec()
    }),
    (&[6], "sum(v1), sum(v2), sum(v3)", |rows| {
        [v1, v2, v3].map(|of| total(&all(rows, of))).to_vec()
    }),
    (&[4, 5], "median(v3), stddev(v3)", median_and_deviation),
    (&[3], "max(v1) - min(v2)", |rows| {
        vec![in_order(all(rows, v1)).last().unwrap() - in_order(all(rows, v2))[0]]
    }),
    (&[6], "top(v3, 2)", |rows| {
        in_order(all(rows, v3)).into_iter().rev().take(2).collect()
    }),
    (&[2, 4], "r2(v1, v2)", explained),
    (&[1, 2, 3, 4, 5, 6], "sum(v3), count(*)", |rows| {
        vec![total(&all(rows, v3)), rows.len() as f64]
    }),
];

#[test]
fn the_ten_questions_of_h2o() {
    let set = H2o {
        seed: 5,
        rows: 100_000,
        groups: 50,
    };
    let (table, rows) = (written(&set), set.iter().collect::<Vec<_>>());
    for (number, (keys, aggregates, answers)) in QUESTIONS.into_iter().enumerate() {
        let mut groups = BTreeMap::<Vec<String>, Vec<&H2oRow>>::new();
        for row in &rows {
            let key = |&id: &usize| match id {
                1..=3 => row.texts()[id - 1].clone(),
                _ => row.ids[id - 1].to_string(),
            };
            groups
                .entry(keys.iter().map(key).collect())
                .or_default()
                .push(row);
        }
        let names: Vec<_> = keys.iter().map(|id| format!("id{id}")).collect();
        let names = names.join(", ");
        let statement = format!("SELECT {names}, {aggregates} FROM t GROUP BY {names}");
        let found = run(&table, "", 1 + number % 3, &statement);
        assert_eq!(found.num_rows(), groups.len(), "{statement}");
        let columns: Vec<_> = (0..keys.len())
            .map(|key| texts(found.column(key)))
            .collect();
        for row in 0..found.num_rows() {
            let key: Vec<_> = columns.iter().map(|column| column[row].clone()).collect();
            let wanted = answers(&groups[&key]);
            let found = found.columns()[keys.len()..].iter();
            let found: Vec<_> = found.flat_map(|column| numbers(column, row)).collect();
            assert_close(&found, &wanted, &format!("{statement}: {key:?}"));
        }
    }
}

#[test]
fn measurements_of_stations_with_any_name() {
    for stations in [413, 10_000] {
        let set = Stations {
            seed: 8,
            stations,
            rows: 50_000,
        };
        let mut wanted = BTreeMap::<String, (i64, i64, i64, i64)>::new();
        for (station, tenths) in set.iter() {
            let all = wanted
                .entry(set.name(station))
                .or_insert((i64::MAX, i64::MIN, 0, 0));
            *all = (
                all.0.min(tenths),
                all.1.max(tenths),
                all.2 + tenths,
                all.3 + 1,
            );
        }
        for (threads, of) in [(1, "float"), (3, "decimal(4,1)")] {
            let columns = [
                "station".parse().unwrap(),
                format!("t:{of}").parse().unwrap(),
            ];
            let table = Table::of_bytes(written(&set))
                .header(false)
                .delimiter(b';')
                .columns(columns);
            let engine = Engine::builder().threads(threads).build().unwrap();
            let statement =
                "SELECT station, min(t), max(t), sum(t), mean(t) FROM t GROUP BY station";
            let found = engine
                .read_table(table)
                .sql(statement)
                .unwrap()
                .collect()
                .unwrap();
            let found = found.to_batch().unwrap();
            // Groups are in the order of the bytes of their keys, as in the map.
            let names: Vec<_> = wanted.keys().cloned().collect();
            assert_eq!(texts(found.column(0)), names);
            for (row, (name, (least, most, sum, count))) in wanted.iter().enumerate() {
                let answers = found.columns()[1..].iter();
                let answers: Vec<_> = answers.flat_map(|column| numbers(column, row)).collect();
                let tenths = [
                    *least as f64,
                    *most as f64,
                    *sum as f64,
                    *sum as f64 / *count as f64,
                ];
                assert_close(&answers, &tenths.map(|it| it / 10.0), name);
            }
        }
    }
}

#[test]
fn the_first_question_of_tpch_with_decimals() {
    let mut rng = Rng::new(11);
    let mut table = String::from("flag,status,quantity,price,discount,tax,shipped\n");
    let mut wanted = BTreeMap::<(char, char), ([i128; 5], u64)>::new();
    for _ in 0..30_000 {
        let flag = ['A', 'N', 'R'][rng.below(3) as usize];
        let status = ['F', 'O'][rng.below(2) as usize];
        let (quantity, price) = (100 * (1 + rng.below(50)), 90_000 + rng.below(10_000_000));
        let (discount, tax, day) = (rng.below(11), rng.below(9), 1 + rng.below(28));
        let [q, p, d, t] =
            [quantity, price, discount, tax].map(|it| format!("{}.{:02}", it / 100, it % 100));
        writeln!(table, "{flag},{status},{q},{p},{d},{t},1998-09-{day:02}").unwrap();
        if day <= 2 {
            continue;
        }
        let [quantity, price, discount, tax] = [quantity, price, discount, tax].map(i128::from);
        let (sums, count) = wanted.entry((flag, status)).or_default();
        let discounted = price * (100 - discount);
        for (sum, value) in sums.iter_mut().zip([
            quantity,
            price,
            discounted,
            discounted * (100 + tax),
            discount,
        ]) {
            *sum += value;
        }
        *count += 1;
    }
    let decimals =
        "quantity:decimal(15,2)|price:decimal(15,2)|discount:decimal(15,2)|tax:decimal(15,2)";
    let found = run(
        &table,
        decimals,
        2,
        "SELECT flag, status, sum(quantity), sum(price), sum(price * (1 - discount)), \
         sum(price * (1 - discount) * (1 + tax)), avg(discount), count(*) \
         FROM t WHERE shipped > '1998-09-02' GROUP BY flag, status ORDER BY flag, status",
    );
    assert_eq!(found.num_rows(), wanted.len());
    let columns: Vec<_> = found.columns().iter().map(texts).collect();
    for (row, ((flag, status), (sums, count))) in wanted.iter().enumerate() {
        let scaled = |sum: i128, scale: u32| {
            let unit = 10i128.pow(scale);
            format!(
                "{}.{:0width$}",
                sum / unit,
                sum % unit,
                width = scale as usize
            )
        };
        let exact = [
            scaled(sums[0], 2),
            scaled(sums[1], 2),
            scaled(sums[2], 4),
            scaled(sums[3], 6),
        ];
        let keys = [flag.to_string(), status.to_string()];
        let wanted: Vec<_> = keys.into_iter().chain(exact).collect();
        let texts: Vec<_> = columns[..6]
            .iter()
            .map(|column| column[row].clone())
            .collect();
        assert_eq!(texts, wanted);
        let mean = sums[4] as f64 / 100.0 / *count as f64;
        assert_close(&numbers(found.column(6), row), &[mean], "avg(discount)");
        assert_eq!(columns[7][row], count.to_string());
    }
}

#[test]
fn the_questions_of_clickbench_over_strings() {
    let mut rng = Rng::new(12);
    let mut table = String::from("user,region,phrase,url\n");
    let mut rows = Vec::new();
    for _ in 0..20_000 {
        let (user, region) = (rng.below(3000), rng.below(40));
        let phrase = match rng.below(5) {
            0..3 => String::new(),
            _ => format!(
                "погода \"{}\", {}",
                rng.below(30),
                ["карта", "x"][rng.below(2) as usize]
            ),
        };
        let url = format!(
            "http://{}/{}",
            ["www.google.com", "a.b"][rng.below(2) as usize],
            rng.below(500)
        );
        let quoted = phrase.replace('"', "\"\"");
        writeln!(table, "{user},{region},\"{quoted}\",{url}").unwrap();
        rows.push((user, region, phrase, url));
    }
    let mut by_phrase = BTreeMap::<&str, (u64, HashSet<u64>, &str)>::new();
    let mut by_region = BTreeMap::<u64, HashSet<u64>>::new();
    for (user, region, phrase, url) in &rows {
        by_region.entry(*region).or_default().insert(*user);
        if !phrase.is_empty() && url.contains("google") {
            let all = by_phrase.entry(phrase).or_insert((0, HashSet::new(), url));
            all.0 += 1;
            all.1.insert(*user);
            all.2 = all.2.min(url);
        }
    }
    let mut wanted: Vec<_> = by_phrase.into_iter().collect();
    wanted.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
    let found = run(
        &table,
        "",
        2,
        "SELECT phrase, count(*) AS c, count(DISTINCT \"user\"), min(url) FROM t \
         WHERE url LIKE '%google%' AND phrase <> '' GROUP BY phrase ORDER BY c DESC, phrase LIMIT 10",
    );
    let columns: Vec<_> = found.columns().iter().map(texts).collect();
    assert_eq!(found.num_rows(), 10);
    for (row, (phrase, (count, users, url))) in wanted[..10].iter().enumerate() {
        let wanted = [
            phrase.to_string(),
            count.to_string(),
            users.len().to_string(),
            url.to_string(),
        ];
        assert_eq!(
            columns.iter().map(|it| it[row].clone()).collect::<Vec<_>>(),
            wanted
        );
    }
    let found = run(
        &table,
        "",
        3,
        "SELECT region, count(DISTINCT \"user\") FROM t GROUP BY region",
    );
    let users: Vec<_> = by_region
        .values()
        .map(|users| users.len().to_string())
        .collect();
    assert_eq!(texts(found.column(1)), users);
}
