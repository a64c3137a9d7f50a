//! Prints every shader as JSON: its name, its text, and where each of its lines was written.
//! `scripts/tint` shows them to a browser's compiler.
//!
//! ```text
//! [{"name": "tokenize", "wgsl": "const …", "places": ["shaders/wgsl/shared/tile.wgsl:1", …]}, …]
//! ```
#![forbid(unsafe_code)]

use keymill_shaders::{Shader, Stage};

fn main() {
    let shaders: Vec<_> = Stage::ALL.into_iter().map(json).collect();
    println!("[{}]", shaders.join(",\n"));
}

fn json(stage: Stage) -> String {
    let shader = Shader::compose(stage);
    let lines = (1..).zip(shader.wgsl().lines());
    let places: Vec<_> = lines
        .map(|(line, _)| shader.place_of(line))
        .map(|place| quoted(&format!("shaders/wgsl/{}:{}", place.file, place.line)))
        .collect();
    format!(
        "{{\"name\": {}, \"wgsl\": {}, \"places\": [{}]}}",
        quoted(stage.name()),
        quoted(shader.wgsl()),
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
