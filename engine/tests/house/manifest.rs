//! Reads Cargo.toml, as far as this repository's manifests need it.

use crate::File;

pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) inherited: bool,
}

/// The crates' manifests with their folders; the workspace's own and the fuzzers' are no crates of
/// the house.
pub(crate) fn manifests(files: &[File]) -> impl Iterator<Item = (&str, &File)> {
    files.iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        (folder != "fuzz" && !folder.contains('/')).then_some((folder, file))
    })
}

/// Returns the lines of the tables whose name `wanted` accepts.
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
    const TABLES: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];
    let lines = entries(toml, |table| {
        let last = table.rsplit('.').next().unwrap_or(table);
        TABLES.contains(&last)
    });
    lines
        .filter(|line| line.contains('='))
        .map(|line| Dependency {
            name: line
                .split(['.', '=', ' '])
                .next()
                .unwrap_or_default()
                .to_owned(),
            inherited: line.replace(' ', "").contains("workspace=true"),
        })
}

pub(crate) fn inherits(line: &str, key: &str) -> bool {
    line.replace(' ', "") == format!("{key}.workspace=true")
}
