// Keys that are bytes of a text: their words, and the hash that decides where a probe starts. The
// hash is keyed, and no result depends on it.
// @use stable_hash

struct Span {
    start: u32,
    length: u32,
}

fn text_at(word: u32) -> u32 {
    if word < arrayLength(&text) {
        return text[word];
    }
    return 0u;
}

// Returns four bytes of a key. The first byte is the lowest, and bytes after the end are zeros.
fn key_word(key: Span, index: u32) -> u32 {
    let done = index * 4u;
    if done >= key.length {
        return 0u;
    }
    let at = key.start + done;
    let shift = (at % 4u) * 8u;
    var bits = text_at(at / 4u) >> shift;
    if shift != 0u {
        bits |= text_at(at / 4u + 1u) << (32u - shift);
    }
    let rest = key.length - done;
    if rest < 4u {
        bits &= (1u << (rest * 8u)) - 1u;
    }
    return bits;
}

fn key_words(length: u32) -> u32 {
    return (length + 3u) / 4u;
}

// Returns whether two keys have the same bytes. Most different keys differ in length.
fn is_same_key(key: Span, other: Span) -> bool {
    if key.length != other.length {
        return false;
    }
    let words = key_words(key.length);
    for (var i = 0u; i < words; i++) {
        if key_word(key, i) != key_word(other, i) {
            return false;
        }
    }
    return true;
}

// Hashes a key like the stable hash, without its second half, which tables do not need. An attacker
// who does not know the secret cannot choose keys that collide.
fn key_hash(key: Span) -> u32 {
    var state = sip_begin(vec2<u32>(params.secret_0, params.secret_1));
    let words = key_words(key.length);
    for (var i = 0u; i < words; i++) {
        state = sip_absorb(state, key_word(key, i));
    }
    state = sip_absorb(state, key.length);
    state.z ^= 0xeeu;
    state = sip_rounds(state);
    return (state.y ^ state.w) & params.hash_mask;
}
