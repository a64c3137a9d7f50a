//! The rules that define tokens.
#![forbid(unsafe_code)]

use core::fmt;
use core::num::NonZeroUsize;
use core::str::FromStr;

/// The rule that cuts bytes into tokens.
///
/// | rule | tokens of `"a  b,c\r\n"` |
/// |---|---|
/// | `Whitespace` | `a`, `b,c` |
/// | `Split(",")` | `a  b`, `c` |
/// | `Words` | `a`, `b`, `c` |
/// | `Lines` | `a  b,c` |
/// | `Field { index: 2, separator: "," }` | `c` |
///
/// A rule is written and read as the command line spells it: `whitespace`, `words`, `lines`,
/// `split:SEPARATOR` or `field:N,SEPARATOR`. In a separator `\t`, `\n`, `\r`, `\0`, `\\` and `\xNN`
/// are escapes.
///
/// # Examples
///
/// ```
/// use keymill_kernels::TokenRule;
///
/// let rule: TokenRule = r"split:\t".parse()?;
/// assert_eq!(rule, TokenRule::Split((*b"\t").into()));
/// assert_eq!(rule.to_string(), r"split:\t");
/// # Ok::<(), keymill_kernels::RuleError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenRule {
    /// Runs of characters that are not Unicode `White_Space`, as `str::split_whitespace` on valid
    /// UTF-8. In invalid UTF-8, the bytes of a white-space character are a separator wherever they
    /// occur.
    #[default]
    Whitespace,
    /// The parts of each line, as Python's `bytes.split(separator)`: empty tokens are kept.
    Split(Box<[u8]>),
    /// Runs of Unicode Alphabetic, Mark or Number characters; invalid UTF-8 is a separator.
    Words,
    /// Each line is a token; lines end with LF or CRLF.
    Lines,
    /// The `index`-th field of each line, counting from 1 as `cut` does.
    /// Lines without that field are rejected, and their number is reported.
    Field {
        /// The index of the field, from 1.
        index: NonZeroUsize,
        /// The separator of fields.
        separator: Box<[u8]>,
    },
}

/// Why a token rule is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// The separator has no bytes.
    EmptySeparator,
    /// The separator contains a line end, which no line contains.
    LineEndInSeparator,
    /// The field number is not a number above 0.
    FieldNumber(String),
    /// The separator contains an unknown escape.
    UnknownEscape(String),
    /// The text is not the name of a rule.
    UnknownRule(String),
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptySeparator => {
                f.write_str("the separator of the token rule is empty; it needs at least one byte")
            }
            Self::LineEndInSeparator => f.write_str(
                "the separator of the token rule contains a line end, and lines end there anyway; \
                 use `lines`, or another separator",
            ),
            Self::FieldNumber(number) => write!(
                f,
                "`{number}` is not a field number; fields are counted from 1"
            ),
            Self::UnknownEscape(separator) => write!(
                f,
                r"`{separator}` contains an unknown escape; use \t \n \r \0 \\ or \xNN"
            ),
            Self::UnknownRule(name) => write!(
                f,
                "`{name}` is not a token rule; use whitespace, words, lines, split:SEPARATOR or \
                 field:N,SEPARATOR"
            ),
        }
    }
}

impl core::error::Error for RuleError {}

impl TokenRule {
    /// Checks that the rule is valid.
    ///
    /// Kernels accept any rule: no line contains an invalid separator, so each line is one token.
    ///
    /// # Errors
    ///
    /// [`RuleError`] for a separator that is empty or contains LF.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::{RuleError, TokenRule};
    ///
    /// assert_eq!(TokenRule::Split((*b", ").into()).check(), Ok(()));
    /// assert_eq!(TokenRule::Split([].into()).check(), Err(RuleError::EmptySeparator));
    /// ```
    pub fn check(&self) -> Result<(), RuleError> {
        match self {
            Self::Split(separator) | Self::Field { separator, .. } => match &**separator {
                [] => Err(RuleError::EmptySeparator),
                bytes if bytes.contains(&b'\n') => Err(RuleError::LineEndInSeparator),
                _ => Ok(()),
            },
            Self::Whitespace | Self::Words | Self::Lines => Ok(()),
        }
    }
}

impl fmt::Display for TokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whitespace => f.pad("whitespace"),
            Self::Words => f.pad("words"),
            Self::Lines => f.pad("lines"),
            Self::Split(separator) => write!(f, "split:{}", escape(separator)),
            Self::Field { index, separator } => write!(f, "field:{index},{}", escape(separator)),
        }
    }
}

