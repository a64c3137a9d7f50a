// Finds white space in a window: ASCII white space, and Unicode white space if the window has a
// byte above 0x7f.
// @use swar
// @use window

fn ascii_spaces(words: ptr<function, array<u32, 6>>) -> u32 {
    var mask = 0u;
    for (var i = 0u; i < WINDOW_WORDS; i++) {
        let word = (*words)[i];
        mask |= gather(bytes_between(word, 9u, 13u) | bytes_equal(word, 32u)) << (i * 4u);
    }
    return mask;
}

fn has_non_ascii(words: ptr<function, array<u32, 6>>) -> bool {
    var any = 0u;
    for (var i = 0u; i < WINDOW_WORDS; i++) {
        any |= (*words)[i];
    }
    return (any & HIGH_BITS) != 0u;
}

// Returns the length of the white-space character beyond ASCII that begins with these bytes, or 0.
fn length_of_space(one: u32, two: u32, three: u32) -> u32 {
    switch one {
        // U+0085, U+00A0
        case 0xc2u: {
            return select(0u, 2u, two == 0x85u || two == 0xa0u);
        }
        // U+1680
        case 0xe1u: {
            return select(0u, 3u, two == 0x9au && three == 0x80u);
        }
        // U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F
        case 0xe2u: {
            let general = (three >= 0x80u && three <= 0x8au) || three == 0xa8u || three == 0xa9u
                || three == 0xafu;
            let is_space = (two == 0x80u && general) || (two == 0x81u && three == 0x9fu);
            return select(0u, 3u, is_space);
        }
        // U+3000
        case 0xe3u: {
            return select(0u, 3u, two == 0x80u && three == 0x80u);
        }
        default: {
            return 0u;
        }
    }
}

// A character that is cut by the end of a record is not white space.
fn unicode_spaces(words: ptr<function, array<u32, 6>>, starts: u32) -> u32 {
    var mask = 0u;
    for (var at = 1u; at + 2u < WINDOW_BITS; at++) {
        let length = length_of_space(
            window_byte(words, at),
            window_byte(words, at + 1u),
            window_byte(words, at + 2u),
        );
        let bytes = (1u << length) - 1u;
        if ((starts >> at) & bytes & ~1u) == 0u {
            mask |= bytes << at;
        }
    }
    return mask;
}
