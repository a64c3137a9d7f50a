//! Escapes names for messages.
#![forbid(unsafe_code)]

use std::ffi::OsStr;

/// Returns a path or another name in a form that is safe in a one-line message.
///
/// Control characters, line separators, marks that change the text direction, and bytes that are not
/// UTF-8 are escaped. Other characters are not changed. A backslash is not escaped, so escaping twice
/// gives the same result as escaping once.
///
/// # Examples
///
/// ```
/// use keymill::shown_name;
///
/// assert_eq!(shown_name("données/日本.txt"), "données/日本.txt");
/// assert_eq!(shown_name("two\nlines \x1b[31m"), r"two\nlines \x1b[31m");
/// ```
#[must_use]
pub fn shown_name(name: impl AsRef<OsStr>) -> String {
    let mut shown = String::new();
    for chunk in name.as_ref().as_encoded_bytes().utf8_chunks() {
        shown.extend(chunk.valid().chars().map(shown_char));
        shown.extend(chunk.invalid().iter().map(|&byte| shown_byte(byte)));
    }
    shown
}

/// Escapes a byte that is not UTF-8.
pub(crate) fn shown_byte(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

/// Escapes a character if a terminal could interpret it.
pub(crate) fn shown_char(character: char) -> String {
    match character {
        '\t' => r"\t".to_owned(),
        '\n' => r"\n".to_owned(),
        '\r' => r"\r".to_owned(),
        '\0'..='\x1f' | '\x7f' => format!("\\x{:02x}", u32::from(character)),
        _ if is_unshowable(character) => format!("\\u{{{:x}}}", u32::from(character)),
        _ => character.to_string(),
    }
}

/// Returns whether a character is a control character beyond ASCII, a line separator, or a mark that
/// changes the text direction.
fn is_unshowable(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_names_are_escaped() {
        for (name, shown) in [
            ("a b`c'\\d.txt", "a b`c'\\d.txt"),
            ("été/Ω/🦀", "été/Ω/🦀"),
            ("a\r\n\tb\0", r"a\r\n\tb\x00"),
            ("\u{1b}]0;x\u{7}\u{7f}", r"\x1b]0;x\x07\x7f"),
            ("\u{9b}31m\u{2028}\u{202e}", r"\u{9b}31m\u{2028}\u{202e}"),
        ] {
            assert_eq!(shown_name(name), shown);
            assert_eq!(shown_name(shown), shown, "shown twice");
        }
    }

    #[cfg(unix)]
    #[test]
    fn invalid_utf8_is_escaped_byte_by_byte() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(shown_name(OsStr::from_bytes(b"a\xff\xc3")), r"a\xff\xc3");
    }
}
