//! Measures tables for `reports/published/`. The alternatives take turns, so a slow phase of the
//! machine affects all of them.

use std::process::Command;
use std::time::{Duration, Instant};

use keymill::Level;

/// Number of runs of each alternative.
pub const RUNS: usize = 7;

/// An alternative way to do the job: its name, and a function that runs it once.
pub type Way<'a> = (String, Box<dyn FnMut() + 'a>);

/// Prints the title of a page, the machine, the versions and the command.
pub fn print_machine(title: &str, example: &str) {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "));
    let system = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let levels: Vec<_> = Level::available()
        .iter()
        .map(|level| level.name())
        .collect();
    println!("# {title}\n");
    println!(
        "- processor: {}, {cores} cores given",
        model.unwrap_or("unknown")
    );
    println!("- levels: {}", levels.join(", "));
    println!("- system: {} {}", std::env::consts::OS, system.trim());
    println!(
        "- keymill {}, commit {}, {}",
        env!("CARGO_PKG_VERSION"),
        output_of("git", &["describe", "--always", "--dirty"]),
        output_of("rustc", &["--version"])
    );
    println!(
        "- command: `cargo run --release -p keymill-bench --example {example}`, {RUNS} runs each, in turns"
    );
}

fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().ok();
    let successful = output.filter(|output| output.status.success());
    successful.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// Runs each alternative [`RUNS`] times in turns and prints a row for each: the median, the fastest
/// and the slowest run, and the throughput relative to the first row.
pub fn race(title: &str, amount: usize, unit: &str, mut ways: Vec<Way<'_>>) {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
    for _ in 0..RUNS {
        for ((_, run), times) in ways.iter_mut().zip(&mut times) {
            let start = Instant::now();
            run();
            times.push(start.elapsed());
        }
    }
    println!("\n## {title}\n\n| way | median | fastest | slowest | times the first |");
    println!("|---|---|---|---|---|");
    let rate = |time: Duration| amount as f64 / time.as_secs_f64() / 1e9;
    let mut base = None;
    for ((name, _), times) in ways.iter().zip(&mut times) {
        times.sort_unstable();
        let (fast, median, slow) = (times[0], times[RUNS / 2], times[RUNS - 1]);
        let base = *base.get_or_insert(median);
        println!(
            "| {name} | {:.3} {unit} | {:.3} | {:.3} | {:.2} |",
            rate(median),
            rate(fast),
            rate(slow),
            base.as_secs_f64() / median.as_secs_f64()
        );
    }
}
