//! The choice of the shaders that devices run.
#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// Which shaders run on a device. The results are the same.
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
    /// Shaders that use only core WGSL, which every device supports.
    Base,
    /// Shaders that use the optional features of the device, or [`Shaders::Base`] if the self-test
    /// fails with them.
    #[default]
    Checked,
    /// As [`Shaders::Checked`], but without the checks that the driver's compiler adds to every
    /// index, loop and division. They are faster, but nothing contains a bug in a shader or in the
    /// driver. They are for measuring the cost of the checks, and are never chosen automatically.
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
                let message = "the shaders must be base, checked or unchecked";
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

/// The optional features that shaders use, and whether they are checked. Without optional features
/// it is the base variant, which every device supports.
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
    /// Whether they use subgroup operations.
    pub subgroups: bool,
    /// Whether they use 64-bit atomics.
    pub wide_atomics: bool,
    /// Whether they run without the checks of the compiler.
    pub is_unchecked: bool,
}

impl ShaderVariant {
    /// Core WGSL, with checks.
    pub const BASE: Self = Self {
        subgroups: false,
        wide_atomics: false,
        is_unchecked: false,
    };

    /// Returns the same variant without checks.
    #[must_use]
    pub const fn unchecked(self) -> Self {
        Self {
            is_unchecked: true,
            ..self
        }
    }

    /// Returns every variant that a device with these features supports, the base first.
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
    /// Returns the variants to try on a device with these features, in order.
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
    fn choices_parse_and_print() {
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
    fn variants_need_the_features_of_the_device() {
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
    fn the_base_is_tried_last_and_unchecked_shaders_only_if_chosen() {
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
