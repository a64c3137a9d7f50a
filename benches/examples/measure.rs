//! Measures the tables of `reports/published/`. All figures of a ratio are from the same run.
//!
//! ```text
//! cargo build --release --bin keymill
//! cargo run --release -p keymill-bench --example measure > reports/published/<machine>/cpu.md
//! ```
//!
//! Arguments after `--` select parts: words (or one of its data sets), tokenize, reduce, processes.
//!
//! The alternatives of a table take turns, so a slow phase of the machine affects all of them. A
//! row has the median, the fastest and the slowest run.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use keymill::{Engine, Level, Order};
use keymill_bench::race::{RUNS, Way, print_machine, race};
use keymill_bench::{
    Rows, Totals, count_by_engine, count_by_kernel, engine, read_all, rival, text_of,
};
use keymill_kernels::stage::reduce_by_key::{ReduceByKey, Sum};
use keymill_kernels::stage::tokenize::Tokenizer;
use keymill_kernels::{HashKey, TokenRule, Tuning};

const BYTES: usize = 256 << 20;

type AnyError = Box<dyn std::error::Error>;
/// A pattern of keys: its name, and a function from a number to a key.
type Pattern = (&'static str, fn(u64) -> u64);

fn main() -> Result<(), AnyError> {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let is_selected = |part: &str| parts.is_empty() || parts.iter().any(|name| name == part);
    print_machine("Counting on the CPU", "measure");
    for name in ["zipf-30k", "zipf-1m", "book"] {
        if is_selected("words") || is_selected(name) {
            word_count(name);
        }
    }
    if is_selected("tokenize") {
        tokenize();
    }
    if is_selected("reduce") {
        for (groups, rows) in [
            (100, 20_000_000),
            (100_000, 20_000_000),
            (10_000_000, 40_000_000),
        ] {
            reduce(groups, rows);
        }
        patterns();
    }
    if is_selected("processes") {
        whole_processes()?;
    }
    Ok(())
}

fn word_count(name: &str) {
    let text = text_of(name, BYTES);
    let expected = rival::<foldhash::fast::RandomState>(text);
    let loop_of = || assert_eq!(rival::<foldhash::fast::RandomState>(text), expected);
    let mut ways: Vec<Way<'_>> = vec![("hashbrown, foldhash".into(), Box::new(loop_of))];
    for level in Level::available() {
        let run = move || assert_eq!(count_by_kernel(level, text), expected);
        ways.push((format!("{level}, 1 core"), Box::new(run)));
    }
    ways.push((
        "plain read, 1 core".into(),
        Box::new(move || {
            std::hint::black_box(read_all(text));
        }),
    ));
    race(
        &format!("Word count in memory: {name}, 256 MiB"),
        text.len(),
        "GB/s",
        ways,
    );
    by_threads(name, text, expected);
}

/// Compares engines with one and two threads, and two independent jobs at once. The last shows how
/// much two threads can gain on this machine.
fn by_threads(name: &str, text: &'static [u8], expected: Totals) {
    let [one, other, two] = [engine(1), engine(1), engine(2)];
    let halves = {
        let middle = text.len() / 2;
        let space = text[middle..].iter().position(u8::is_ascii_whitespace);
        text.split_at(middle + space.expect("the text has white space"))
    };
    let apart = || {
        let count = |engine: &Engine, half| count_by_engine(engine, half, Order::None).tokens;
        let tokens = std::thread::scope(|scope| {
            let second = scope.spawn(|| count(&other, halves.1));
            count(&one, halves.0) + second.join().expect("the other half counts")
        });
        assert_eq!(tokens, expected.tokens);
    };
    let whole = |engine: &Engine| assert_eq!(count_by_engine(engine, text, Order::None), expected);
    let ways: Vec<Way<'_>> = vec![
        ("engine, threads: 1".into(), Box::new(|| whole(&one))),
        ("engine, threads: 2".into(), Box::new(|| whole(&two))),
        (
            "two jobs at once, half of the text each".into(),
            Box::new(apart),
        ),
    ];
    let title = format!("Word count in memory by threads: {name}, 256 MiB");
    race(&title, text.len(), "GB/s", ways);
}

