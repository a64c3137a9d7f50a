//! The tables of the rules. A change of a rule is one line with a reason.

/// The only place that may use the GPU crates.
pub(crate) const GPU_HOME: &str = "engine/src/device/gpu";
pub(crate) const GPU_CRATES: [&str; 2] = ["wgpu", "pollster"];

/// The places that may use `unsafe`, and why.
pub(crate) const UNSAFE_HOMES: [(&str, &str); 4] = [
    ("kernels/src/isa", "SIMD intrinsics"),
    ("kernels/src/table", "unchecked probes and prefetch"),
    ("kernels/src/buffer", "uninitialised and huge-page memory"),
    (
        "engine/src/device/gpu/module",
        "the one call that makes unchecked shader modules",
    ),
];

/// The four folders in which a stage has a file with the same stem.
pub(crate) const STAGE_PLACES: [&str; 4] = [
    "kernels/src/stage",
    "shaders/wgsl",
    "engine/src/stage",
    "benches/stage",
];

/// `(stem, folder, why there is no twin)`; `*` is every stem while the folder is empty.
pub(crate) const NO_TWIN: [(&str, &str, &str); 5] = [
    (
        "csv",
        "shaders/wgsl",
        "bytes are parsed where they are read: copying text costs more than parsing it",
    ),
    (
        "lowercase",
        "shaders/wgsl",
        "needs tables that are too large for WGSL",
    ),
    (
        "shared",
        "kernels/src/stage",
        "parts of shaders, not a stage",
    ),
    ("shared", "benches/stage", "parts of shaders, not a stage"),
    (
        "*",
        "engine/src/stage",
        "the operator calls the kernels' stages directly",
    ),
];

pub(crate) const MOST_LINES: usize = 500;
pub(crate) const NAMES_THAT_SAY_NOTHING: [&str; 7] = [
    "util", "utils", "helper", "helpers", "base", "manager", "misc",
];
