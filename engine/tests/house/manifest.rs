//! Reading Cargo.toml: the few forms this repository uses.

use crate::File;
use crate::tables::{GPU_CRATES, Imports};

pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) for_tests: bool,
    pub(crate) inherited: bool,
}

impl Imports {
    /// All that the row lists.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let of_the_house = self.house.iter().chain(self.house_in_tests);
        of_the_house.chain(self.outside).copied()
    }

    pub(crate) fn allows(&self, dependency: &Dependency) -> bool {
        let name = dependency.name.as_str();
        if name == "keymill" || name.starts_with("keymill-") {
            return self.house.contains(&name)
                || dependency.for_tests && self.house_in_tests.contains(&name);
        }
        if GPU_CRATES.contains(&name) {
            return self.outside.contains(&name);
        }
        dependency.for_tests || self.outside.contains(&name)
    }
}

/// The crates' manifests with their folders; the workspace's own and the fuzzers' are no crates of
/// the house.
pub(crate) fn manifests(files: &[File]) -> impl Iterator<Item = (&str, &File)> {
    files.iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        (folder != "fuzz" && !folder.contains('/')).then_some((folder, file))
    })
}

/// The lines of those tables whose name `wanted` accepts.
pub(crate) fn entries<'t>(
    toml: &'t str,
    wanted: impl Fn(&str) -> bool + 't,
) -> impl Iterator<Item = &'t str> {
    let mut inside = false;
    toml.lines().map(str::trim).filter(move |line| {
        if let Some(table) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            inside = wanted(table);
            return false;
        }
        inside && !line.is_empty() && !line.starts_with('#')
    })
}

pub(crate) fn dependencies(toml: &str) -> impl Iterator<Item = Dependency> + '_ {
    let of = |for_tests: bool, suffix: &'static [&'static str]| {
        entries(toml, move |table| {
            suffix
                .iter()
                .any(|end| table == *end || table.ends_with(&format!(".{end}")))
        })
        .filter(|line| line.contains('='))
        .map(move |line| Dependency {
            name: line
                .split(['.', '=', ' '])
                .next()
                .unwrap_or_default()
                .to_owned(),
            for_tests,
            inherited: line.replace(' ', "").contains("workspace=true"),
        })
    };
    of(false, &["dependencies", "build-dependencies"]).chain(of(true, &["dev-dependencies"]))
}

pub(crate) fn inherits(line: &str, key: &str) -> bool {
    line.replace(' ', "") == format!("{key}.workspace=true")
}
