// Hot keys: each workgroup caches the most frequent short keys in its own memory. Their tokens are
// counted there, without a look-up in the table.
//
//   pick_hot      adds frequent short keys of the table to the list of hot slots
//
// A hot slot keeps its key as long as the table exists, so the list only grows.
// @use count_table

// Maximum number of hot slots, and places for them in a workgroup's memory. The list is in the head
// of the table.
const HOT: u32 = 128u;
const HOT_PLACES: u32 = 256u;
const HOT_PROBES: u32 = 4u;
// A key is hot if it has at least `HOT_LEAST` occurrences, and at least one in `HOT_SHARE` of the
// tokens of a text.
const HOT_LEAST: u32 = 2u;
const HOT_SHARE: u32 = 512u;

// For each place: slot and length, packed by `hot_tag`, or 0 if it is free; the key; its count.
var<workgroup> hot_tags: array<atomic<u32>, 256>;
var<workgroup> hot_words: array<vec2<u32>, 256>;
var<workgroup> hot_counts: array<atomic<u32>, 256>;
var<workgroup> hot_here: atomic<u32>;

// A table has fewer than 2^28 slots, and a hot key has 1 to 8 bytes.
fn hot_tag(slot: u32, length: u32) -> u32 {
    return (slot << 4u) | length;
}

fn hot_place(words: vec2<u32>, length: u32) -> u32 {
    let mixed = ((words.x ^ length) * 0x9e3779b1u) ^ (words.y * 0x85ebca6bu);
    return (((mixed ^ (mixed >> 15u)) * 0xc2b2ae35u) >> 24u) & params.hash_mask;
}

fn load_key(slot: u32) {
    let kept = keys[slot];
    let first = hot_place(kept.zw, kept.x);
    for (var probe = 0u; probe < HOT_PROBES; probe++) {
        let place = (first + probe) % HOT_PLACES;
        let swapped = atomicCompareExchangeWeak(&hot_tags[place], 0u, hot_tag(slot, kept.x));
        if swapped.exchanged {
            hot_words[place] = kept.zw;
            return;
        }
    }
}

// Loads the hot keys of the table. All lanes of the workgroup must call this before the first token
// is counted.
fn load_hot(lane: u32) {
    atomicStore(&hot_tags[lane], 0u);
    atomicStore(&hot_counts[lane], 0u);
    if lane == 0u {
        atomicStore(&hot_here, 0u);
    }
    workgroupBarrier();
    if lane < min(atomicLoad(&table[HOT_KEYS]), HOT) {
        load_key(atomicLoad(&table[HOT_SLOTS + lane]));
    }
    workgroupBarrier();
}

// Counts the token if its key is hot. Returns whether it was counted.
fn count_hot(key: Span) -> bool {
    if key.length > INLINE_BYTES {
        return false;
    }
    let words = vec2<u32>(key_word(key, 0u), key_word(key, 1u));
    let first = hot_place(words, key.length);
    for (var probe = 0u; probe < HOT_PROBES; probe++) {
        let place = (first + probe) % HOT_PLACES;
        let tag = atomicLoad(&hot_tags[place]);
        if tag == 0u {
            return false;
        }
        if (tag & 15u) == key.length && all(hot_words[place] == words) {
            atomicAdd(&hot_counts[place], 1u);
            return true;
        }
    }
    return false;
}

// Flushes the counts of the hot keys to the table. All lanes of the workgroup must call this once,
// after the last token and a barrier.
fn add_hot(lane: u32) {
    let count = atomicLoad(&hot_counts[lane]);
    if count != 0u {
        let slot = atomicLoad(&hot_tags[lane]) >> 4u;
        atomicAdd(&table[word_of(slot) + COUNT], count);
        atomicAdd(&hot_here, count);
    }
    workgroupBarrier();
    if lane == 0u {
        atomicAdd(&report.hot, atomicLoad(&hot_here));
    }
}

fn pick(slot: u32, least: u32) {
    let word = word_of(slot);
    let is_frequent = atomicLoad(&table[word + COUNT]) >= least;
    if !is_frequent || keys[slot].x > INLINE_BYTES || atomicLoad(&table[word + IS_HOT]) != 0u {
        return;
    }
    // The counter can pass the end of the list only by the number of lanes that run this at once.
    if atomicLoad(&table[HOT_KEYS]) < HOT {
        let at = atomicAdd(&table[HOT_KEYS], 1u);
        if at < HOT {
            atomicStore(&table[HOT_SLOTS + at], slot);
            atomicStore(&table[word + IS_HOT], 1u);
        }
    }
}

@compute @workgroup_size(256)
fn pick_hot(here: Here) {
    let groups = min(atomicLoad(&table[GROUPS]), params.slots);
    let least = max(atomicLoad(&report.counted) / HOT_SHARE, HOT_LEAST);
    for (var group = first_group(here); group < groups; group = next_group(here, group)) {
        pick(atomicLoad(&table[word_of(group) + LISTED]), least);
    }
}
