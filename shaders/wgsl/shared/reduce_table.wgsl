// Rows of a key and a value of 64 bits to a record for each key: count, sum, smallest and largest
// value.
//
//   reduce_rows   finds each row's slot in a table; adds to what the slot has (see `slot_state`)
//   list_groups   the slots that are taken, as records, without gaps
//
// A slot is taken by the first row that swaps its number in; the others compare their keys with
// that row's, which never changes. A row that finds no slot within the chain is spilled, and so is
// one whose key no device looks at: the host reduces them.
//
// Whoever uses this says what a `Key` is, and has these functions:
//
//   key_of(row)       a row's key
//   is_beyond(key)    whether the host reduces its rows, whatever room there is
//   hash_of(key)      where its chain of slots starts
//   is_key(key, row)  whether this is the key of that row; never by its hash alone
//   named(key, row)   what stands for it in a record, where that row has it
// @use scan
// @use slot_state

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
    // Of keys of bytes alone: the most bytes of one that is looked at.
    longest: u32,
    pad_0: u32,
    pad_1: u32,
    pad_2: u32,
}

struct Summary {
    groups: atomic<u32>,
    spilled: atomic<u32>,
    run: u32,
}

struct Group {
    // What stands for the key: its low word and its high one, or a row that has it and its bytes.
    key_0: u32,
    key_1: u32,
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
@group(0) @binding(2) var<storage, read> values: array<vec2<u32>>;
// The row that has taken each slot, and one; 0 while it is free. Behind them, where the state of
// slots asks for it, the slot of each row: eight buffers are all that a shader is sure to get.
@group(0) @binding(3) var<storage, read_write> owners: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> spill: array<u32>;
@group(0) @binding(6) var<storage, read_write> groups: array<Group>;
@group(0) @binding(7) var<storage, read_write> summary: Summary;

const STRIPES: u32 = 16u;
const TILE_ROWS: u32 = 4096u;
const NO_SLOT: u32 = 0xffffffffu;
// How often a swap that fails without a reason is tried again.
const ATTEMPTS: u32 = 8u;

// A workgroup has places of its own for the slots that it meets first, so that few rows of a common
// key wait for each other at the table. Of each place the slot, and one; 0 while it is free.
var<workgroup> cached_slots: array<atomic<u32>, 256>;
var<workgroup> first_group: u32;

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
    let key = key_of(row);
    if is_beyond(key) {
        return NO_SLOT;
    }
    let home = hash_of(key);
    for (var step = 0u; step < params.chain; step++) {
        let slot = (home + step) & (params.slots - 1u);
        let owner = take(slot, row);
        if owner == 0u {
            return NO_SLOT;
        }
        if owner == row + 1u || is_key(key, owner - 1u) {
            return slot;
        }
    }
    return NO_SLOT;
}

// Whether the cache has a place for the slot.
fn is_cached(at: u32, slot: u32) -> bool {
    var owner = atomicLoad(&cached_slots[at]);
    if owner == 0u {
        let swapped = atomicCompareExchangeWeak(&cached_slots[at], 0u, slot + 1u);
        owner = select(swapped.old_value, slot + 1u, swapped.exchanged);
    }
    return owner == slot + 1u;
}

fn reduce_row(row: u32) {
    let slot = slot_of(row);
    keep_place(row, slot);
    if slot == NO_SLOT {
        spill[atomicAdd(&summary.spilled, 1u)] = row;
        return;
    }
    let at = slot % LANES;
    if is_cached(at, slot) {
        add_to_cache(at, values[row]);
    } else {
        add_to_table(slot, values[row]);
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
    atomicStore(&cached_slots[lane], 0u);
    clear_cache(lane);
    workgroupBarrier();
    for (var stripe = 0u; stripe < STRIPES && tile < tiles(); stripe++) {
        let row = row_of(tile, stripe, lane);
        if row < params.rows {
            reduce_row(row);
        }
    }
    workgroupBarrier();
    let cached = atomicLoad(&cached_slots[lane]);
    if cached != 0u {
        flush_cache(lane, cached - 1u);
    }
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
        let key = named(key_of(owner - 1u), owner - 1u);
        groups[first_group + scanned.before.x] = group_of(slot, key);
    }
    if slot == 0u {
        summary.run = params.run;
    }
}