fn tokenize() {
    let text = text_of("zipf-30k", 256 << 10);
    let mut ways: Vec<Way<'_>> = Vec::new();
    for level in Level::available() {
        let mut tokenizer = Tokenizer::new(level, &TokenRule::Whitespace, &Tuning::DEFAULT);
        let mut spans = Vec::new();
        let run = move || {
            for _ in 0..200 {
                let done = tokenizer.tokenize(text, None, &mut spans);
                assert!(done.is_ok_and(|done| done.tokens > 0));
            }
        };
        ways.push((format!("{level}, 1 core"), Box::new(run)));
    }
    race(
        "Tokenize in the L2 cache, spans as output",
        text.len() * 200,
        "GB/s",
        ways,
    );
}

/// Compares fresh tables for each run with the cleared tables of the previous run. The difference
/// is the cost of memory that is used for the first time.
fn reduce(groups: u64, count: usize) {
    type Rival = HashMap<u64, i64, foldhash::fast::RandomState>;
    let rows = &Rows::random(count, groups, false);
    let fresh = |level| ReduceByKey::<u64, Sum>::new(level, Tuning::DEFAULT, HashKey::random());
    let refill = |sums: &mut ReduceByKey<u64, Sum>| {
        sums.clear();
        sums.update(&rows.keys, &rows.values);
        assert!(sums.size() > 0);
    };
    let refill_rival = |sums: &mut Rival| {
        sums.clear();
        rows.rival_into(sums);
        assert!(!sums.is_empty());
    };
    let mut ways: Vec<Way<'_>> = vec![(
        "hashbrown, foldhash".into(),
        Box::new(|| refill_rival(&mut Rival::default())),
    )];
    for level in Level::available() {
        let run = move || refill(&mut fresh(level));
        ways.push((format!("{level}, 1 core"), Box::new(run)));
    }
    let (mut rival, mut kept) = (Rival::default(), fresh(Level::best()));
    ways.push((
        "hashbrown, map reused".into(),
        Box::new(move || refill_rival(&mut rival)),
    ));
    ways.push((
        format!("{}, tables reused", Level::best()),
        Box::new(move || refill(&mut kept)),
    ));
    let title = format!("reduce_by_key, u64 to sum, {groups} groups");
    race(&title, count, "G rows/s", ways);
}

/// Writes a data set to a file and returns its path.
fn file_of(folder: &Path, name: &str, bytes: u64) -> Result<PathBuf, AnyError> {
    let path = folder.join(name);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    let set = keymill_datasets::find(name).ok_or("the data set is not in the registry")?;
    set.write_to(bytes, &mut file)?;
    Ok(path)
}

/// Returns the peak resident memory of the program, from its `--stats`.
fn peak(program: &Path, args: &[&str]) -> Result<String, AnyError> {
    let output = Command::new(program)
        .args(args)
        .arg("--stats")
        .stdout(Stdio::null())
        .output()?;
    let stats = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("peak memory: "));
    Ok(line.unwrap_or("unknown").to_owned())
}

/// The arguments that count words.
const COUNT: [&str; 5] = ["count", "--threads", "2", "--format", "tsv"];

fn name_of(file: &Path) -> Result<&str, AnyError> {
    Ok(file
        .to_str()
        .ok_or("the path of the temporary folder is not UTF-8")?)
}

/// The measured program.
struct Program(PathBuf);

impl Program {
    fn find() -> Self {
        let built = PathBuf::from("target/release/keymill");
        Self(std::env::var_os("KEYMILL").map_or(built, PathBuf::from))
    }

    fn run(&self, args: &[&str]) -> Result<(), AnyError> {
        let mut command = Command::new(&self.0);
        let status = command.args(args).stdout(Stdio::null()).status()?;
        assert!(status.success());
        Ok(())
    }

    /// Runs the program several times. Returns the shortest, the median and the longest time.
    fn time(&self, args: &[&str]) -> Result<[Duration; 3], AnyError> {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            self.run(args)?;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        Ok([times[0], times[RUNS / 2], times[RUNS - 1]])
    }

    /// Prints a row with throughput and memory.
    fn row(&self, job: &str, args: &[&str], file: &Path) -> Result<(), AnyError> {
        let bytes = std::fs::metadata(file)?.len();
        let file = name_of(file)?;
        let args = [&COUNT, args, &[file]].concat();
        let rate = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e6;
        let [fast, median, slow] = self.time(&args)?.map(rate);
        let memory = peak(&self.0, &args)?;
        println!("| {job} | {median:.0} MB/s | {fast:.0} | {slow:.0} | {memory} |");
        Ok(())
    }
}

