// The table of counts by key, which stays on the device from one text to the next.
//
//   keep_keys     keys of new slots are copied to where they outlive their text
//   close         the host is told what is there
//
// Nothing waits for anything. A slot is claimed by one compare-and-swap with a number that stands
// for a token; whoever comes later reads that number and compares the bytes of the two tokens, which
// do not change. A token whose chain of slots is full goes to a list that the host counts.
//
// Whoever uses this says what a number stands for: `claimed_key(number)` is the token's key, and
// `is_claimed_key(key, number)` tells whether that is this one.
// @use joined
// @use table_key
// @use tile

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
    // Of the fused count alone.
    text_bytes: u32,
    // Tiles that a workgroup of the fused count takes one after another.
    rounds: u32,
    pad_0: u32,
    pad_1: u32,
    pad_2: u32,
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
    // Of the tokens that were counted, those that a workgroup knew by heart.
    hot: atomic<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> text: array<u32>;
// A head, then slots of four words: who claimed it, its count, a slot of the list of all groups,
// whether it is hot.
@group(0) @binding(2) var<storage, read_write> table: array<atomic<u32>>;
// Of each slot the key: length, hash, and its bytes or where they lie in the arena.
@group(0) @binding(3) var<storage, read_write> keys: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> arena: array<u32>;
// Start and end of each token that is left to the host, or `NO_END` where that is not known; at a
// drain the groups.
@group(0) @binding(5) var<storage, read_write> out: array<u32>;
@group(0) @binding(6) var<storage, read_write> report: Report;

// Words of the table's head.
const GROUPS: u32 = 0u;
const KEPT_GROUPS: u32 = 1u;
const ARENA_USED: u32 = 2u;
// How many slots are hot, and which: see `hot_keys`.
const HOT_KEYS: u32 = 3u;
const HOT_SLOTS: u32 = 4u;
// The slots begin here, and these are their words.
const HEAD_WORDS: u32 = 132u;
const SLOT_WORDS: u32 = 4u;
const COUNT: u32 = 1u;
const LISTED: u32 = 2u;
const IS_HOT: u32 = 3u;
// What a slot's first word says; from `CLAIMED` on it is the number of a token and that.
const EMPTY: u32 = 0u;
const KEPT: u32 = 1u;
const CLAIMED: u32 = 2u;

const NO_SLOT: u32 = 0xffffffffu;
const NO_END: u32 = 0xffffffffu;
// Keys of so many bytes lie in their slot.
const INLINE_BYTES: u32 = 8u;
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

// What the first word of a slot says, after an attempt to claim it if it is empty.
fn claim(slot: u32, number: u32) -> u32 {
    let word = word_of(slot);
    var says = atomicLoad(&table[word]);
    for (var swap = 0u; says == EMPTY && swap < SWAPS; swap++) {
        let swapped = atomicCompareExchangeWeak(&table[word], EMPTY, number + CLAIMED);
        if swapped.exchanged {
            let group = atomicAdd(&table[GROUPS], 1u);
            atomicStore(&table[word_of(group) + LISTED], slot);
            return number + CLAIMED;
        }
        says = swapped.old_value;
    }
    return says;
}

// The slot of a token's key.
fn slot_of(number: u32, key: Span) -> u32 {
    let hash = key_hash(key);
    for (var probe = 0u; probe < params.probes; probe++) {
        let slot = (hash + probe) & (params.slots - 1u);
        let says = claim(slot, number);
        if says == EMPTY {
            return NO_SLOT;
        }
        if says == KEPT {
            if is_kept_key(slot, key, hash) {
                return slot;
            }
        } else if says - CLAIMED == number || is_claimed_key(key, says - CLAIMED) {
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

// Every lane of the workgroup has to come here, with a barrier before anything is counted.
fn clear_counts(lane: u32) {
    for (var place = lane; place < CACHE; place += LANES) {
        atomicStore(&cached_slots[place], 0u);
        atomicStore(&cached_counts[place], 0u);
    }
    if lane == 0u {
        atomicStore(&counted_here, 0u);
    }
}

// Every lane of the workgroup has to come here, once, with how many tokens it counted.
fn add_counts(lane: u32, counted: u32) {
    let together = joined(counted);
    if together != 0u {
        atomicAdd(&counted_here, together);
    }
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

fn leave(start: u32, end: u32) {
    let at = atomicAdd(&report.left, 1u) * 2u;
    if at + 1u < arrayLength(&out) {
        out[at] = start;
        out[at + 1u] = end;
    }
}

// Counts a token of which the whole key is known; tells how many it counted: one or none.
fn count_key(number: u32, key: Span) -> u32 {
    let slot = slot_of(number, key);
    if slot == NO_SLOT {
        leave(key.start, key.start + key.length);
        return 0u;
    }
    add_to(slot);
    return 1u;
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
    let key = claimed_key(atomicLoad(&table[word]) - CLAIMED);
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

@compute @workgroup_size(1)
fn close() {
    let groups = atomicLoad(&table[GROUPS]);
    atomicStore(&table[KEPT_GROUPS], groups);
    report.groups = groups;
    report.arena_used = atomicLoad(&table[ARENA_USED]);
    report.run = params.run;
}
