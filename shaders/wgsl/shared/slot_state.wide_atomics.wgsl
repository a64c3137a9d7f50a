// The aggregates of each slot (count, sum, smallest and largest value), and a cache of them per
// workgroup, with 64-bit atomics.
//
// A sum is one 64-bit atomic and a word that counts carries. An extreme is one 64-bit atomic, so no
// later dispatch is needed and there is no `settle_lows`.
// @use wide_sum

// All zeros is the state without values. Extremes are stored so that the greater one wins: the
// smallest value is inverted.
struct State {
    count: atomic<u32>,
    carries: atomic<u32>,
    sum: atomic<u64>,
    min: atomic<u64>,
    max: atomic<u64>,
}

@group(0) @binding(4) var<storage, read_write> states: array<State>;

struct Cached {
    count: atomic<u32>,
    carries: atomic<u32>,
    sum: atomic<u64>,
    min: atomic<u64>,
    max: atomic<u64>,
}

var<workgroup> cache: array<Cached, 256>;

// Returns the value as an unsigned integer with the same order.
fn raised(value: vec2<u32>) -> u64 {
    return (u64(biased(value.y)) << 32u) | u64(value.x);
}

// Returns 1 if `old + more` overflowed.
fn wide_carry_of(old: u64, more: u64) -> u32 {
    return select(0u, 1u, old + more < old);
}

fn high_word(wide: u64) -> u32 {
    return u32(wide >> 32u);
}

fn low_word(wide: u64) -> u32 {
    return u32(wide & 0xfffffffflu);
}

// Does nothing: without `settle_lows`, the slot of a row is not needed later.
fn keep_place(row: u32, slot: u32) {}

fn add_sum(slot: u32, count: u32, sum: u64, carries: u32) {
    atomicAdd(&states[slot].count, count);
    let rest = carries + wide_carry_of(atomicAdd(&states[slot].sum, sum), sum);
    if rest != 0u {
        atomicAdd(&states[slot].carries, rest);
    }
}

fn widen(slot: u32, min: u64, max: u64) {
    // Most rows change nothing, and a load costs less than an atomic maximum.
    if min > atomicLoad(&states[slot].min) {
        atomicMax(&states[slot].min, min);
    }
    if max > atomicLoad(&states[slot].max) {
        atomicMax(&states[slot].max, max);
    }
}

fn add_to_table(slot: u32, value: vec2<u32>) {
    let wide = raised(value);
    add_sum(slot, 1u, wide, 0u);
    widen(slot, ~wide, wide);
}

fn add_to_cache(at: u32, value: vec2<u32>) {
    let wide = raised(value);
    atomicAdd(&cache[at].count, 1u);
    if wide_carry_of(atomicAdd(&cache[at].sum, wide), wide) != 0u {
        atomicAdd(&cache[at].carries, 1u);
    }
    atomicMax(&cache[at].min, ~wide);
    atomicMax(&cache[at].max, wide);
}

fn clear_cache(at: u32) {
    atomicStore(&cache[at].count, 0u);
    atomicStore(&cache[at].carries, 0u);
    atomicStore(&cache[at].sum, 0lu);
    atomicStore(&cache[at].min, 0lu);
    atomicStore(&cache[at].max, 0lu);
}

// Adds the cached state to the table.
fn flush_cache(at: u32, slot: u32) {
    add_sum(
        slot,
        atomicLoad(&cache[at].count),
        atomicLoad(&cache[at].sum),
        atomicLoad(&cache[at].carries),
    );
    widen(slot, atomicLoad(&cache[at].min), atomicLoad(&cache[at].max));
}

fn group_of(slot: u32, key: vec2<u32>) -> Group {
    let sum = atomicLoad(&states[slot].sum);
    let min = ~atomicLoad(&states[slot].min);
    let max = atomicLoad(&states[slot].max);
    return Group(
        key.x,
        key.y,
        atomicLoad(&states[slot].count),
        low_word(sum),
        high_word(sum),
        atomicLoad(&states[slot].carries),
        low_word(min),
        biased(high_word(min)),
        low_word(max),
        biased(high_word(max)),
    );
}