/// Measures what a process adds to the work: starting, reading the file from the page cache,
/// writing the rows.
fn process_and_memory(program: &Program, folder: &Path) -> Result<(), AnyError> {
    let file = file_of(folder, "zipf-30k", BYTES as u64)?;
    let args = [&COUNT, &["--sort", "count", name_of(&file)?][..]].concat();
    let text = text_of("zipf-30k", BYTES);
    let engine = &engine(2);
    let expected = count_by_engine(engine, text, Order::None);
    let in_memory =
        |order: Order| move || assert_eq!(count_by_engine(engine, text, order.clone()), expected);
    let process = || program.run(&args).expect("the program counts");
    let ways: Vec<Way<'_>> = vec![
        (
            "in memory, unordered".into(),
            Box::new(in_memory(Order::None)),
        ),
        (
            "in memory, by count".into(),
            Box::new(in_memory(Order::Count)),
        ),
        ("whole process, by count".into(), Box::new(process)),
    ];
    let title = "A whole process compared with memory: zipf-30k, 256 MiB, 2 threads";
    race(title, text.len(), "GB/s", ways);
    Ok(())
}

fn whole_processes() -> Result<(), AnyError> {
    let program = Program::find();
    let folder = tempfile::tempdir()?;
    process_and_memory(&program, folder.path())?;
    println!("\n## Whole processes, 2 threads, output to /dev/null\n");
    println!("| job | median | fastest | slowest | peak memory |\n|---|---|---|---|---|");
    for name in ["zipf-30k", "zipf-1m", "unique"] {
        let file = file_of(folder.path(), name, BYTES as u64)?;
        for sort in ["count", "none"] {
            program.row(&format!("{name}, --sort {sort}"), &["--sort", sort], &file)?;
        }
    }
    let file = file_of(folder.path(), "unique", 108_000_000)?;
    let small = ["--memory", "64MiB"];
    program.row("8 M distinct, --memory 64MiB", &small, &file)?;
    let file = file_of(folder.path(), "zipf-30k", 4 << 30)?;
    program.row("zipf-30k, 4 GiB", &[], &file)?;
    start_up(&program, folder.path())
}

fn start_up(program: &Program, folder: &Path) -> Result<(), AnyError> {
    println!("\n## Start-up\n\n| command | median | fastest | slowest |\n|---|---|---|---|");
    let file = file_of(folder, "zipf-30k", 1000)?;
    let file = name_of(&file)?;
    for args in [&["--version"][..], &["count", file]] {
        let [fast, median, slow] = program.time(args)?.map(|time| time.as_secs_f64() * 1e3);
        let name = if args.len() > 1 {
            "count, 1 KB"
        } else {
            args[0]
        };
        println!("| {name} | {median:.1} ms | {fast:.1} | {slow:.1} |");
    }
    Ok(())
}

/// Reduces the same number of rows with random keys, and with patterns of keys that weak hashes map
/// to few slots.
fn patterns() {
    let groups = 1 << 17;
    let kinds: [Pattern; 4] = [
        ("random", |i| {
            (i + 1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
                .wrapping_mul(0xbf58_476d_1ce4_e5b9)
        }),
        ("multiples of 1000", |i| i * 1000),
        ("multiples of 2^40", |i| i << 40),
        ("different only in 17 bits in the middle", |i| {
            i << 24 | 0xab00_00cd_0012_3456 & !(0x1_ffff << 24)
        }),
    ];
    let rows = Rows::random(20_000_000, groups, true);
    let keyed: Vec<(&str, Vec<u64>)> = kinds
        .iter()
        .map(|(name, key)| (*name, rows.keys.iter().map(|&i| key(i)).collect()))
        .collect();
    let ways = keyed.iter().map(|(name, keys)| {
        let run = || {
            let mut reducer =
                ReduceByKey::<u64, Sum>::new(Level::best(), Tuning::DEFAULT, HashKey::random());
            reducer.update(keys, &rows.values);
            assert_eq!(reducer.size(), groups as usize);
        };
        ((*name).to_owned(), Box::new(run) as Box<dyn FnMut()>)
    });
    let title = "reduce_by_key, 131072 groups, by pattern of keys, each with a new hash key";
    race(title, rows.keys.len(), "G rows/s", ways.collect());
}
