//! Puts a shader together from files.
//!
//! There is one directive: a line `// @use NAME` asks for `wgsl/shared/NAME.wgsl`, or for
//! `wgsl/shared/NAME.FEATURE.wgsl` if there is such a file and the permutation has the feature. Every
//! part stands once, before the first that uses it; the lines of the whole remember where they are
//! from.

use std::sync::Arc;

use crate::sources::shared;
use crate::{Permutation, Stage};

/// Where a line of a shader was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, below `wgsl`.
    pub file: &'static str,
    /// The line in it, from 1.
    pub line: u32,
}

/// A shader, put together.
#[derive(Clone, Debug)]
pub struct Shader {
    stage: Stage,
    wgsl: Arc<str>,
    /// The first line of each part, from 1, and its file.
    parts: Vec<(u32, &'static str)>,
}

impl Shader {
    /// Puts the shader of a stage together, of WGSL's core alone.
    #[must_use]
    pub fn compose(stage: Stage) -> Self {
        Self::compose_for(stage, Permutation::BASE)
    }

    /// Puts the shader of a stage together for adapters that have these features.
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
        let mut composing = Composing {
            permutation,
            ..Composing::default()
        };
        composing.take(stage.source());
        Self {
            stage,
            wgsl: composing.wgsl.into(),
            parts: composing.parts,
        }
    }

    /// The stage.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The whole text.
    #[must_use]
    pub fn wgsl(&self) -> &str {
        &self.wgsl
    }

    /// Where a line of the whole text, counted from 1, was written.
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

/// A number that is another one after any change of any shader: what was measured of one is not
/// taken for another.
#[must_use]
pub fn version() -> u64 {
    let stages = || Stage::ALL.into_iter();
    let shaders = Permutation::ALL
        .into_iter()
        .flat_map(|permutation| stages().map(move |stage| Shader::compose_for(stage, permutation)));
    // FNV-1a: nobody has a reason to make two shaders collide.
    shaders.fold(0xcbf2_9ce4_8422_2325, |hash, shader| {
        shader.wgsl.bytes().fold(hash, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    })
}

#[derive(Default)]
struct Composing {
    permutation: Permutation,
    wgsl: String,
    lines: u32,
    parts: Vec<(u32, &'static str)>,
    /// Parts that were taken, or that wait for those they use.
    seen: Vec<&'static str>,
}

impl Composing {
    fn take(&mut self, (file, text): (&'static str, &'static str)) {
        if self.seen.contains(&file) {
            return;
        }
        self.seen.push(file);
        for name in uses(text) {
            let part = shared(name, self.permutation);
            self.take(part.unwrap_or_else(|| panic!("{file} uses {name}, which is not there")));
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
    fn every_part_stands_once_before_its_users() {
        let shader = Shader::compose(Stage::Tokenize);
        for function in ["fn scan(", "fn tile_of(", "fn gather(", "fn window_at("] {
            assert_eq!(shader.wgsl().matches(function).count(), 1, "{function}");
        }
        let place = |text: &str| shader.wgsl().find(text).unwrap();
        assert!(place("fn gather(") < place("fn ascii_spaces("));
        assert!(place("fn scan(") < place("fn count("));
    }

    #[test]
    fn lines_remember_where_they_are_from() {
        for permutation in Permutation::ALL {
            for stage in Stage::ALL {
                remembers_its_lines(stage, permutation);
            }
        }
    }

    fn remembers_its_lines(stage: Stage, permutation: Permutation) {
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
    fn a_permutation_takes_another_file_of_the_same_part() {
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
    fn every_file_is_taken_and_no_part_has_two_that_a_permutation_could_take() {
        let taken = |file: &str| {
            Permutation::ALL.into_iter().any(|permutation| {
                let mut stages = Stage::ALL.into_iter();
                stages.any(|stage| files(stage, permutation).contains(&file))
            })
        };
        let [.., all] = Permutation::ALL;
        for (file, _) in SHARED {
            assert!(taken(file), "{file}");
            let name = file.strip_prefix("shared/").unwrap();
            let (part, _) = name.split_once('.').unwrap();
            let of_features = |feature| format!("shared/{part}.{feature}.wgsl");
            let files: Vec<String> = all.features().map(of_features).collect();
            let is_there = |file: &&String| SHARED.iter().any(|(other, _)| other == file);
            assert!(files.iter().filter(is_there).count() <= 1, "{part}");
        }
    }
}
