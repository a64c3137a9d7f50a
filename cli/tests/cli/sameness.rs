//! The answer does not depend on threads, memory, level or kind of input.

use crate::command::{Folder, keymill, levels, stdout_of, text};

/// Data sets that use every path: few keys, many keys, long keys, no keys.
const SETS: [&str; 4] = ["zipf-30k", "unique", "invalid-utf8", "separators"];

#[test]
fn threads_and_memory_change_nothing() {
    let folder = Folder::new();
    for name in SETS {
        let Some(set) = keymill_datasets::find(name) else {
            panic!(
                "no data set {name}; there are {:?}",
                keymill_datasets::all()
                    .iter()
                    .map(|s| s.name)
                    .collect::<Vec<_>>()
            );
        };
        let file = folder.file(name, set.to_vec(2 << 20));
        for sort in ["count", "key"] {
            let expected = stdout_of(&["count", "--sort", sort, "--threads", "1", &file], b"");
            for threads in ["1", "2", "7"] {
                for memory in ["1MiB", "8GiB"] {
                    let arguments = [
                        "count",
                        "--sort",
                        sort,
                        "--threads",
                        threads,
                        "--memory",
                        memory,
                        &file,
                    ];
                    assert!(
                        stdout_of(&arguments, b"") == expected,
                        "{name}: {arguments:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn binary_files_are_deterministic() {
    let folder = Folder::new();
    let text = keymill_datasets::find("unique").unwrap().to_vec(2 << 20);
    let file = folder.file("unique", text);
    for format in ["parquet", "arrow"] {
        let with = |threads| {
            let arguments = ["count", "--format", format, "--threads", threads, &file];
            stdout_of(&arguments, b"")
        };
        let first = with("1");
        assert!(
            ["1", "2", "2", "7"]
                .iter()
                .all(|threads| with(threads) == first),
            "{format}"
        );
    }
}

#[test]
fn levels_change_nothing() {
    let levels = levels();
    for name in SETS {
        let bytes = keymill_datasets::find(name).unwrap().to_vec(300_000);
        let expected = stdout_of(&["count", "--level", "scalar"], &bytes);
        for level in &levels {
            assert!(
                stdout_of(&["count", "--level", level], &bytes) == expected,
                "{name}: {level}"
            );
        }
    }
}

#[test]
fn a_pipe_and_a_file_are_the_same() {
    let folder = Folder::new();
    let bytes = keymill_datasets::find("zipf-30k").unwrap().to_vec(3 << 20);
    let file = folder.file("zipf", &bytes);
    assert!(stdout_of(&["count", &file], b"") == stdout_of(&["count"], &bytes));
}

/// No system can start a thread with such a stack. This simulates a limit on threads.
#[cfg(target_os = "linux")]
#[test]
fn without_new_threads_the_main_thread_counts() {
    let folder = Folder::new();
    let set = keymill_datasets::find("unique").unwrap();
    // The tables are large enough to be drained by several threads.
    let file = folder.file("unique", set.to_vec(24 << 20));
    let arguments = ["count", "--threads", "3", &file];
    let alone = keymill()
        .args(arguments)
        .env("RUST_MIN_STACK", (1_u64 << 46).to_string())
        .output()
        .expect("it runs");
    assert!(alone.status.success(), "{}", text(&alone.stderr));
    assert!(alone.stdout == stdout_of(&arguments, b""));
}
