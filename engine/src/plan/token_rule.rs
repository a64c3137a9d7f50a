//! Functions that create token rules: `whitespace()`, `split(b",")`, `field(2, b',')`.
#![forbid(unsafe_code)]

use std::num::NonZeroUsize;

use crate::{Error, ErrorKind, Result, TokenRule};

/// Returns the rule for tokens between Unicode white space.
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
///
/// assert_eq!(whitespace(), TokenRule::default());
/// ```
#[must_use]
pub fn whitespace() -> TokenRule {
    TokenRule::Whitespace
}

/// Returns the rule for tokens between separators within each line. Empty tokens are kept.
#[must_use]
pub fn split(separator: impl Separator) -> TokenRule {
    TokenRule::Split(separator.into_bytes())
}

/// Returns the rule for runs of Unicode alphabetic characters, marks and numbers.
#[must_use]
pub fn words() -> TokenRule {
    TokenRule::Words
}

/// Returns the rule for whole lines.
#[must_use]
pub fn lines() -> TokenRule {
    TokenRule::Lines
}

/// Returns the rule for one field of each line. The first field has number 1, as in `cut`.
///
/// # Errors
///
/// [`ErrorKind::Config`] if `index` is 0. A job takes the result as it is and gives the error when it
/// runs.
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
///
/// let counts = Engine::new()?
///     .read_bytes("a,x\nb,y\nc,x\n")
///     .tokenize(field(2, b','))
///     .count_by_key()
///     .collect()?;
/// assert_eq!(counts.get("x"), Some(2));
/// # Ok::<(), keymill::Error>(())
/// ```
pub fn field(index: usize, separator: impl Separator) -> Result<TokenRule> {
    let Some(index) = NonZeroUsize::new(index) else {
        let message = "there is no field 0; fields are counted from 1";
        return Err(Error::new(ErrorKind::Config, message));
    };
    Ok(TokenRule::Field {
        index,
        separator: separator.into_bytes(),
    })
}

/// A token rule, or the result of making one.
pub trait IntoTokenRule {
    /// Returns the rule.
    ///
    /// # Errors
    ///
    /// The error of the result, if it is one.
    fn into_token_rule(self) -> Result<TokenRule>;
}

impl IntoTokenRule for TokenRule {
    fn into_token_rule(self) -> Result<TokenRule> {
        Ok(self)
    }
}

impl IntoTokenRule for Result<TokenRule> {
    fn into_token_rule(self) -> Result<TokenRule> {
        self
    }
}

/// A separator between tokens: a byte, or bytes.
pub trait Separator {
    /// Returns the bytes of the separator.
    fn into_bytes(self) -> Box<[u8]>;
}

impl Separator for u8 {
    fn into_bytes(self) -> Box<[u8]> {
        Box::new([self])
    }
}

impl Separator for &[u8] {
    fn into_bytes(self) -> Box<[u8]> {
        self.into()
    }
}

impl<const N: usize> Separator for &[u8; N] {
    fn into_bytes(self) -> Box<[u8]> {
        self.as_slice().into()
    }
}

impl Separator for &str {
    fn into_bytes(self) -> Box<[u8]> {
        self.as_bytes().into()
    }
}

impl Separator for Vec<u8> {
    fn into_bytes(self) -> Box<[u8]> {
        self.into()
    }
}
