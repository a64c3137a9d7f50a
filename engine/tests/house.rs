//! The house test: the rules of the repository that no compiler keeps.
//!
//! Each rule is a function from a list of files to a list of offences, so that every rule has
//! two cases: this repository offends nothing, and a planted offence is found.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A file of the repository: its path from the root, with `/`, and its text.
struct File {
    path: String,
    text: String,
}

type Rule = fn(&[File]) -> Vec<String>;

// ---------------------------------------------------------------------------------------------
// What the rules know about this repository. Tables, so that a change is one line with a reason.

/// Where the GPU's own crates may be named.
const GPU_HOME: &str = "engine/src/device/gpu";
const GPU_CRATES: [&str; 2] = ["wgpu", "pollster"];

/// Where `unsafe` may stand, and why.
const UNSAFE_HOMES: [(&str, &str); 4] = [
    ("kernels/src/isa", "SIMD intrinsics"),
    ("kernels/src/table", "unchecked probes and prefetch"),
    ("kernels/src/buffer", "uninitialised and huge-page memory"),
    (
        "engine/src/device/gpu/module",
        "the one call that makes unchecked shader modules",
    ),
];

/// The four places in which a stage has the same file stem.
const STAGE_PLACES: [&str; 4] = [
    "kernels/src/stage",
    "shaders/wgsl",
    "engine/src/stage",
    "benches/stage",
];

/// `(stem, place, why there is no twin)`; `*` stands for every stem while the place is empty.
const NO_TWIN: [(&str, &str, &str); 3] = [
    ("*", "shaders/wgsl", "WGSL comes with the GPU stages"),
    (
        "*",
        "engine/src/stage",
        "the engine's stages are being written",
    ),
    ("*", "benches/stage", "the benches are being written"),
];

/// What a crate may use: other crates of the house, the same for its tests only, and crates from
/// outside (`["*"]`: any but those of [`GPU_CRATES`]).
struct Imports {
    folder: &'static str,
    house: &'static [&'static str],
    house_in_tests: &'static [&'static str],
    outside: &'static [&'static str],
}

const IMPORTS: [Imports; 8] = [
    Imports {
        folder: "kernels",
        house: &[],
        house_in_tests: &[],
        outside: &["bytemuck", "hashbrown", "rayon", "libc"],
    },
    Imports {
        folder: "shaders",
        house: &[],
        house_in_tests: &["keymill-kernels"],
        outside: &["bytemuck"],
    },
    Imports {
        folder: "engine",
        house: &["keymill-kernels", "keymill-shaders"],
        house_in_tests: &["keymill-datasets"],
        outside: &["*", "wgpu", "pollster"],
    },
    Imports {
        folder: "connectors",
        house: &["keymill"],
        house_in_tests: &[],
        outside: &["*"],
    },
    Imports {
        folder: "benches",
        house: &["keymill", "keymill-kernels", "keymill-datasets"],
        house_in_tests: &[],
        outside: &["*"],
    },
    Imports {
        folder: "datasets",
        house: &[],
        house_in_tests: &[],
        outside: &[],
    },
    Imports {
        folder: "reports",
        house: &["keymill", "keymill-datasets"],
        house_in_tests: &[],
        outside: &["*"],
    },
    Imports {
        folder: "cli",
        house: &[
            "keymill",
            "keymill-connectors",
            "keymill-datasets",
            "keymill-report",
        ],
        house_in_tests: &[],
        outside: &["*"],
    },
];

const MOST_LINES: usize = 500;
const NAMES_THAT_SAY_NOTHING: [&str; 7] = [
    "util", "utils", "helper", "helpers", "base", "manager", "misc",
];

// ---------------------------------------------------------------------------------------------
// The rules.

fn gpu_crates_stay_in_their_folder(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in rust(files).filter(|file| !file.path.starts_with(GPU_HOME)) {
        let code = code_only(&file.text);
        for name in GPU_CRATES {
            if let Some(line) = line_of_word(&code, name) {
                offences.push(format!(
                    "{}:{line}: `{name}` outside {GPU_HOME}*",
                    file.path
                ));
            }
        }
    }
    offences
}

fn unsafe_stays_in_its_homes(files: &[File]) -> Vec<String> {
    rust(files)
        .filter(|file| !may_be_unsafe(&file.path))
        .filter_map(|file| {
            let line = line_of_word(&code_only(&file.text), "unsafe")?;
            Some(format!("{}:{line}: `unsafe` outside its homes", file.path))
        })
        .collect()
}

