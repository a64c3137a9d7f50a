//! What the rules know about this repository. Tables, so that a change is one line with a reason.

/// Where the GPU's own crates may be named.
pub(crate) const GPU_HOME: &str = "engine/src/device/gpu";
pub(crate) const GPU_CRATES: [&str; 2] = ["wgpu", "pollster"];

/// Where `unsafe` may stand, and why.
pub(crate) const UNSAFE_HOMES: [(&str, &str); 4] = [
    ("kernels/src/isa", "SIMD intrinsics"),
    ("kernels/src/table", "unchecked probes and prefetch"),
    ("kernels/src/buffer", "uninitialised and huge-page memory"),
    (
        "engine/src/device/gpu/module",
        "the one call that makes unchecked shader modules",
    ),
];

/// The four places in which a stage has the same file stem.
pub(crate) const STAGE_PLACES: [&str; 4] = [
    "kernels/src/stage",
    "shaders/wgsl",
    "engine/src/stage",
    "benches/stage",
];

/// `(stem, place, why there is no twin)`; `*` stands for every stem while the place is empty.
pub(crate) const NO_TWIN: [(&str, &str, &str); 4] = [
    (
        "lowercase",
        "shaders/wgsl",
        "needs tables that WGSL does not carry",
    ),
    ("shared", "kernels/src/stage", "parts of shaders, no stage"),
    ("shared", "benches/stage", "parts of shaders, no stage"),
    (
        "*",
        "engine/src/stage",
        "the operator calls the kernels' stages as they are",
    ),
];

pub(crate) const MOST_LINES: usize = 500;
pub(crate) const NAMES_THAT_SAY_NOTHING: [&str; 7] = [
    "util", "utils", "helper", "helpers", "base", "manager", "misc",
];
