//! Reads Rust, as far as needed to separate code from comments and strings, and to find parent modules.

use std::collections::BTreeSet;

use crate::File;
use crate::tables::UNSAFE_HOMES;

pub(crate) fn rust(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.path.ends_with(".rs"))
}

pub(crate) fn may_be_unsafe(path: &str) -> bool {
    UNSAFE_HOMES.iter().any(|(home, _)| {
        path.strip_prefix(home)
            .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    })
}

pub(crate) fn says(file: &File, attribute: &str) -> bool {
    code_only(&file.text)
        .lines()
        .any(|line| line.trim() == attribute)
}

pub(crate) fn is_generated(file: &File) -> bool {
    file.text
        .lines()
        .take(10)
        .any(|line| line.contains("@generated"))
}

pub(crate) fn stems_in(files: &[File], place: &str) -> BTreeSet<String> {
    let stem = |file: &File| {
        let inside = file.path.strip_prefix(place)?.strip_prefix('/')?;
        let stem = inside.split(['/', '.']).next()?;
        (stem != "mod").then(|| stem.to_owned())
    };
    files.iter().filter_map(stem).collect()
}

/// Returns the folder of a module's children: `a/src/lib.rs` → `a/src`, `a/src/x.rs` → `a/src/x`.
pub(crate) fn module_folder(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    match stem.rsplit_once('/') {
        Some((folder, "lib" | "main" | "mod")) => folder.to_owned(),
        _ => stem.to_owned(),
    }
}

/// Returns the file and every file that can be its parent module, up to the crate's root.
pub(crate) fn modules_above(path: &str) -> Vec<String> {
    let mut above = vec![path.to_owned()];
    let is_root = path.contains("/src/bin/")
        || ["/src/lib.rs", "/src/main.rs"]
            .iter()
            .any(|root| path.ends_with(root));
    if is_root {
        return above;
    }
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

/// Replaces comments, strings and character literals by spaces. Line numbers do not change.
pub(crate) fn code_only(text: &str) -> String {
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

/// Returns the length of a comment or literal at the start; 0 if there is none.
pub(crate) fn skipped(rest: &[u8], inside_a_word: bool) -> usize {
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

pub(crate) fn block_comment(rest: &[u8]) -> usize {
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

pub(crate) fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

pub(crate) fn raw_string(after_r: &[u8]) -> Option<usize> {
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

pub(crate) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Returns the number of the first line, from 1, that contains `word` as a whole word.
pub(crate) fn line_of_word(code: &str, word: &str) -> Option<usize> {
    let stands = |line: &str| {
        line.split(|c: char| c != '_' && !c.is_ascii_alphanumeric())
            .any(|part| part == word)
    };
    code.lines().position(stands).map(|index| index + 1)
}
