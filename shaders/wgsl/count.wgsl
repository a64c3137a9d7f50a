// Tokens to counts by key, in a table that stays on the device from one text to the next.
//
//   count_tokens  every token finds its key's slot, or claims one
//   keep_keys     keys of new slots are copied to where they outlive their text
//   close         the host is told what is there
//   list_groups   at a drain: keys and counts, close together
//
// Nothing waits for anything. A slot is claimed by one compare-and-swap with the number of a token;
// whoever comes later reads that number and compares the bytes of the two tokens, which do not
// change. A token whose chain of slots is full goes to a list that the host counts.
// @use tile
// @use table_key

struct Params {
    // A power of two.
    slots: u32,
    // Slots that a token looks at.
    probes: u32,
    // Bytes of the longest key that a device looks at.
    longest: u32,
    secret_0: u32,
    secret_1: u32,
    // 0 makes every key collide.
    hash_mask: u32,
    // Which run this is; the last dispatch writes it down.
    run: u32,
    pad_0: u32,
}

// Of the tokenizer's summary the first word: how many tokens there are.
struct Cut {
    tokens: u32,
    rest: u32,
}

struct Report {
    // Tokens that were added to a slot.
    counted: atomic<u32>,
    // Tokens in the list for the host.
    left: atomic<u32>,
    // Groups of the table.
    groups: u32,
    // Words of the arena that are used.
    arena_used: u32,
    // Keys for which the arena had no room.
    lost: atomic<u32>,
    run: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> text: array<u32>;
@group(0) @binding(2) var<storage, read> spans: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> cut: Cut;
// A head, then slots of four words: who claimed it, its count, a slot of the list of all groups.
@group(0) @binding(4) var<storage, read_write> table: array<atomic<u32>>;
// Of each slot the key: length, hash, and its bytes or where they lie in the arena.
@group(0) @binding(5) var<storage, read_write> keys: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read_write> arena: array<u32>;
// Spans of tokens that are left to the host; at a drain the groups.
@group(0) @binding(7) var<storage, read_write> out: array<u32>;
@group(0) @binding(8) var<storage, read_write> report: Report;

// Words of the table's head.
const GROUPS: u32 = 0u;
const KEPT_GROUPS: u32 = 1u;
const ARENA_USED: u32 = 2u;
// The slots begin here, and these are their words.
const HEAD_WORDS: u32 = 4u;
const SLOT_WORDS: u32 = 4u;
const COUNT: u32 = 1u;
const LISTED: u32 = 2u;
// What a slot's first word says; from `CLAIMED` on it is the number of a token and that.
const EMPTY: u32 = 0u;
const KEPT: u32 = 1u;
const CLAIMED: u32 = 2u;

const NO_SLOT: u32 = 0xffffffffu;
// Keys of so many bytes lie in their slot.
const INLINE_BYTES: u32 = 8u;
const TOKENS_A_LANE: u32 = 8u;
// Times that a swap is tried which fails for no reason.
const SWAPS: u32 = 8u;

// Counts of slots that a workgroup met, added to the table at its end: frequent keys would else be
// waited for by all.
const CACHE: u32 = 512u;
var<workgroup> cached_slots: array<atomic<u32>, 512>;
var<workgroup> cached_counts: array<atomic<u32>, 512>;
var<workgroup> counted_here: atomic<u32>;

fn word_of(slot: u32) -> u32 {
    return HEAD_WORDS + slot * SLOT_WORDS;
}

fn token_at(token: u32) -> Span {
    if token >= arrayLength(&spans) {
        return Span(0u, 0u);
    }
    let span = spans[token];
    return Span(span.x, span.y - span.x);
}

fn is_kept_key(slot: u32, key: Span, hash: u32) -> bool {
    let kept = keys[slot];
    if kept.x != key.length || kept.y != hash {
        return false;
    }
    if key.length <= INLINE_BYTES {
        return kept.z == key_word(key, 0u) && kept.w == key_word(key, 1u);
    }
    let words = key_words(key.length);
    for (var i = 0u; i < words; i++) {
        if arena[kept.z + i] != key_word(key, i) {
            return false;
        }
    }
    return true;
}

fn are_equal(key: Span, other: Span) -> bool {
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

// What the first word of a slot says, after an attempt to claim it if it is empty.
fn claim(slot: u32, token: u32) -> u32 {
    let word = word_of(slot);
    var says = atomicLoad(&table[word]);
    for (var swap = 0u; says == EMPTY && swap < SWAPS; swap++) {
        let swapped = atomicCompareExchangeWeak(&table[word], EMPTY, token + CLAIMED);
        if swapped.exchanged {
            let group = atomicAdd(&table[GROUPS], 1u);
            atomicStore(&table[word_of(group) + LISTED], slot);
            return token + CLAIMED;
        }
        says = swapped.old_value;
    }
    return says;
}

fn slot_of(token: u32, key: Span) -> u32 {
    let hash = key_hash(key);
    for (var probe = 0u; probe < params.probes; probe++) {
        let slot = (hash + probe) & (params.slots - 1u);
        let says = claim(slot, token);
        if says == EMPTY {
            return NO_SLOT;
        }
        if says == KEPT {
            if is_kept_key(slot, key, hash) {
                return slot;
            }
        } else if says - CLAIMED == token || are_equal(key, token_at(says - CLAIMED)) {
            return slot;
        }
    }
    return NO_SLOT;
}

fn add_to(slot: u32) {
    let place = slot % CACHE;
    var cached = atomicLoad(&cached_slots[place]);
    if cached == 0u {
        let swapped = atomicCompareExchangeWeak(&cached_slots[place], 0u, slot + 1u);
        cached = select(swapped.old_value, slot + 1u, swapped.exchanged);
    }
    if cached == slot + 1u {
        atomicAdd(&cached_counts[place], 1u);
    } else {
        atomicAdd(&table[word_of(slot) + COUNT], 1u);
    }
}

fn leave(key: Span) {
    let at = atomicAdd(&report.left, 1u) * 2u;
    if at + 1u < arrayLength(&out) {
        out[at] = key.start;
        out[at + 1u] = key.start + key.length;
    }
}

// Tells how many tokens it counted: one or none.
fn count_token(token: u32) -> u32 {
    let key = token_at(token);
    var slot = NO_SLOT;
    if key.length <= params.longest {
        slot = slot_of(token, key);
    }
    if slot == NO_SLOT {
        leave(key);
        return 0u;
    }
    add_to(slot);
    return 1u;
}

@compute @workgroup_size(256)
fn count_tokens(here: Here) {
    let lane = here.lane;
    var counted = 0u;
    for (var i = 0u; i < TOKENS_A_LANE; i++) {
        let token = (tile_of(here) * TOKENS_A_LANE + i) * LANES + lane;
        if token < cut.tokens {
            counted += count_token(token);
        }
    }
    atomicAdd(&counted_here, counted);
    workgroupBarrier();
    for (var place = lane; place < CACHE; place += LANES) {
        let count = atomicLoad(&cached_counts[place]);
        if count != 0u {
            let slot = atomicLoad(&cached_slots[place]) - 1u;
            atomicAdd(&table[word_of(slot) + COUNT], count);
        }
    }
    if lane == 0u {
        atomicAdd(&report.counted, atomicLoad(&counted_here));
    }
}

// Groups are taken in turns by all lanes of the grid.
fn first_group(here: Here) -> u32 {
    return tile_of(here) * LANES + here.lane;
}

fn next_group(here: Here, group: u32) -> u32 {
    return group + here.grid.x * here.grid.y * LANES;
}

fn keep_key(slot: u32) {
    let word = word_of(slot);
    let key = token_at(atomicLoad(&table[word]) - CLAIMED);
    var kept = vec4<u32>(key.length, key_hash(key), key_word(key, 0u), key_word(key, 1u));
    if key.length > INLINE_BYTES {
        let words = key_words(key.length);
        let start = atomicAdd(&table[ARENA_USED], words);
        if start + words > arrayLength(&arena) {
            atomicAdd(&report.lost, 1u);
            return;
        }
        for (var i = 0u; i < words; i++) {
            arena[start + i] = key_word(key, i);
        }
        kept.z = start;
    }
    keys[slot] = kept;
    atomicStore(&table[word], KEPT);
}

@compute @workgroup_size(256)
fn keep_keys(here: Here) {
    let groups = min(atomicLoad(&table[GROUPS]), params.slots);
    let first = atomicLoad(&table[KEPT_GROUPS]) + first_group(here);
    for (var group = first; group < groups; group = next_group(here, group)) {
        keep_key(atomicLoad(&table[word_of(group) + LISTED]));
    }
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

@compute @workgroup_size(1)
fn close() {
    let groups = atomicLoad(&table[GROUPS]);
    atomicStore(&table[KEPT_GROUPS], groups);
    report.groups = groups;
    report.arena_used = atomicLoad(&table[ARENA_USED]);
    report.run = params.run;
}