/// Every module outside the homes forbids `unsafe`, itself or by a module above it; the crate that
/// holds the homes denies it at its root.
fn unsafe_is_forbidden_elsewhere(files: &[File]) -> Vec<String> {
    let forbidding: BTreeSet<&str> = rust(files)
        .filter(|file| says(file, "#![forbid(unsafe_code)]"))
        .map(|file| file.path.as_str())
        .collect();
    let above_a_home = |path: &str| {
        UNSAFE_HOMES
            .iter()
            .any(|(home, _)| home.starts_with(&module_folder(path)))
    };
    let mut offences = Vec::new();
    for file in
        rust(files).filter(|file| !may_be_unsafe(&file.path) && !file.path.starts_with("fuzz/"))
    {
        let covered = modules_above(&file.path)
            .iter()
            .any(|path| forbidding.contains(path.as_str()));
        let denied = above_a_home(&file.path) && says(file, "#![deny(unsafe_code)]");
        if !covered && !denied {
            offences.push(format!(
                "{}: neither it nor a module above it says #![forbid(unsafe_code)]",
                file.path
            ));
        }
    }
    offences
}

fn stages_have_their_twins(files: &[File]) -> Vec<String> {
    twins(files, &NO_TWIN)
}

fn twins(files: &[File], excused: &[(&str, &str, &str)]) -> Vec<String> {
    let stems: BTreeMap<&str, BTreeSet<String>> = STAGE_PLACES
        .into_iter()
        .map(|place| (place, stems_in(files, place)))
        .collect();
    let every: BTreeSet<&String> = stems.values().flatten().collect();
    let mut offences = Vec::new();
    for (place, here) in &stems {
        let place_excused = excused
            .iter()
            .any(|(stem, at, _)| *stem == "*" && at == place);
        for stem in every.iter().filter(|stem| !here.contains(**stem)) {
            let excused = excused
                .iter()
                .any(|(name, at, _)| name == *stem && at == place);
            if !excused && !(place_excused && here.is_empty()) {
                offences.push(format!(
                    "{place}: no file for the stage `{stem}`, and no row in NO_TWIN says why"
                ));
            }
        }
    }
    for (stem, place, _) in excused {
        let here = &stems[place];
        let stale = if *stem == "*" {
            !here.is_empty()
        } else {
            here.contains(*stem)
        };
        if stale {
            offences.push(format!(
                "NO_TWIN: the row (`{stem}`, {place}) is out of date: take it out"
            ));
        }
    }
    offences
}

fn crates_import_only_what_they_may(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for (folder, manifest) in manifests(files) {
        let Some(may) = IMPORTS.iter().find(|row| row.folder == folder) else {
            offences.push(format!(
                "{}: this crate has no row in IMPORTS",
                manifest.path
            ));
            continue;
        };
        for dependency in dependencies(&manifest.text) {
            if !may.allows(&dependency) {
                offences.push(format!(
                    "{}: may not use `{}`",
                    manifest.path, dependency.name
                ));
            }
        }
    }
    offences
}

fn versions_and_lints_stand_once(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for (_, manifest) in manifests(files) {
        let mut complain = |what: String| offences.push(format!("{}: {what}", manifest.path));
        for key in ["version", "edition", "rust-version", "license"] {
            if !entries(&manifest.text, |table| table == "package").any(|line| inherits(line, key))
            {
                complain(format!("`{key}.workspace = true` is missing"));
            }
        }
        if !entries(&manifest.text, |table| table == "lints").any(|line| line == "workspace = true")
        {
            complain("[lints] does not say `workspace = true`".into());
        }
        for dependency in dependencies(&manifest.text).filter(|dependency| !dependency.inherited) {
            complain(format!(
                "`{}` states its own version; write it in the workspace",
                dependency.name
            ));
        }
    }
    offences
}

fn files_are_short(files: &[File]) -> Vec<String> {
    rust(files)
        .filter(|file| !file.path.contains("/tests/") && !is_generated(file))
        .filter_map(|file| {
            let lines = file
                .text
                .lines()
                .take_while(|line| line.trim() != "#[cfg(test)]")
                .count();
            (lines > MOST_LINES).then(|| {
                format!(
                    "{}: {lines} lines without tests: two things in one file?",
                    file.path
                )
            })
        })
        .collect()
}

