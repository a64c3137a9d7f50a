// The table of counts by key. It stays on the device from one text to the next.
//
//   keep_keys     copies the keys of new slots, because the text is replaced by the next one
//   close         writes the report for the host
//
// No lane waits for another. The first token of a key claims a slot by one compare-and-swap, with a
// number that identifies the token. Later tokens read that number and compare the bytes of the two
// tokens, which do not change. If a token's chain of slots is full, it is added to a list, and the
// host counts it.
//
// The shader that uses this part defines what a number identifies:
//
//   claimed_key(number)          returns the key of that token
//   is_claimed_key(key, number)  returns whether that token has this key
// @use joined
// @use table_key
// @use tile

struct Params {
    // Number of slots, a power of two.
    slots: u32,
    // Maximum number of slots that are probed for a token.
    probes: u32,
    // Length of the longest key that the device counts.
    longest: u32,
    secret_0: u32,
    secret_1: u32,
    // Bits of the hash that are used; 0 makes all keys collide.
    hash_mask: u32,
    // Number of this run. The last dispatch copies it to the report.
    run: u32,
    // Length of the text, for the fused count only.
    text_bytes: u32,
    // Number of tiles that a workgroup of the fused count processes, one after another.
    rounds: u32,
    pad_0: u32,
    pad_1: u32,
    pad_2: u32,
}

struct Report {
    // Tokens counted in a slot.
    counted: atomic<u32>,
    // Tokens in the list that the host counts.
    left: atomic<u32>,
    // Groups in the table.
    groups: u32,
    // Used words of the arena.
    arena_used: u32,
    // Keys that did not fit in the arena.
    lost: atomic<u32>,
    run: u32,
    // Counted tokens that had a hot key.
    hot: atomic<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> text: array<u32>;
// A head, then slots of four words: the claiming token, the count, an entry of the list of all
// groups' slots, and whether the key is hot.
@group(0) @binding(2) var<storage, read_write> table: array<atomic<u32>>;
// The key of each slot: its length, its hash, and its bytes or their place in the arena.
@group(0) @binding(3) var<storage, read_write> keys: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> arena: array<u32>;
// Start and end of each token that the host counts; the end is `NO_END` if it is not known. At a
// drain: the groups.
@group(0) @binding(5) var<storage, read_write> out: array<u32>;
@group(0) @binding(6) var<storage, read_write> report: Report;

// Words of the table's head.
const GROUPS: u32 = 0u;
const KEPT_GROUPS: u32 = 1u;
const ARENA_USED: u32 = 2u;
// Number of hot slots, and the first of them: see `hot_keys`.
const HOT_KEYS: u32 = 3u;
const HOT_SLOTS: u32 = 4u;
// Index of the first slot, and the words of a slot.
const HEAD_WORDS: u32 = 132u;
const SLOT_WORDS: u32 = 4u;
const COUNT: u32 = 1u;
const LISTED: u32 = 2u;
const IS_HOT: u32 = 3u;
// Values of a slot's first word. A claimed slot has `CLAIMED` plus the number of the token.
const EMPTY: u32 = 0u;
const KEPT: u32 = 1u;
const CLAIMED: u32 = 2u;

const NO_SLOT: u32 = 0xffffffffu;
const NO_END: u32 = 0xffffffffu;
// Maximum length of a key that is stored in its slot.
const INLINE_BYTES: u32 = 8u;
// Number of attempts for a compare-and-swap, which may fail spuriously.
const SWAPS: u32 = 8u;

// A cache of counts per workgroup, flushed to the table at its end. Without it, all workgroups
// would wait for the slots of frequent keys.
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

// Returns the first word of a slot, after an attempt to claim the slot if it is empty.
fn claim(slot: u32, number: u32) -> u32 {
    let word = word_of(slot);
    var state = atomicLoad(&table[word]);
    for (var swap = 0u; state == EMPTY && swap < SWAPS; swap++) {
        let swapped = atomicCompareExchangeWeak(&table[word], EMPTY, number + CLAIMED);
        if swapped.exchanged {
            let group = atomicAdd(&table[GROUPS], 1u);
            atomicStore(&table[word_of(group) + LISTED], slot);
            return number + CLAIMED;
        }
        state = swapped.old_value;
    }
    return state;
}

// Returns the slot of a token's key, or `NO_SLOT`.
fn slot_of(number: u32, key: Span) -> u32 {
    let hash = key_hash(key);
    for (var probe = 0u; probe < params.probes; probe++) {
        let slot = (hash + probe) & (params.slots - 1u);
        let state = claim(slot, number);
        if state == EMPTY {
            return NO_SLOT;
        }
        if state == KEPT {
            if is_kept_key(slot, key, hash) {
                return slot;
            }
        } else if state - CLAIMED == number || is_claimed_key(key, state - CLAIMED) {
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

// Clears the cache. All lanes of the workgroup must call this; a barrier must follow before the
// first token is counted.
fn clear_counts(lane: u32) {
    for (var place = lane; place < CACHE; place += LANES) {
        atomicStore(&cached_slots[place], 0u);
        atomicStore(&cached_counts[place], 0u);
    }
    if lane == 0u {
        atomicStore(&counted_here, 0u);
    }
}

// Flushes the cache and adds the number of tokens that each lane counted. All lanes of the
// workgroup must call this once.
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

// Adds a token to the list that the host counts.
fn leave(start: u32, end: u32) {
    let at = atomicAdd(&report.left, 1u) * 2u;
    if at + 1u < arrayLength(&out) {
        out[at] = start;
        out[at + 1u] = end;
    }
}

// Counts a token whose key is completely known. Returns the number of counted tokens, 0 or 1.
fn count_key(number: u32, key: Span) -> u32 {
    let slot = slot_of(number, key);
    if slot == NO_SLOT {
        leave(key.start, key.start + key.length);
        return 0u;
    }
    add_to(slot);
    return 1u;
}

// The lanes of the whole grid take turns over the groups.
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
