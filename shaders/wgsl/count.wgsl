// Counts tokens by key, in a table that stays on the device from one text to the next.
//
//   count_tokens -> keep_keys -> close      for each text
//   list_groups                             at a drain
//
//   count_tokens  finds the slot of each token's key, or claims a slot with the token's number
//   keep_keys     copies the keys of new slots, because the text is replaced by the next one
//   close         writes the report for the host
//   list_groups   writes all keys with their counts, without gaps
//
// The host counts a token itself if its chain of slots is full, or if its key is longer than
// `longest` (4 KiB).
// @use count_table

// The beginning of the tokenizer's summary: the number of tokens.
struct Cut {
    tokens: u32,
    rest: u32,
}

@group(0) @binding(7) var<storage, read> spans: array<vec2<u32>>;
@group(0) @binding(8) var<storage, read> cut: Cut;

const TOKENS_A_LANE: u32 = 8u;

fn claimed_key(token: u32) -> Span {
    if token >= arrayLength(&spans) {
        return Span(0u, 0u);
    }
    let span = spans[token];
    return Span(span.x, span.y - span.x);
}

fn is_claimed_key(key: Span, token: u32) -> bool {
    return is_same_key(key, claimed_key(token));
}

// Counts one token. Returns the number of counted tokens, 0 or 1.
fn count_token(token: u32) -> u32 {
    let key = claimed_key(token);
    if key.length > params.longest {
        leave(key.start, key.start + key.length);
        return 0u;
    }
    return count_key(token, key);
}

@compute @workgroup_size(256)
fn count_tokens(here: Here) {
    let lane = here.lane;
    var counted = 0u;
    clear_counts(lane);
    workgroupBarrier();
    for (var i = 0u; i < TOKENS_A_LANE; i++) {
        let token = (tile_of(here) * TOKENS_A_LANE + i) * LANES + lane;
        if token < cut.tokens {
            counted += count_token(token);
        }
    }
    add_counts(lane, counted);
}

@compute @workgroup_size(256)
fn list_groups(here: Here) {
    let groups = min(atomicLoad(&table[GROUPS]), params.slots);
    for (var group = first_group(here); group < groups; group = next_group(here, group)) {
        let slot = atomicLoad(&table[word_of(group) + LISTED]);
        let kept = keys[slot];
        let at = group * 4u;
        if at + 3u < arrayLength(&out) {
            out[at] = kept.x;
            out[at + 1u] = kept.z;
            out[at + 2u] = kept.w;
            out[at + 3u] = atomicLoad(&table[word_of(slot) + COUNT]);
        }
    }
}
