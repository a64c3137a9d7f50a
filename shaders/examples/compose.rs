//! Prints all shaders as JSON: name, required features, text, and the file and line of each line.
//! `scripts/tint` compiles them with a browser's compiler.
//!
//! ```text
//! [{"name": "tokenize", "needs": [], "wgsl": "const …", "places": ["shaders/wgsl/shared/tile.wgsl:1", …]}, …]
//! ```
#![forbid(unsafe_code)]

use keymill_shaders::{Permutation, Shader, Stage};

fn main() {
    let [base, subgroups, wide_atomics, _] = Permutation::ALL;
    let base_shaders = Stage::ALL.map(|stage| Shader::compose_for(stage, base));
    let mut shaders: Vec<_> = base_shaders.iter().map(|it| json(it, "", "[]")).collect();
    let with_subgroups = different(&base_shaders, subgroups);
    // Browsers require this line; naga reads the same text and rejects it.
    let enabled = |it: &Shader| json(it, "enable subgroups; ", "[\"subgroups\"]");
    shaders.extend(with_subgroups.iter().map(enabled));
    println!("[{}]", shaders.join(",\n"));
    let skipped = different(&base_shaders, wide_atomics).len();
    eprintln!(
        "compose: skipped {skipped} shaders with 64-bit atomics, which browsers do not support"
    );
}

/// Composes the shaders for the permutation and returns those that differ from the base.
fn different(base: &[Shader], permutation: Permutation) -> Vec<Shader> {
    let composed = base.iter().map(|it| {
        let other = Shader::compose_for(it.stage(), permutation);
        (other.wgsl() != it.wgsl()).then_some(other)
    });
    composed.flatten().collect()
}

/// Returns a shader as JSON. `before` is put in front of the first line, so that line numbers do
/// not change.
fn json(shader: &Shader, before: &str, needs: &str) -> String {
    let lines = (1..).zip(shader.wgsl().lines());
    let places: Vec<_> = lines
        .map(|(line, _)| shader.place_of(line))
        .map(|place| quoted(&format!("shaders/wgsl/{}:{}", place.file, place.line)))
        .collect();
    format!(
        "{{\"name\": {}, \"needs\": {needs}, \"wgsl\": {}, \"places\": [{}]}}",
        quoted(shader.stage().name()),
        quoted(&format!("{before}{}", shader.wgsl())),
        places.join(", ")
    )
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => quoted += &format!("\\u{:04x}", control as u32),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}
