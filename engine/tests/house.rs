//! The house test: the rules of the repository that no compiler keeps.
//!
//! Each rule is a function from a list of files to a list of offences, so that every rule has
//! two cases: this repository offends nothing, and a planted offence is found.
#![forbid(unsafe_code)]

#[path = "house/manifest.rs"]
mod manifest;
#[path = "house/rules.rs"]
mod rules;
#[path = "house/source.rs"]
mod source;
#[path = "house/tables.rs"]
mod tables;

use std::path::Path;

/// A file of the repository: its path from the root, with `/`, and its text.
struct File {
    path: String,
    text: String,
}

type Rule = fn(&[File]) -> Vec<String>;

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
        } else if [".md", ".rs", ".toml", ".wgsl"]
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
    use super::rules::*;
    use super::tables::MOST_LINES;
    use super::{File, caught, kept};

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
                ("kernels/src/isa/mod.rs", "mod a;"),
                ("kernels/src/stage/mod.rs", "#![forbid(unsafe_code)]"),
                ("kernels/src/stage/frame.rs", "mod a;"),
                ("engine/src/lib.rs", "#![forbid(unsafe_code)]"),
                ("engine/src/plan/build.rs", "mod a;"),
            ],
            &[
                (
                    "kernels/src/oracle.rs",
                    "// #![forbid(unsafe_code)]\nmod a;",
                ),
                ("cli/src/lib.rs", "#![deny(unsafe_code)]"),
                ("engine/src/bin/second.rs", "mod a;"),
                ("engine/tests/exact.rs", "mod a;"),
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
                    "[dependencies]\nlibc.workspace = true\n[dev-dependencies]\nproptest.workspace = true",
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
                (
                    "reports/Cargo.toml",
                    "[dependencies]\nglob.workspace = true",
                ),
                ("newcomer/Cargo.toml", ""),
            ],
        );
    }

    #[test]
    fn imports_that_are_used() {
        kept(rows_list_only_what_is_used);
        let both = "[dependencies]\nbytemuck.workspace = true\n[target.'cfg(unix)'.dependencies]\nlibc.workspace = true";
        caught(
            rows_list_only_what_is_used,
            &[("kernels/Cargo.toml", both)],
            &[(
                "shaders/Cargo.toml",
                "[dev-dependencies]\nnaga.workspace = true",
            )],
        );
    }

    #[test]
    fn imports_in_the_document() {
        kept(the_document_says_who_may_import_whom);
        let files = super::repository();
        let of = |path: &str| files.iter().find(|file| file.path == path);
        let text = &of("ARCHITECTURE.md").expect("it is there").text;
        for (said, instead) in [
            ("`libc` |", "|"),
            ("`crc32fast`, ", "`crc32fast`, `regex`, "),
        ] {
            assert!(text.contains(said), "{said}");
            let changed = text.replace(said, instead);
            let found = the_document_says_who_may_import_whom(&[File {
                path: "ARCHITECTURE.md".into(),
                text: changed,
            }]);
            assert_eq!(found.len(), 1, "{found:?}");
        }
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
