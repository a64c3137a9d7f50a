//! Prints every shader as JSON: its name, the features it needs, its text, and where each of its
//! lines was written. `scripts/tint` shows them to a browser's compiler.
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
    let with_subgroups = others(&base_shaders, subgroups);
    // Browsers ask for this; naga, which reads the same text, refuses it.
    let enabled = |it: &Shader| json(it, "enable subgroups; ", "[\"subgroups\"]");
    shaders.extend(with_subgroups.iter().map(enabled));
    println!("[{}]", shaders.join(",\n"));
    let left_out = others(&base_shaders, wide_atomics).len();
    eprintln!("compose: {left_out} left out that use 64-bit atomics, which WGSL in browsers lacks");
}

/// The shaders that are others in a permutation than in the base.
fn others(base: &[Shader], permutation: Permutation) -> Vec<Shader> {
    let composed = base.iter().map(|it| {
        let other = Shader::compose_for(it.stage(), permutation);
        (other.wgsl() != it.wgsl()).then_some(other)
    });
    composed.flatten().collect()
}

/// A shader behind a line's beginning, so that its lines stay where they are.
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
