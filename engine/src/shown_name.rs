//! Names in messages: one line, and nothing that a terminal would obey.
#![forbid(unsafe_code)]

use std::ffi::OsStr;

/// A path or another name as a line of a message may show it.
///
/// Control characters, line separators, marks that turn the direction of what follows, and bytes
/// that are not UTF-8 are escaped; everything else is itself, a backslash included, so that a name
/// that is shown twice is escaped once.
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

/// A byte that is part of no character.
pub(crate) fn shown_byte(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

/// What a terminal may be shown of a character.
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

/// Control characters beyond ASCII, line ends, and what turns the direction of what follows.
fn is_unshowable(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_no_terminal_obeys() {
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
    fn bytes_that_are_no_characters_are_told_apart() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(shown_name(OsStr::from_bytes(b"a\xff\xc3")), r"a\xff\xc3");
    }
}