impl FromStr for TokenRule {
    type Err = RuleError;

    /// Reads a rule and checks it.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let rule = match (text, text.split_once(':')) {
            ("whitespace", _) => Self::Whitespace,
            ("words", _) => Self::Words,
            ("lines", _) => Self::Lines,
            (_, Some(("split", separator))) => Self::Split(unescape(separator)?.into()),
            (_, Some(("field", rest))) => parse_field(text, rest)?,
            _ => return Err(RuleError::UnknownRule(text.to_owned())),
        };
        rule.check()?;
        Ok(rule)
    }
}

fn parse_field(text: &str, rest: &str) -> Result<TokenRule, RuleError> {
    let Some((number, separator)) = rest.split_once(',') else {
        return Err(RuleError::UnknownRule(text.to_owned()));
    };
    let index = number.parse();
    Ok(TokenRule::Field {
        index: index.map_err(|_| RuleError::FieldNumber(number.to_owned()))?,
        separator: unescape(separator)?.into(),
    })
}

/// Returns a separator as [`unescape`] reads it.
fn escape(separator: &[u8]) -> String {
    let mut text = String::with_capacity(separator.len());
    for chunk in separator.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => text.push_str(r"\t"),
                '\n' => text.push_str(r"\n"),
                '\r' => text.push_str(r"\r"),
                '\0' => text.push_str(r"\0"),
                '\\' => text.push_str(r"\\"),
                c if c.is_control() => {
                    push_hex(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                c => text.push(c),
            }
        }
        push_hex(&mut text, chunk.invalid());
    }
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!(r"\x{byte:02x}"));
    }
}

/// Replaces `\t`, `\n`, `\r`, `\0`, `\\` and `\xNN` by their bytes.
fn unescape(text: &str) -> Result<Vec<u8>, RuleError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'\\' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (byte, length) =
            read_escape(after).ok_or_else(|| RuleError::UnknownEscape(text.to_owned()))?;
        bytes.push(byte);
        rest = &after[length..];
    }
    Ok(bytes)
}

/// Reads the escape after a backslash: its byte, and the length of its text.
fn read_escape(after: &[u8]) -> Option<(u8, usize)> {
    Some(match after {
        [b't', ..] => (b'\t', 1),
        [b'n', ..] => (b'\n', 1),
        [b'r', ..] => (b'\r', 1),
        [b'0', ..] => (0, 1),
        [b'\\', ..] => (b'\\', 1),
        [b'x', high, low, ..] => (hex_digit(*high)? << 4 | hex_digit(*low)?, 3),
        _ => return None,
    })
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(separator: &[u8]) -> Result<TokenRule, RuleError> {
        Ok(TokenRule::Split(separator.into()))
    }

    #[test]
    fn rules_are_parsed() {
        assert_eq!("whitespace".parse(), Ok(TokenRule::Whitespace));
        assert_eq!("words".parse(), Ok(TokenRule::Words));
        assert_eq!("lines".parse(), Ok(TokenRule::Lines));
        assert_eq!("split:,".parse(), split(b","));
        assert_eq!("split:::".parse(), split(b"::"));
        assert_eq!(r"split:\t\x00\\\xfF".parse(), split(b"\t\0\\\xff"));
        let field = TokenRule::Field {
            index: NonZeroUsize::MIN,
            separator: b",".as_slice().into(),
        };
        assert_eq!("field:1,,".parse(), Ok(field));
    }

    #[test]
    fn invalid_rules_are_errors() {
        for text in [
            "",
            "word",
            "split",
            "split:",
            r"split:\q",
            r"split:\x1",
            r"split:\",
            "field:0,;",
            "field:1",
            "field:1,",
            "field:x,;",
            r"split:\n",
            "field:-1,;",
        ] {
            assert!(text.parse::<TokenRule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_is_parsed_as_it_is_written() {
        for text in [
            "whitespace",
            "words",
            "lines",
            "split:,",
            "split:é ",
            r"split:\t\r\0\\\x1b\xff",
            "field:3,::",
        ] {
            let rule: TokenRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
        }
        let all: Vec<u8> = (0..=255).filter(|&byte| byte != b'\n').collect();
        let rule = TokenRule::Split(all.into());
        assert_eq!(rule.to_string().parse(), Ok(rule));
    }
}
