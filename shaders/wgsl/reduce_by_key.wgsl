// Keys and values of 64 bits to a record for each key: count, sum, smallest and largest value.
//
//   reduce_rows   finds each row's slot in a table; adds to what the slot has
//   settle_lows   the low words of the smallest and the largest value, where the high words agree
//   list_groups   the slots that are taken, as records, without gaps
//
// A slot is taken by the first row that swaps its number in; the others compare their keys with
// that row's, which never changes. A row that finds no slot within the chain is spilled: the host
// reduces it.
// @use scan
// @use wide_sum

struct Params {
    rows: u32,
    // Slots of the table: a power of two.
    slots: u32,
    // Slots that are looked at for a key.
    chain: u32,
    // The bits of a key's hash that are kept: 0 has every key collide.
    hash_mask: u32,
    // Odd numbers that nobody outside knows.
    secret_0: u32,
    secret_1: u32,
    secret_2: u32,
    // Which run this is; the last dispatch writes it down.
    run: u32,
}

struct Summary {
    groups: atomic<u32>,
    spilled: atomic<u32>,
    run: u32,
}

// What a slot has; all zeros is what no values make. Words of extremes are such that the greater
// one wins: those of the smallest value are turned over.
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

struct Group {
    key_low: u32,
    key_high: u32,
    count: u32,
    sum_0: u32,
    sum_1: u32,
    sum_2: u32,
    min_low: u32,
    min_high: u32,
    max_low: u32,
    max_high: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> values: array<vec2<u32>>;
// The row that has taken each slot, and one; 0 while it is free.
@group(0) @binding(3) var<storage, read_write> owners: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> states: array<State>;
// The slot of each row.
@group(0) @binding(5) var<storage, read_write> places: array<u32>;
@group(0) @binding(6) var<storage, read_write> spill: array<u32>;
@group(0) @binding(7) var<storage, read_write> groups: array<Group>;
@group(0) @binding(8) var<storage, read_write> summary: Summary;

const STRIPES: u32 = 16u;
const TILE_ROWS: u32 = 4096u;
const NO_SLOT: u32 = 0xffffffffu;
// How often a swap that fails without a reason is tried again.
const ATTEMPTS: u32 = 8u;

// What a workgroup has of the slots that it meets first, so that few rows of a common key wait for
// each other at the table.
struct Cached {
    // The slot, and one; 0 while the place is free.
    owner: atomic<u32>,
    count: atomic<u32>,
    sum_0: atomic<u32>,
    sum_1: atomic<u32>,
    sum_2: atomic<u32>,
    min_high: atomic<u32>,
    max_high: atomic<u32>,
}

var<workgroup> cache: array<Cached, 256>;
var<workgroup> first_group: u32;

fn hash_of(key: vec2<u32>) -> u32 {
    var hash = (key.x ^ params.secret_1) * params.secret_0;
    hash = ((hash ^ (hash >> 15u)) + key.y) * params.secret_1;
    hash = (hash ^ (hash >> 13u)) * params.secret_2;
    return (hash ^ (hash >> 16u)) & params.hash_mask;
}

// The row that has the slot, and one: this row if the slot was free. 0 if that cannot be told.
fn take(slot: u32, row: u32) -> u32 {
    var owner = atomicLoad(&owners[slot]);
    for (var attempt = 0u; attempt < ATTEMPTS && owner == 0u; attempt++) {
        let swapped = atomicCompareExchangeWeak(&owners[slot], 0u, row + 1u);
        owner = select(swapped.old_value, row + 1u, swapped.exchanged);
    }
    return owner;
}

fn slot_of(row: u32) -> u32 {
    let key = keys[row];
    let home = hash_of(key);
    for (var step = 0u; step < params.chain; step++) {
        let slot = (home + step) & (params.slots - 1u);
        let owner = take(slot, row);
        if owner == 0u {
            return NO_SLOT;
        }
        if owner == row + 1u || all(keys[owner - 1u] == key) {
            return slot;
        }
    }
    return NO_SLOT;
}

fn add_to_table(slot: u32, count: u32, low: u32, middle: u32, third: u32) {
    atomicAdd(&states[slot].count, count);
    let upper = upper_with(middle, carry_of(atomicAdd(&states[slot].sum_0, low), low));
    let carry = carry_of(atomicAdd(&states[slot].sum_1, upper.middle), upper.middle);
    let rest = third + upper.third + carry;
    if rest != 0u {
        atomicAdd(&states[slot].sum_2, rest);
    }
}

fn widen_table(slot: u32, min_high: u32, max_high: u32) {
    // Most rows change nothing: to look costs less than to change.
    if min_high > atomicLoad(&states[slot].min_high) {
        atomicMax(&states[slot].min_high, min_high);
    }
    if max_high > atomicLoad(&states[slot].max_high) {
        atomicMax(&states[slot].max_high, max_high);
    }
}

// Whether the cache has a place for the slot.
fn is_cached(at: u32, slot: u32) -> bool {
    var owner = atomicLoad(&cache[at].owner);
    if owner == 0u {
        let swapped = atomicCompareExchangeWeak(&cache[at].owner, 0u, slot + 1u);
        owner = select(swapped.old_value, slot + 1u, swapped.exchanged);
    }
    return owner == slot + 1u;
}

fn add_to_cache(at: u32, low: u32, high: u32) {
    atomicAdd(&cache[at].count, 1u);
    let upper = upper_with(high, carry_of(atomicAdd(&cache[at].sum_0, low), low));
    let carry = carry_of(atomicAdd(&cache[at].sum_1, upper.middle), upper.middle);
    atomicAdd(&cache[at].sum_2, upper.third + carry);
    atomicMax(&cache[at].min_high, ~high);
    atomicMax(&cache[at].max_high, high);
}

fn clear_cache(at: u32) {
    atomicStore(&cache[at].owner, 0u);
    atomicStore(&cache[at].count, 0u);
    atomicStore(&cache[at].sum_0, 0u);
    atomicStore(&cache[at].sum_1, 0u);
    atomicStore(&cache[at].sum_2, 0u);
    atomicStore(&cache[at].min_high, 0u);
    atomicStore(&cache[at].max_high, 0u);
}

fn flush_cache(at: u32) {
    let owner = atomicLoad(&cache[at].owner);
    if owner == 0u {
        return;
    }
    add_to_table(
        owner - 1u,
        atomicLoad(&cache[at].count),
        atomicLoad(&cache[at].sum_0),
        atomicLoad(&cache[at].sum_1),
        atomicLoad(&cache[at].sum_2),
    );
    widen_table(owner - 1u, atomicLoad(&cache[at].min_high), atomicLoad(&cache[at].max_high));
}

fn reduce_row(row: u32) {
    let slot = slot_of(row);
    places[row] = slot;
    if slot == NO_SLOT {
        spill[atomicAdd(&summary.spilled, 1u)] = row;
        return;
    }
    let low = values[row].x;
    let high = biased(values[row].y);
    let at = slot % LANES;
    if is_cached(at, slot) {
        add_to_cache(at, low, high);
    } else {
        add_to_table(slot, 1u, low, high, 0u);
        widen_table(slot, ~high, high);
    }
}

fn row_of(tile: u32, stripe: u32, lane: u32) -> u32 {
    return tile * TILE_ROWS + stripe * LANES + lane;
}

fn tiles() -> u32 {
    return (params.rows + TILE_ROWS - 1u) / TILE_ROWS;
}

@compute @workgroup_size(256)
fn reduce_rows(here: Here) {
    let tile = tile_of(here);
    let lane = here.lane;
    clear_cache(lane);
    workgroupBarrier();
    for (var stripe = 0u; stripe < STRIPES && tile < tiles(); stripe++) {
        let row = row_of(tile, stripe, lane);
        if row < params.rows {
            reduce_row(row);
        }
    }
    workgroupBarrier();
    flush_cache(lane);
}

fn settle_row(row: u32) {
    let slot = places[row];
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

fn group_of(slot: u32, row: u32) -> Group {
    return Group(
        keys[row].x,
        keys[row].y,
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

@compute @workgroup_size(256)
fn list_groups(here: Here) {
    let tile = tile_of(here);
    let lane = here.lane;
    let slot = tile * LANES + lane;
    var owner = 0u;
    if slot < params.slots {
        owner = atomicLoad(&owners[slot]);
    }
    let scanned = scan(lane, vec2<u32>(min(owner, 1u), 0u));
    if lane == 0u {
        first_group = atomicAdd(&summary.groups, scanned.total.x);
    }
    workgroupBarrier();
    if owner != 0u {
        groups[first_group + scanned.before.x] = group_of(slot, owner - 1u);
    }
    if slot == 0u {
        summary.run = params.run;
    }
}
