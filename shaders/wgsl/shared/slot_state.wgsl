// The aggregates of each slot (count, sum, smallest and largest value), and a cache of them per
// workgroup, with 32-bit atomics.
//
//   settle_lows   finds the low words of the extremes, among rows that agree in the high word
//
// A sum has three words: an atomic addition returns the old word, which tells whether a carry must
// be added to the next word. An extreme (smallest or largest value) has two words, and no atomic
// changes both at once. So `reduce_rows` finds the high word, and `settle_lows`, a later dispatch,
// finds the low word.
// @use wide_sum

// All zeros is the state without values. Extremes are stored so that the greater word wins: the
// words of the smallest value are inverted.
struct State {
    count: atomic<u32>,
    sum_0: atomic<u32>,
    sum_1: atomic<u32>,
    sum_2: atomic<u32>,
    min_low: atomic<u32>,
    min_high: atomic<u32>,
    max_low: atomic<u32>,
    max_high: atomic<u32>,
}

@group(0) @binding(4) var<storage, read_write> states: array<State>;

struct Cached {
    count: atomic<u32>,
    sum_0: atomic<u32>,
    sum_1: atomic<u32>,
    sum_2: atomic<u32>,
    min_high: atomic<u32>,
    max_high: atomic<u32>,
}

var<workgroup> cache: array<Cached, 256>;

// Stores the slot of a row, for `settle_lows`.
fn keep_place(row: u32, slot: u32) {
    atomicStore(&owners[params.slots + row], slot);
}

fn add_sum(slot: u32, count: u32, low: u32, middle: u32, third: u32) {
    atomicAdd(&states[slot].count, count);
    let upper = upper_with(middle, carry_of(atomicAdd(&states[slot].sum_0, low), low));
    let carry = carry_of(atomicAdd(&states[slot].sum_1, upper.middle), upper.middle);
    let rest = third + upper.third + carry;
    if rest != 0u {
        atomicAdd(&states[slot].sum_2, rest);
    }
}

fn widen(slot: u32, min_high: u32, max_high: u32) {
    // Most rows change nothing, and a load costs less than an atomic maximum.
    if min_high > atomicLoad(&states[slot].min_high) {
        atomicMax(&states[slot].min_high, min_high);
    }
    if max_high > atomicLoad(&states[slot].max_high) {
        atomicMax(&states[slot].max_high, max_high);
    }
}

fn add_to_table(slot: u32, value: vec2<u32>) {
    let high = biased(value.y);
    add_sum(slot, 1u, value.x, high, 0u);
    widen(slot, ~high, high);
}

fn add_to_cache(at: u32, value: vec2<u32>) {
    let low = value.x;
    let high = biased(value.y);
    atomicAdd(&cache[at].count, 1u);
    let upper = upper_with(high, carry_of(atomicAdd(&cache[at].sum_0, low), low));
    let carry = carry_of(atomicAdd(&cache[at].sum_1, upper.middle), upper.middle);
    atomicAdd(&cache[at].sum_2, upper.third + carry);
    atomicMax(&cache[at].min_high, ~high);
    atomicMax(&cache[at].max_high, high);
}

fn clear_cache(at: u32) {
    atomicStore(&cache[at].count, 0u);
    atomicStore(&cache[at].sum_0, 0u);
    atomicStore(&cache[at].sum_1, 0u);
    atomicStore(&cache[at].sum_2, 0u);
    atomicStore(&cache[at].min_high, 0u);
    atomicStore(&cache[at].max_high, 0u);
}

// Adds the cached state to the table.
fn flush_cache(at: u32, slot: u32) {
    add_sum(
        slot,
        atomicLoad(&cache[at].count),
        atomicLoad(&cache[at].sum_0),
        atomicLoad(&cache[at].sum_1),
        atomicLoad(&cache[at].sum_2),
    );
    widen(slot, atomicLoad(&cache[at].min_high), atomicLoad(&cache[at].max_high));
}

fn settle_row(row: u32) {
    let slot = atomicLoad(&owners[params.slots + row]);
    if slot == NO_SLOT {
        return;
    }
    let low = values[row].x;
    let high = biased(values[row].y);
    let is_min = ~high == atomicLoad(&states[slot].min_high);
    if is_min && ~low > atomicLoad(&states[slot].min_low) {
        atomicMax(&states[slot].min_low, ~low);
    }
    let is_max = high == atomicLoad(&states[slot].max_high);
    if is_max && low > atomicLoad(&states[slot].max_low) {
        atomicMax(&states[slot].max_low, low);
    }
}

@compute @workgroup_size(256)
fn settle_lows(here: Here) {
    let tile = tile_of(here);
    for (var stripe = 0u; stripe < STRIPES && tile < tiles(); stripe++) {
        let row = row_of(tile, stripe, here.lane);
        if row < params.rows {
            settle_row(row);
        }
    }
}

fn group_of(slot: u32, key: vec2<u32>) -> Group {
    return Group(
        key.x,
        key.y,
        atomicLoad(&states[slot].count),
        atomicLoad(&states[slot].sum_0),
        atomicLoad(&states[slot].sum_1),
        atomicLoad(&states[slot].sum_2),
        ~atomicLoad(&states[slot].min_low),
        biased(~atomicLoad(&states[slot].min_high)),
        atomicLoad(&states[slot].max_low),
        biased(atomicLoad(&states[slot].max_high)),
    );
}
