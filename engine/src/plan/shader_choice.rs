//! Which shaders devices run.
#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// Which shaders run on a device; the answers are the same.
///
/// # Examples
///
/// ```
/// use keymill::Shaders;
///
/// let shaders: Shaders = "base".parse()?;
/// assert_eq!(shaders, Shaders::Base);
/// assert_eq!(Shaders::default().to_string(), "checked");
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shaders {
    /// Those that every device runs: WGSL's core alone.
    Base,
    /// Those that use what the device has beyond the core, or [`Shaders::Base`] where it fails its
    /// self-test with them.
    #[default]
    Checked,
    /// As [`Shaders::Checked`], without the checks that the driver's compiler adds to every index,
    /// loop and division: faster, with nothing that holds an error of ours or of the driver's. To
    /// measure what the checks cost; never chosen by anything but the caller.
    Unchecked,
}

impl FromStr for Shaders {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "base" => Ok(Self::Base),
            "checked" => Ok(Self::Checked),
            "unchecked" => Ok(Self::Unchecked),
            _ => {
                let message = "shaders are base, checked and unchecked";
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

impl fmt::Display for Shaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "base",
            Self::Checked => "checked",
            Self::Unchecked => "unchecked",
        })
    }
}

/// What the shaders of one device use beyond the core, and whether they are checked; without
/// anything it is the base, which every device runs.
///
/// # Examples
///
/// ```
/// use keymill::probe::ShaderVariant;
///
/// let mut variant = ShaderVariant::BASE;
/// assert_eq!(variant.to_string(), "base");
/// variant.subgroups = true;
/// variant.is_unchecked = true;
/// assert_eq!(variant.to_string(), "subgroups, unchecked");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ShaderVariant {
    /// Lanes that run together add up together.
    pub subgroups: bool,
    /// Integers of 64 bits are changed in one step.
    pub wide_atomics: bool,
    /// Nothing is checked beyond what the shaders check themselves.
    pub is_unchecked: bool,
}

impl ShaderVariant {
    /// The core, checked.
    pub const BASE: Self = Self {
        subgroups: false,
        wide_atomics: false,
        is_unchecked: false,
    };

    /// The same without checks.
    #[must_use]
    pub const fn unchecked(self) -> Self {
        Self {
            is_unchecked: true,
            ..self
        }
    }

    /// Every variant of which a device that offers this has all features, the base first.
    pub(crate) fn all_of(offers: Self) -> Vec<Self> {
        let mut all = Vec::new();
        for is_unchecked in [false, true] {
            for wide_atomics in [false, true] {
                for subgroups in [false, true] {
                    let is_missing =
                        subgroups && !offers.subgroups || wide_atomics && !offers.wide_atomics;
                    if !is_missing {
                        all.push(Self {
                            subgroups,
                            wide_atomics,
                            is_unchecked,
                        });
                    }
                }
            }
        }
        all
    }
}

impl fmt::Display for ShaderVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.subgroups, "subgroups"),
            (self.wide_atomics, "64-bit atomics"),
            (self.is_unchecked, "unchecked"),
        ];
        let parts = parts.into_iter().filter(|(is_on, _)| *is_on);
        let names: Vec<&str> = parts.map(|(_, name)| name).collect();
        match names.is_empty() {
            true => f.write_str("base"),
            false => f.write_str(&names.join(", ")),
        }
    }
}

#[cfg(feature = "gpu")]
impl Shaders {
    /// The variants to try on a device that offers so much, in order.
    pub(crate) fn to_try(self, offers: ShaderVariant) -> Vec<ShaderVariant> {
        let mut variants = match self {
            Self::Base => Vec::new(),
            Self::Checked => vec![offers],
            Self::Unchecked => vec![offers.unchecked()],
        };
        variants.push(ShaderVariant::BASE);
        variants.dedup();
        variants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shaders_are_read_as_they_are_written() {
        for text in ["base", "checked", "unchecked"] {
            let shaders: Shaders = text.parse().unwrap();
            assert_eq!(shaders.to_string(), text);
        }
        for text in ["", "Base", "fast"] {
            let error = text.parse::<Shaders>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
    }

    #[test]
    fn variants_are_those_that_a_device_has_the_features_of() {
        let names = |offers| -> Vec<String> {
            let all = ShaderVariant::all_of(offers).into_iter();
            all.map(|variant| variant.to_string()).collect()
        };
        assert_eq!(names(ShaderVariant::BASE), ["base", "unchecked"]);
        let wide = ShaderVariant {
            wide_atomics: true,
            ..ShaderVariant::BASE
        };
        let expected = [
            "base",
            "64-bit atomics",
            "unchecked",
            "64-bit atomics, unchecked",
        ];
        assert_eq!(names(wide), expected);
        let all = ShaderVariant {
            subgroups: true,
            ..wide
        };
        assert_eq!(names(all).len(), 8);
    }

    #[test]
    #[cfg(feature = "gpu")]
    fn the_base_is_tried_last_and_unchecked_shaders_only_if_asked_for() {
        let offers = ShaderVariant {
            subgroups: true,
            ..ShaderVariant::BASE
        };
        let base = ShaderVariant::BASE;
        assert_eq!(Shaders::Base.to_try(offers), [base]);
        assert_eq!(Shaders::Checked.to_try(offers), [offers, base]);
        assert_eq!(Shaders::Checked.to_try(base), [base]);
        let unchecked = offers.unchecked();
        assert_eq!(Shaders::Unchecked.to_try(offers), [unchecked, base]);
    }
}