fn names_say_something(files: &[File]) -> Vec<String> {
    let silent = |file: &&File| {
        file.path
            .split('/')
            .any(|part| NAMES_THAT_SAY_NOTHING.contains(&part.trim_end_matches(".rs")))
    };
    rust(files)
        .filter(silent)
        .map(|file| format!("{}: this name says nothing", file.path))
        .collect()
}

// ---------------------------------------------------------------------------------------------
// Reading Cargo.toml: the few forms this repository uses.

struct Dependency {
    name: String,
    for_tests: bool,
    inherited: bool,
}

impl Imports {
    fn allows(&self, dependency: &Dependency) -> bool {
        let name = dependency.name.as_str();
        if name == "keymill" || name.starts_with("keymill-") {
            return self.house.contains(&name)
                || dependency.for_tests && self.house_in_tests.contains(&name);
        }
        if GPU_CRATES.contains(&name) {
            return self.outside.contains(&name);
        }
        dependency.for_tests || self.outside.contains(&"*") || self.outside.contains(&name)
    }
}

/// The crates' manifests with their folders; the workspace's own and the fuzzers' are no crates of
/// the house.
fn manifests(files: &[File]) -> impl Iterator<Item = (&str, &File)> {
    files.iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        (folder != "fuzz" && !folder.contains('/')).then_some((folder, file))
    })
}

/// The lines of those tables whose name `wanted` accepts.
fn entries<'t>(toml: &'t str, wanted: impl Fn(&str) -> bool + 't) -> impl Iterator<Item = &'t str> {
    let mut inside = false;
    toml.lines().map(str::trim).filter(move |line| {
        if let Some(table) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            inside = wanted(table);
            return false;
        }
        inside && !line.is_empty() && !line.starts_with('#')
    })
}

fn dependencies(toml: &str) -> impl Iterator<Item = Dependency> + '_ {
    let of = |for_tests: bool, suffix: &'static [&'static str]| {
        entries(toml, move |table| {
            suffix
                .iter()
                .any(|end| table == *end || table.ends_with(&format!(".{end}")))
        })
        .filter(|line| line.contains('='))
        .map(move |line| Dependency {
            name: line
                .split(['.', '=', ' '])
                .next()
                .unwrap_or_default()
                .to_owned(),
            for_tests,
            inherited: line.replace(' ', "").contains("workspace=true"),
        })
    };
    of(false, &["dependencies", "build-dependencies"]).chain(of(true, &["dev-dependencies"]))
}

fn inherits(line: &str, key: &str) -> bool {
    line.replace(' ', "") == format!("{key}.workspace=true")
}

// ---------------------------------------------------------------------------------------------
// Reading Rust: enough to tell code from comments and strings, and modules from their parents.

fn rust(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.path.ends_with(".rs"))
}

fn may_be_unsafe(path: &str) -> bool {
    UNSAFE_HOMES.iter().any(|(home, _)| {
        path.strip_prefix(home)
            .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    })
}

fn says(file: &File, attribute: &str) -> bool {
    code_only(&file.text)
        .lines()
        .any(|line| line.trim() == attribute)
}

fn is_generated(file: &File) -> bool {
    file.text
        .lines()
        .take(10)
        .any(|line| line.contains("@generated"))
}

fn stems_in(files: &[File], place: &str) -> BTreeSet<String> {
    let stem = |file: &File| {
        let inside = file.path.strip_prefix(place)?.strip_prefix('/')?;
        let stem = inside.split(['/', '.']).next()?;
        (stem != "mod").then(|| stem.to_owned())
    };
    files.iter().filter_map(stem).collect()
}

/// The folder that holds a module's children: `a/src/lib.rs` → `a/src`, `a/src/x.rs` → `a/src/x`.
fn module_folder(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    match stem.rsplit_once('/') {
        Some((folder, "lib" | "main" | "mod")) => folder.to_owned(),
        _ => stem.to_owned(),
    }
}

/// The file itself and every file that can be a module above it, up to the crate's root.
fn modules_above(path: &str) -> Vec<String> {
    let mut above = vec![path.to_owned()];
    let mut folder = path;
    while let Some((parent, _)) = folder.rsplit_once('/') {
        for name in ["mod.rs", "lib.rs", "main.rs"] {
            above.push(format!("{parent}/{name}"));
        }
        above.push(format!("{parent}.rs"));
        if parent.ends_with("/src") {
            break;
        }
        folder = parent;
    }
    above
}

