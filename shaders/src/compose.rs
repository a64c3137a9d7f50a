//! Composes a shader from files.
//!
//! There is one directive: the line `// @use NAME` includes `wgsl/shared/NAME.wgsl`, or
//! `wgsl/shared/NAME.FEATURE.wgsl` if that file exists and the permutation has the feature. Each
//! part is included once, before its first user. [`Shader::place_of`] maps lines of the result to
//! lines of the files.

use std::sync::Arc;

use crate::sources::shared;
use crate::{Permutation, Stage};

/// The source file and line of a line of a composed shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to `wgsl`.
    pub file: &'static str,
    /// The line number in the file, from 1.
    pub line: u32,
}

/// A composed shader.
#[derive(Clone, Debug)]
pub struct Shader {
    stage: Stage,
    wgsl: Arc<str>,
    /// First line of each part, from 1, and its file.
    parts: Vec<(u32, &'static str)>,
}

impl Shader {
    /// Composes the shader of a stage, using core WGSL only.
    #[must_use]
    pub fn compose(stage: Stage) -> Self {
        Self::compose_for(stage, Permutation::BASE)
    }

    /// Composes the shader of a stage for adapters with these features.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_shaders::{Permutation, Shader, Stage};
    ///
    /// let base = Shader::compose(Stage::ReduceByKey);
    /// let [.., best] = Permutation::ALL;
    /// let best = Shader::compose_for(Stage::ReduceByKey, best);
    /// assert!(best.wgsl().contains("atomic<u64>") && !base.wgsl().contains("u64"));
    /// ```
    #[must_use]
    pub fn compose_for(stage: Stage, permutation: Permutation) -> Self {
        let mut composer = Composer {
            permutation,
            ..Composer::default()
        };
        composer.add(stage.source());
        Self {
            stage,
            wgsl: composer.wgsl.into(),
            parts: composer.parts,
        }
    }

    /// Returns the stage.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns the text of the shader.
    #[must_use]
    pub fn wgsl(&self) -> &str {
        &self.wgsl
    }

    /// Returns the source file and line of a line of the shader; `line` counts from 1.
    #[must_use]
    pub fn place_of(&self, line: u32) -> Place {
        let part = self.parts.iter().rev().find(|(first, _)| *first <= line);
        let &(first, file) = part.unwrap_or(&self.parts[0]);
        Place {
            file,
            line: line.saturating_sub(first) + 1,
        }
    }
}

/// Returns a hash of all shaders. It changes when any shader changes, so measurements of an older
/// version are not used for a newer one.
#[must_use]
pub fn version() -> u64 {
    let stages = || Stage::ALL.into_iter();
    let shaders = Permutation::ALL
        .into_iter()
        .flat_map(|permutation| stages().map(move |stage| Shader::compose_for(stage, permutation)));
    // FNV-1a: it need not resist deliberate collisions.
    shaders.fold(0xcbf2_9ce4_8422_2325, |hash, shader| {
        shader.wgsl.bytes().fold(hash, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    })
}

#[derive(Default)]
struct Composer {
    permutation: Permutation,
    wgsl: String,
    lines: u32,
    parts: Vec<(u32, &'static str)>,
    /// Files that are included, or that wait for the parts they use.
    seen: Vec<&'static str>,
}

impl Composer {
    fn add(&mut self, (file, text): (&'static str, &'static str)) {
        if self.seen.contains(&file) {
            return;
        }
        self.seen.push(file);
        for name in uses(text) {
            let part = shared(name, self.permutation);
            self.add(part.unwrap_or_else(|| panic!("{file} uses {name}, which does not exist")));
        }
        self.parts.push((self.lines + 1, file));
        for line in text.lines() {
            self.wgsl.push_str(line);
            self.wgsl.push('\n');
            self.lines += 1;
        }
    }
}

fn uses(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("// @use "))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::SHARED;

    #[test]
    fn each_part_is_included_once_before_its_users() {
        let shader = Shader::compose(Stage::Tokenize);
        for function in ["fn scan(", "fn tile_of(", "fn gather(", "fn window_at("] {
            assert_eq!(shader.wgsl().matches(function).count(), 1, "{function}");
        }
        let place = |text: &str| shader.wgsl().find(text).unwrap();
        assert!(place("fn gather(") < place("fn ascii_spaces("));
        assert!(place("fn scan(") < place("fn count("));
    }

    #[test]
    fn place_of_returns_the_source_of_each_line() {
        for permutation in Permutation::ALL {
            for stage in Stage::ALL {
                check_places(stage, permutation);
            }
        }
    }

    fn check_places(stage: Stage, permutation: Permutation) {
        let shader = Shader::compose_for(stage, permutation);
        for (line, text) in (1..).zip(shader.wgsl().lines()) {
            let place = shader.place_of(line);
            let (_, source) = [stage.source()]
                .into_iter()
                .chain(SHARED)
                .find(|(file, _)| *file == place.file)
                .unwrap();
            assert_eq!(source.lines().nth(place.line as usize - 1), Some(text));
        }
    }

    fn files(stage: Stage, permutation: Permutation) -> Vec<&'static str> {
        let shader = Shader::compose_for(stage, permutation);
        shader.parts.iter().map(|(_, file)| *file).collect()
    }

    #[test]
    fn a_permutation_selects_the_file_for_its_feature() {
        let [_, subgroups, wide, both] = Permutation::ALL;
        let reduce = |permutation| files(Stage::ReduceByKey, permutation);
        assert!(reduce(subgroups).contains(&"shared/scan.subgroups.wgsl"));
        assert!(reduce(subgroups).contains(&"shared/slot_state.wgsl"));
        assert!(reduce(wide).contains(&"shared/scan.wgsl"));
        assert!(reduce(wide).contains(&"shared/slot_state.wide_atomics.wgsl"));
        assert!(reduce(both).contains(&"shared/scan.subgroups.wgsl"));
        assert!(!reduce(both).contains(&"shared/slot_state.wgsl"));
        let base = |file: &&str| file.matches('.').count() == 1;
        for stage in Stage::ALL {
            assert!(files(stage, Permutation::BASE).iter().all(base));
        }
    }

    #[test]
    fn each_file_is_used_and_no_part_has_two_candidates() {
        let is_used = |file: &str| {
            Permutation::ALL.into_iter().any(|permutation| {
                let mut stages = Stage::ALL.into_iter();
                stages.any(|stage| files(stage, permutation).contains(&file))
            })
        };
        let [.., all] = Permutation::ALL;
        for (file, _) in SHARED {
            assert!(is_used(file), "{file}");
            let name = file.strip_prefix("shared/").unwrap();
            let (part, _) = name.split_once('.').unwrap();
            let of_features = |feature| format!("shared/{part}.{feature}.wgsl");
            let files: Vec<String> = all.features().map(of_features).collect();
            let exists = |file: &&String| SHARED.iter().any(|(other, _)| other == file);
            assert!(files.iter().filter(exists).count() <= 1, "{part}");
        }
    }
}
