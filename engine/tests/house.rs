//! The house test: rules of the repository that the compiler does not check.
//!
//! Each rule is a function from a list of files to a list of violations. Every rule is tested twice:
//! this repository has no violation, and an invented violation is found.
#![forbid(unsafe_code)]

#[path = "house/manifest.rs"]
mod manifest;
#[path = "house/modules.rs"]
mod modules;
#[path = "house/rules.rs"]
mod rules;
#[path = "house/source.rs"]
mod source;
#[path = "house/tables.rs"]
mod tables;

use std::path::Path;

/// A file of the repository: its path relative to the root, with `/`, and its text.
struct File {
    path: String,
    text: String,
}

type Rule = fn(&[File]) -> Vec<String>;

fn repository() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the engine is in the workspace");
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
            let relative = path.strip_prefix(root).expect("it is below the root");
            let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
            files.push(File {
                path: relative.to_string_lossy().replace('\\', "/"),
                text,
            });
        }
    }
}

fn kept(rule: Rule) {
    let violations = rule(&repository());
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// Checks that `rule` finds exactly one violation for each guilty file, and none in the innocent ones.
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
    use super::modules::modules_have_no_cycles;
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
    fn no_import_cycles() {
        kept(modules_have_no_cycles);
        let root = "pub use operator::{GroupBy, TextCount};\npub use error::Error;";
        caught(
            modules_have_no_cycles,
            &[
                ("engine/src/lib.rs", root),
                (
                    "engine/src/operator/mod.rs",
                    "use crate::spill::Segment;\nuse crate::Error;",
                ),
                (
                    "engine/src/spill/mod.rs",
                    "// crate::operator\nuse crate::{Error, error::{Kind}};",
                ),
                (
                    "engine/src/error.rs",
                    "mod tests {\nuse crate::operator::A;",
                ),
                ("engine/src/spill/tests.rs", "use crate::operator::A;"),
            ],
            &[],
        );
        for guilty in [
            "use crate::operator::A;",
            "use crate::{error::Kind, operator};",
            "fn a() -> crate::TextCount;",
        ] {
            let files = [
                ("engine/src/lib.rs", root),
                ("engine/src/operator/mod.rs", "use crate::spill::Segment;"),
                ("engine/src/spill/mod.rs", guilty),
            ];
            let files = files.map(|(path, text)| File {
                path: path.into(),
                text: text.into(),
            });
            let found = modules_have_no_cycles(&files);
            assert_eq!(found.len(), 1, "{guilty}");
            assert!(
                found[0].contains("operator → spill → operator"),
                "{found:?}"
            );
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
