//! Every format round-trips keys of any bytes.

use std::fs::{self, File};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use keymill::write::{decode_base64, unescape};

use crate::command::{Folder, assert_fails, run, stdout_of, text};

type Rows = Vec<(Vec<u8>, u64)>;

/// Input for `--tokens lines`: a key may contain every byte except LF.
const INPUT: &[u8] = b"tab\there\nback\\slash\n\"quoted\", it says\nnul\0\n\xff\xfe\nplain\n\n\
    \xc3\xa9\xe6\xbc\xa2\nplain\ncarriage\rreturn\na key that is much longer than a view of twelve\n";

fn expected() -> Rows {
    let mut rows: Rows = Vec::new();
    for line in INPUT
        .strip_suffix(b"\n")
        .unwrap()
        .split(|&byte| byte == b'\n')
    {
        match rows.iter_mut().find(|row| row.0 == line) {
            Some(row) => row.1 += 1,
            None => rows.push((line.to_vec(), 1)),
        }
    }
    rows.sort();
    rows
}

fn written(format: &str) -> Vec<u8> {
    let arguments = [
        "count", "--tokens", "lines", "--sort", "key", "--format", format,
    ];
    stdout_of(&arguments, INPUT)
}

#[test]
fn tsv_round_trips() {
    let text = written("tsv");
    let row = |line: &[u8]| {
        let tab = line.iter().position(|&byte| byte == b'\t').unwrap();
        let count = str::from_utf8(&line[tab + 1..]).unwrap().parse().unwrap();
        (unescape(&line[..tab]).into_owned(), count)
    };
    let lines = text
        .strip_suffix(b"\n")
        .unwrap()
        .split(|&byte| byte == b'\n');
    assert_eq!(lines.map(row).collect::<Rows>(), expected());
}

#[test]
fn csv_has_a_heading_and_quotes() {
    let text = written("csv");
    let quoted = b"\n\"\"\"quoted\"\", it says\",1\n";
    assert!(text.starts_with(b"key,count\n\"\",1\n"));
    assert!(text.windows(quoted.len()).any(|window| window == quoted));
    assert!(text.ends_with(b"\n\xff\xfe,1\n"));
}

#[test]
fn json_round_trips() {
    let row = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let key = match value["key"].as_str() {
            Some(key) => key.as_bytes().to_vec(),
            None => decode_base64(value["key_base64"].as_str().unwrap()).unwrap(),
        };
        (key, value["count"].as_u64().unwrap())
    };
    let text_rows = written("json");
    assert_eq!(
        text(&text_rows).lines().map(row).collect::<Rows>(),
        expected()
    );
}

fn rows(batches: impl Iterator<Item = RecordBatch>) -> Rows {
    let mut rows = Rows::new();
    for batch in batches {
        let keys = batch
            .column_by_name("key")
            .unwrap()
            .as_binary_view()
            .clone();
        let counts = batch
            .column_by_name("count")
            .unwrap()
            .as_primitive::<UInt64Type>()
            .clone();
        rows.extend((0..batch.num_rows()).map(|row| (keys.value(row).to_vec(), counts.value(row))));
    }
    rows
}

/// Writes a file whose name chooses the format.
fn file(folder: &Folder, name: &str) -> File {
    let path = folder.name(name);
    let none = stdout_of(
        &["count", "--tokens", "lines", "--sort", "key", "-o", &path],
        INPUT,
    );
    assert_eq!(text(&none), "");
    File::open(path).unwrap()
}

#[test]
fn parquet_round_trips() {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
    let file = file(&Folder::new(), "out.parquet");
    let reader = ParquetRecordBatchReader::try_new(file, 4).unwrap();
    assert_eq!(rows(reader.map(Result::unwrap)), expected());
}

#[test]
fn arrow_round_trips() {
    let file = file(&Folder::new(), "out.arrow");
    let reader = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
    assert_eq!(rows(reader.map(Result::unwrap)), expected());
}

#[test]
fn a_table_can_be_written_to_a_pipe() {
    let table = stdout_of(&["count", "--format", "table"], b"b a b");
    assert_eq!(
        text(&table),
        "key  count\n───  ─────\nb        2\na        1\n"
    );
}

#[test]
fn the_file_name_chooses_the_format_unless_it_is_given() {
    let folder = Folder::new();
    for (name, arguments, begins) in [
        ("a.csv", &[][..], "key,count\n"),
        ("A.CSV", &[], "key,count\n"),
        ("a.json", &[], "{\"key\":\"x\""),
        ("a.Parquet", &[], "PAR1"),
        ("a.txt", &[], "x\t1\n"),
        ("b.csv", &["--format", "tsv"], "x\t1\n"),
    ] {
        let path = folder.name(name);
        stdout_of(&[&["count", "-o", &path], arguments].concat(), b"x");
        let written = fs::read(&path).unwrap();
        assert!(written.starts_with(begins.as_bytes()), "{name}");
    }
}

#[test]
fn top_and_sort_choose_rows() {
    let input = b"c a b c b c d";
    for (arguments, rows) in [
        (&["--top", "2"][..], "c\t3\nb\t2\n"),
        (&["--top", "0"], ""),
        (&["--top", "9"], "c\t3\nb\t2\na\t1\nd\t1\n"),
        (&["--sort", "key"], "a\t1\nb\t2\nc\t3\nd\t1\n"),
        (&["--sort", "key", "--top", "1"], "a\t1\n"),
    ] {
        let found = stdout_of(&[&["count"], arguments].concat(), input);
        assert_eq!(text(&found), rows, "{arguments:?}");
    }
    let unsorted = stdout_of(&["count", "--sort", "none"], input);
    let mut lines: Vec<&str> = text(&unsorted).lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a\t1", "b\t2", "c\t3", "d\t1"]);
}

#[test]
fn an_empty_input_has_an_empty_result_in_every_format() {
    assert_eq!(stdout_of(&["count"], b""), b"");
    assert_eq!(
        stdout_of(&["count", "--format", "csv"], b" \n"),
        b"key,count\n"
    );
    assert_eq!(stdout_of(&["count", "--format", "json"], b""), b"");
    for format in ["parquet", "arrow", "table"] {
        assert!(
            !stdout_of(&["count", "--format", format], b"").is_empty(),
            "{format}"
        );
    }
}

#[test]
fn an_unknown_format_is_named() {
    assert_fails(&["count", "--format", "xml"], 2, &["xml"]);
    assert!(text(&run(&["count", "--format", "xml"], b"").stderr).contains("parquet"));
}
