//! The rules. A rule maps a list of files to a list of violations.

use std::collections::{BTreeMap, BTreeSet};

use crate::File;
use crate::manifest::{dependencies, entries, inherits, manifests};
use crate::source::{
    code_only, is_generated, line_of_word, may_be_unsafe, module_folder, modules_above, rust, says,
    stems_in,
};
use crate::tables::{
    GPU_CRATES, GPU_HOME, MOST_LINES, NAMES_THAT_SAY_NOTHING, NO_TWIN, STAGE_PLACES,
};

pub(crate) fn gpu_crates_stay_in_their_folder(files: &[File]) -> Vec<String> {
    let mut violations = Vec::new();
    for file in rust(files).filter(|file| !file.path.starts_with(GPU_HOME)) {
        let code = code_only(&file.text);
        for name in GPU_CRATES {
            if let Some(line) = line_of_word(&code, name) {
                violations.push(format!(
                    "{}:{line}: `{name}` outside {GPU_HOME}*",
                    file.path
                ));
            }
        }
    }
    violations
}

pub(crate) fn unsafe_stays_in_its_homes(files: &[File]) -> Vec<String> {
    rust(files)
        .filter(|file| !may_be_unsafe(&file.path))
        .filter_map(|file| {
            let line = line_of_word(&code_only(&file.text), "unsafe")?;
            Some(format!(
                "{}:{line}: `unsafe` is not allowed here",
                file.path
            ))
        })
        .collect()
}

/// Every module without `unsafe` forbids it, itself or in a parent module. A crate that has modules
/// with `unsafe` denies it at its root.
pub(crate) fn unsafe_is_forbidden_elsewhere(files: &[File]) -> Vec<String> {
    let forbidding: BTreeSet<&str> = rust(files)
        .filter(|file| says(file, "#![forbid(unsafe_code)]"))
        .map(|file| file.path.as_str())
        .collect();
    let above_a_home = |path: &str| {
        let below = format!("{}/", module_folder(path));
        rust(files).any(|file| file.path.starts_with(&below) && may_be_unsafe(&file.path))
    };
    let mut violations = Vec::new();
    for file in
        rust(files).filter(|file| !may_be_unsafe(&file.path) && !file.path.starts_with("fuzz/"))
    {
        let covered = modules_above(&file.path)
            .iter()
            .any(|path| forbidding.contains(path.as_str()));
        let denied = above_a_home(&file.path) && says(file, "#![deny(unsafe_code)]");
        let empty = code_only(&file.text).trim().is_empty();
        if !(covered || denied || empty) {
            violations.push(format!(
                "{}: #![forbid(unsafe_code)] is missing here and in all parent modules",
                file.path
            ));
        }
    }
    violations
}

pub(crate) fn stages_have_their_twins(files: &[File]) -> Vec<String> {
    twins(files, &NO_TWIN)
}

pub(crate) fn twins(files: &[File], excused: &[(&str, &str, &str)]) -> Vec<String> {
    let stems: BTreeMap<&str, BTreeSet<String>> = STAGE_PLACES
        .into_iter()
        .map(|place| (place, stems_in(files, place)))
        .collect();
    let every: BTreeSet<&String> = stems.values().flatten().collect();
    let mut violations = Vec::new();
    for (place, here) in &stems {
        let place_excused = excused
            .iter()
            .any(|(stem, at, _)| *stem == "*" && at == place);
        for stem in every.iter().filter(|stem| !here.contains(**stem)) {
            let excused = excused
                .iter()
                .any(|(name, at, _)| name == *stem && at == place);
            if !(excused || place_excused && here.is_empty()) {
                violations.push(format!(
                    "{place}: no file for the stage `{stem}`, and no row in NO_TWIN explains it"
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
            violations.push(format!(
                "NO_TWIN: the row (`{stem}`, {place}) is out of date; remove it"
            ));
        }
    }
    violations
}

pub(crate) fn versions_and_lints_stand_once(files: &[File]) -> Vec<String> {
    let mut violations = Vec::new();
    for (_, manifest) in manifests(files) {
        let mut complain = |what: String| violations.push(format!("{}: {what}", manifest.path));
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
    violations
}

pub(crate) fn files_are_short(files: &[File]) -> Vec<String> {
    rust(files)
        .filter(|file| !is_test(&file.path) && !is_generated(file))
        .filter_map(|file| {
            let lines = file
                .text
                .lines()
                .take_while(|line| line.trim() != "#[cfg(test)]")
                .count();
            (lines > MOST_LINES)
                .then(|| format!("{}: {lines} lines without tests; split the file", file.path))
        })
        .collect()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

pub(crate) fn names_say_something(files: &[File]) -> Vec<String> {
    let silent = |file: &&File| {
        file.path
            .split('/')
            .any(|part| NAMES_THAT_SAY_NOTHING.contains(&part.trim_end_matches(".rs")))
    };
    rust(files)
        .filter(silent)
        .map(|file| format!("{}: this name is meaningless", file.path))
        .collect()
}
