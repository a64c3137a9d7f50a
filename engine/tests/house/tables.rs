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

/// What a crate may use: other crates of the house, the same for its tests only, and crates from
/// outside. Tests may use any crate from outside but those of [`GPU_CRATES`]. The last column of
/// the table in ARCHITECTURE.md says the same.
pub(crate) struct Imports {
    pub(crate) folder: &'static str,
    pub(crate) house: &'static [&'static str],
    pub(crate) house_in_tests: &'static [&'static str],
    pub(crate) outside: &'static [&'static str],
}

pub(crate) const IMPORTS: [Imports; 7] = [
    Imports {
        folder: "kernels",
        house: &[],
        house_in_tests: &[],
        outside: &["bytemuck", "libc"],
    },
    Imports {
        folder: "shaders",
        house: &[],
        house_in_tests: &[],
        outside: &["bytemuck"],
    },
    Imports {
        folder: "engine",
        house: &["keymill-kernels", "keymill-shaders"],
        house_in_tests: &["keymill-datasets"],
        outside: &[
            "arrow-array",
            "arrow-buffer",
            "arrow-ipc",
            "arrow-row",
            "arrow-schema",
            "arrow-select",
            "bytemuck",
            "crc32fast",
            "flate2",
            "glob",
            "parquet",
            "pollster",
            "rayon",
            "rustix",
            "serde",
            "tempfile",
            "unicode-width",
            "wgpu",
            "zstd",
        ],
    },
    Imports {
        folder: "datasets",
        house: &[],
        house_in_tests: &[],
        outside: &[],
    },
    Imports {
        folder: "benches",
        house: &["keymill", "keymill-datasets", "keymill-kernels"],
        house_in_tests: &[],
        outside: &["arrow-array", "hashbrown"],
    },
    Imports {
        folder: "reports",
        house: &["keymill", "keymill-datasets"],
        house_in_tests: &[],
        outside: &["arrow-array", "serde", "serde_json"],
    },
    Imports {
        folder: "cli",
        house: &["keymill", "keymill-datasets", "keymill-report"],
        house_in_tests: &[],
        outside: &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "ctrlc",
            "indicatif",
            "rustix",
            "signal-hook",
        ],
    },
];

pub(crate) const MOST_LINES: usize = 500;
pub(crate) const NAMES_THAT_SAY_NOTHING: [&str; 7] = [
    "util", "utils", "helper", "helpers", "base", "manager", "misc",
];
