// Tokens to counts by key, in a table that stays on the device from one text to the next.
//
//   count_tokens  every token finds its key's slot, or claims one with its number
//   keep_keys     keys of new slots are copied to where they outlive their text
//   close         the host is told what is there
//   list_groups   at a drain: keys and counts, close together
// @use count_table

// Of the tokenizer's summary the first word: how many tokens there are.
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

// Tells how many tokens it counted: one or none.
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
