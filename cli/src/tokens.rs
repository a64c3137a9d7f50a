//! Token rules as the command line names them.
#![forbid(unsafe_code)]

use std::num::NonZeroUsize;

use keymill::TokenRule;

/// Reads `whitespace`, `words`, `lines`, `split:<bytes>` or `field:<n>,<bytes>`.
pub(crate) fn parse(text: &str) -> Result<TokenRule, String> {
    let rule = named(text)?;
    rule.check().map_err(|error| error.to_string())?;
    Ok(rule)
}

fn named(text: &str) -> Result<TokenRule, String> {
    match text {
        "whitespace" => return Ok(TokenRule::Whitespace),
        "words" => return Ok(TokenRule::Words),
        "lines" => return Ok(TokenRule::Lines),
        _ => {}
    }
    if let Some(separator) = text.strip_prefix("split:") {
        return Ok(TokenRule::Split(unescape(separator)?.into()));
    }
    match text
        .strip_prefix("field:")
        .and_then(|rest| rest.split_once(','))
    {
        Some((number, separator)) => Ok(TokenRule::Field {
            index: number
                .parse::<NonZeroUsize>()
                .map_err(|_| format!("`{number}` is no field; fields are counted from 1"))?,
            separator: unescape(separator)?.into(),
        }),
        None => Err(
            "a rule is whitespace, words, lines, split:SEPARATOR or field:N,SEPARATOR".to_owned(),
        ),
    }
}

/// Resolves `\t`, `\n`, `\r`, `\0`, `\\` and `\xNN`.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'\\' {
            bytes.push(first);
            rest = behind;
            continue;
        }
        let (byte, length) = escaped(behind).ok_or_else(|| {
            format!(r"`{text}` has an unknown escape; there are \t \n \r \0 \\ \xNN")
        })?;
        bytes.push(byte);
        rest = &behind[length..];
    }
    Ok(bytes)
}

/// What stands behind a backslash, and how long it is.
fn escaped(behind: &[u8]) -> Option<(u8, usize)> {
    Some(match behind {
        [b't', ..] => (b'\t', 1),
        [b'n', ..] => (b'\n', 1),
        [b'r', ..] => (b'\r', 1),
        [b'0', ..] => (0, 1),
        [b'\\', ..] => (b'\\', 1),
        [b'x', high, low, ..] => (hex(*high)? << 4 | hex(*low)?, 3),
        _ => return None,
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(separator: &[u8]) -> Result<TokenRule, String> {
        Ok(TokenRule::Split(separator.into()))
    }

    #[test]
    fn rules_are_read() {
        assert_eq!(parse("whitespace"), Ok(TokenRule::Whitespace));
        assert_eq!(parse("words"), Ok(TokenRule::Words));
        assert_eq!(parse("lines"), Ok(TokenRule::Lines));
        assert_eq!(parse("split:,"), split(b","));
        assert_eq!(parse("split:::"), split(b"::"));
        assert_eq!(parse(r"split:\t\x00\\\xfF"), split(b"\t\0\\\xff"));
        let field = TokenRule::Field {
            index: NonZeroUsize::MIN,
            separator: b",".as_slice().into(),
        };
        assert_eq!(parse("field:1,,"), Ok(field));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
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
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
