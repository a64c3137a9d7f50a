//! The imports between modules of the engine.

use std::collections::{BTreeMap, BTreeSet};

use crate::File;
use crate::source::{code_only, is_word, rust};

const ENGINE: &str = "engine/src/";

/// The modules of the engine's root import each other without cycles. Tests may import anything.
pub(crate) fn modules_have_no_cycles(files: &[File]) -> Vec<String> {
    let root = files
        .iter()
        .find(|file| file.path == format!("{ENGINE}lib.rs"))
        .map(|file| reexports(&code_only(&file.text)))
        .unwrap_or_default();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in rust(files).filter(|file| !is_test(&file.path)) {
        let Some(module) = module_of(&file.path) else {
            continue;
        };
        let names = crate_imports(&without_tests(&code_only(&file.text)));
        let modules = names.into_iter().map(|name| match root.get(&name) {
            Some(module) => module.clone(),
            None => name,
        });
        let imported = imports.entry(module.clone()).or_default();
        imported.extend(modules.filter(|name| *name != module));
    }
    cycle_in(&imports)
        .map(|cycle| {
            format!(
                "engine/src: modules import each other: {}",
                cycle.join(" → ")
            )
        })
        .into_iter()
        .collect()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("/fixtures.rs")
}

/// Returns the top-level module of a file.
fn module_of(path: &str) -> Option<String> {
    let inside = path.strip_prefix(ENGINE)?;
    let module = inside.split(['/', '.']).next()?;
    (!matches!(module, "lib" | "prelude")).then(|| module.to_owned())
}

/// Returns the names that the root exports, with the module of each.
fn reexports(code: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for statement in code.split(';').filter_map(|it| it.split("pub use ").nth(1)) {
        let Some((module, exported)) = statement.split_once("::") else {
            continue;
        };
        for name in exported.split(|c: char| !c.is_ascii() || !is_word(c as u8)) {
            if !name.is_empty() {
                names.insert(name.to_owned(), module.trim().to_owned());
            }
        }
    }
    names
}

/// Returns the code without test modules and imports that only tests compile.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut skip_next = false;
    for line in code.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("mod tests {") {
            break;
        }
        let is_attribute = trimmed.starts_with("#[cfg(") && trimmed.contains("test");
        let is_skipped = skip_next && !trimmed.is_empty();
        if !is_skipped && !is_attribute {
            kept += line;
            kept.push('\n');
        }
        skip_next = is_attribute || (skip_next && trimmed.is_empty());
    }
    kept
}

/// Returns the first name of each path that begins with `crate::`.
fn crate_imports(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => names.extend(first_names(list)),
            None => names.extend(first_name(rest)),
        }
    }
    names
}

fn first_name(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text
        .bytes()
        .position(|byte| !is_word(byte))
        .unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// Returns the first names of a list up to its closing brace: `a` and `D` for `a::{b, c}, D}`.
fn first_names(list: &str) -> Vec<String> {
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => {
                names.extend(first_name(&list[start..at]));
                break;
            }
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                names.extend(first_name(&list[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

/// Returns a cycle, if there is one: its modules in order, with the first one repeated at the end.
fn cycle_in(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    imports
        .keys()
        .find_map(|module| visit(module, imports, &mut Vec::new(), &mut done))
}

fn visit(
    module: &str,
    imports: &BTreeMap<String, BTreeSet<String>>,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = path.iter().position(|other| other == module) {
        let mut cycle = path[start..].to_vec();
        cycle.push(module.to_owned());
        return Some(cycle);
    }
    if !done.insert(module.to_owned()) {
        return None;
    }
    path.push(module.to_owned());
    let found = imports
        .get(module)
        .into_iter()
        .flatten()
        .find_map(|other| visit(other, imports, path, done));
    path.pop();
    found
}
