// The bytes that a lane reads: its own 16 bytes, four before them and four after them. In a mask of
// the window, bit 4 is the lane's first byte. Bytes outside of the text read as zeros.
// @use tile

const WINDOW_WORDS: u32 = 6u;
const WINDOW_BITS: u32 = 24u;
// Mask of the lane's own bytes.
const OWN: u32 = 0xffff0u;

fn text_word(at: u32) -> u32 {
    if at >= (params.text_bytes + 3u) / 4u {
        return 0u;
    }
    let word = text[at];
    let rest = params.text_bytes - at * 4u;
    if rest >= 4u {
        return word;
    }
    return word & ((1u << (rest * 8u)) - 1u);
}

fn window_at(at: u32) -> array<u32, 6> {
    var words: array<u32, 6>;
    let first = at / 4u;
    if at > 0u {
        words[0] = text_word(first - 1u);
    }
    for (var i = 1u; i < WINDOW_WORDS; i++) {
        words[i] = text_word(first + i - 1u);
    }
    return words;
}

fn window_byte(words: ptr<function, array<u32, 6>>, at: u32) -> u32 {
    return ((*words)[at / 4u] >> (at % 4u * 8u)) & 0xffu;
}

// Returns the mask of the bytes of a window that are within the text.
fn within_text(at: u32) -> u32 {
    var mask = (1u << WINDOW_BITS) - 1u;
    if at == 0u {
        mask &= ~0xfu;
    }
    let end = params.text_bytes + 4u - min(at, params.text_bytes + 4u);
    if end < WINDOW_BITS {
        mask &= (1u << end) - 1u;
    }
    return mask;
}