/// The text with comments, strings and character literals blanked; lines stay where they are.
fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + skipped(&bytes[at..], at > 0 && is_word(bytes[at - 1]));
        if end == at {
            code.push(char::from(bytes[at]));
            at += 1;
        } else {
            code.extend(
                bytes[at..end]
                    .iter()
                    .map(|&byte| if byte == b'\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    code
}

/// How many bytes at the start are a comment or a literal; 0: none are.
fn skipped(rest: &[u8], inside_a_word: bool) -> usize {
    match rest {
        [b'/', b'/', ..] => rest
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', _, b'\'', ..] => 3,
        [b'r', ..] if !inside_a_word => raw_string(&rest[1..]).map_or(0, |length| length + 1),
        [b'b' | b'c', b'r', ..] if !inside_a_word => {
            raw_string(&rest[2..]).map_or(0, |length| length + 2)
        }
        _ => 0,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string(after_r: &[u8]) -> Option<usize> {
    let hashes = after_r.iter().take_while(|&&byte| byte == b'#').count();
    if after_r.get(hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = &after_r[hashes + 1..];
    let length = body
        .windows(close.len())
        .position(|window| window == close)
        .unwrap_or(body.len() - close.len());
    Some(hashes + 1 + length + close.len())
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// The first line, from 1, on which `word` stands by itself.
fn line_of_word(code: &str, word: &str) -> Option<usize> {
    let stands = |line: &str| {
        line.split(|c: char| c != '_' && !c.is_ascii_alphanumeric())
            .any(|part| part == word)
    };
    code.lines().position(stands).map(|index| index + 1)
}

// ---------------------------------------------------------------------------------------------
// The repository as it is.

fn repository() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the engine lies in the workspace");
    let mut files = Vec::new();
    read_folder(root, root, &mut files);
    assert!(
        files.iter().any(|file| file.path == "kernels/src/lib.rs"),
        "the whole repository is read"
    );
    files
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be read") {
        let path = entry.expect("its entries too").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            read_folder(root, &path, files);
        } else if [".rs", ".toml", ".wgsl"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            let relative = path.strip_prefix(root).expect("it lies under the root");
            let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
            files.push(File {
                path: relative.to_string_lossy().replace('\\', "/"),
                text,
            });
        }
    }
}

fn kept(rule: Rule) {
    let offences = rule(&repository());
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// Plants files and expects each of them, and nothing else, to be an offence of `rule`.
fn caught(rule: Rule, innocent: &[(&str, &str)], guilty: &[(&str, &str)]) {
    let plant = |rows: &[(&str, &str)]| -> Vec<File> {
        rows.iter()
            .map(|(path, text)| File {
                path: (*path).into(),
                text: (*text).into(),
            })
            .collect()
    };
    assert_eq!(rule(&plant(innocent)), Vec::<String>::new());
    for row in guilty {
        let found = rule(&plant(&[innocent, &[*row]].concat()));
        assert_eq!(found.len(), 1, "{row:?}: {found:?}");
        assert!(found[0].contains(row.0), "{row:?}: {found:?}");
    }
}

mod keeps {
    use super::*;

    #[test]
    fn gpu_crates_in_their_folder() {
        kept(gpu_crates_stay_in_their_folder);
        caught(
            gpu_crates_stay_in_their_folder,
            &[
                ("engine/src/device/gpu/run.rs", "use wgpu::Device;"),
                ("cli/src/a.rs", "// wgpu\nlet a = \"wgpu\";"),
            ],
            &[
                ("engine/src/plan.rs", "use wgpu::Device;"),
                ("cli/src/main.rs", "pollster::block_on(x)"),
            ],
        );
    }

    #[test]
    fn unsafe_in_its_homes() {
        kept(unsafe_stays_in_its_homes);
        caught(
            unsafe_stays_in_its_homes,
            &[
                ("kernels/src/isa/avx2.rs", "unsafe { load() }"),
                ("kernels/src/table.rs", "unsafe { probe() }"),
                (
                    "engine/src/a.rs",
                    "/* unsafe /* */ unsafe */ let c = '\"'; let s = r#\"unsafe \" unsafe\"#;",
                ),
                (
                    "engine/src/b.rs",
                    "fn a<'a>(x: &'a str) { \"\\\"unsafe\" } // unsafe\n#![forbid(unsafe_code)]",
                ),
            ],
            &[
                (
                    "kernels/src/stage/tokenize.rs",
                    "let a = '\"'; unsafe { f() }",
                ),
                ("kernels/src/tables.rs", "unsafe fn f() {}"),
                ("engine/tests/x.rs", "let s = r\"\\\"; unsafe { f() }"),
            ],
        );
    }

    #[test]
    fn unsafe_forbidden_elsewhere() {
        kept(unsafe_is_forbidden_elsewhere);
        caught(
            unsafe_is_forbidden_elsewhere,
            &[
                ("kernels/src/lib.rs", "//! Kernels.\n#![deny(unsafe_code)]"),
                ("kernels/src/isa/mod.rs", ""),
                ("kernels/src/stage/mod.rs", "#![forbid(unsafe_code)]"),
                ("kernels/src/stage/frame.rs", ""),
                ("engine/src/lib.rs", "#![forbid(unsafe_code)]"),
                ("engine/src/plan/build.rs", ""),
            ],
            &[
                ("kernels/src/oracle.rs", "// #![forbid(unsafe_code)]"),
                ("cli/src/lib.rs", "#![deny(unsafe_code)]"),
                ("engine/tests/exact.rs", ""),
            ],
        );
    }

    #[test]
    fn twins_of_each_stage() {
        kept(stages_have_their_twins);
        let planted = |paths: &[&str]| -> Vec<File> {
            paths
                .iter()
                .map(|path| File {
                    path: (*path).into(),
                    text: String::new(),
                })
                .collect()
        };
        let whole = [
            "kernels/src/stage/frame.rs",
            "engine/src/stage/frame.rs",
            "benches/stage/frame.rs",
        ];
        let rows = [
            ("*", "shaders/wgsl", "later"),
            ("lower", "benches/stage", "too small to time"),
        ];
        assert_eq!(twins(&planted(&whole), &rows), Vec::<String>::new());
        assert_eq!(
            twins(&planted(&whole[..2]), &rows).len(),
            1,
            "a bench is missing"
        );
        assert_eq!(
            twins(
                &planted(&[&whole[..], &["shaders/wgsl/frame.wgsl"]].concat()),
                &rows
            )
            .len(),
            1,
            "stale row"
        );
        assert_eq!(
            twins(
                &planted(&[&whole[..], &["kernels/src/stage/lower/mod.rs"]].concat()),
                &rows
            )
            .len(),
            1
        );
    }

    #[test]
    fn imports() {
        kept(crates_import_only_what_they_may);
        caught(
            crates_import_only_what_they_may,
            &[
                (
                    "kernels/Cargo.toml",
                    "[dependencies]\nrayon.workspace = true\n[dev-dependencies]\nproptest.workspace = true",
                ),
                (
                    "engine/Cargo.toml",
                    "[dependencies]\nkeymill-kernels.workspace = true\nwgpu = { workspace = true }",
                ),
            ],
            &[
                (
                    "datasets/Cargo.toml",
                    "[dependencies]\nsha2.workspace = true",
                ),
                (
                    "cli/Cargo.toml",
                    "[target.'cfg(unix)'.dependencies]\nkeymill-kernels.workspace = true",
                ),
                (
                    "benches/Cargo.toml",
                    "[dev-dependencies]\nwgpu.workspace = true",
                ),
                ("newcomer/Cargo.toml", ""),
            ],
        );
    }

    #[test]
    fn versions_and_lints_once() {
        kept(versions_and_lints_stand_once);
        let head = "[package]\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n";
        let good =
            format!("{head}license.workspace = true\n[lints]\nworkspace = true\n[dependencies]\n");
        let own = format!("{good}rayon = \"1\"");
        let silent = good.replace("[lints]\nworkspace = true\n", "");
        let dated = good.replace("edition.workspace = true", "edition = \"2021\"");
        caught(
            versions_and_lints_stand_once,
            &[(
                "kernels/Cargo.toml",
                &format!("{good}rayon = {{ workspace = true, optional = true }}"),
            )],
            &[
                ("engine/Cargo.toml", &own),
                ("cli/Cargo.toml", &silent),
                ("reports/Cargo.toml", &dated),
            ],
        );
    }

    #[test]
    fn short_files() {
        kept(files_are_short);
        let long = "x;\n".repeat(MOST_LINES + 1);
        caught(
            files_are_short,
            &[
                ("kernels/src/a.rs", &format!("#[cfg(test)]\n{long}")),
                ("kernels/src/words.rs", &format!("// @generated\n{long}")),
            ],
            &[("engine/src/plan.rs", &long)],
        );
    }

    #[test]
    fn names_that_say_something() {
        kept(names_say_something);
        caught(
            names_say_something,
            &[("kernels/src/table.rs", "")],
            &[("engine/src/util.rs", ""), ("cli/src/helpers/mod.rs", "")],
        );
    }
}
