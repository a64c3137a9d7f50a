// Reduces rows of a key and a 64-bit value to one record per key: count, sum, smallest and largest
// value.
//
//   reduce_rows -> settle_lows (see `slot_state`) -> list_groups
//
//   reduce_rows   finds the slot of each row's key and adds the row to the state of the slot
//   list_groups   writes the taken slots as records, without gaps
//
// The first row of a key takes a slot by swapping its row number into it. Later rows compare their
// key with the key of that row, which never changes. A row is spilled if its chain of slots is
// full, or if the device does not support its key (`is_beyond`): the host reduces spilled rows.
//
// The table has a fixed size and loses no rows: each row is either in a group or spilled. The host
// checks the result: the groups must have the row count, the sum, the extremes and the checksums of
// keys of the rows that were sent.
//
// The shader that uses this part defines the type `Key` and these functions:
//
//   key_of(row)       returns the key of a row
//   is_beyond(key)    returns whether the host must reduce rows of this key
//   hash_of(key)      returns the start of the key's chain of slots
//   is_key(key, row)  returns whether the row has this key; compares the keys, not their hashes
//   named(key, row)   returns the words that identify the key in a record; the row has this key
// @use scan
// @use slot_state

struct Params {
    rows: u32,
    // Number of slots, a power of two.
    slots: u32,
    // Maximum number of slots that are probed for a key.
    chain: u32,
    // Bits of a key's hash that are used; 0 makes all keys collide.
    hash_mask: u32,
    // Secret odd numbers.
    secret_0: u32,
    secret_1: u32,
    secret_2: u32,
    // Number of this run. The last dispatch copies it to the summary.
    run: u32,
    // For keys of bytes only: length of the longest key that the device reduces.
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
    // Identifies the key: the low and high word of an integer, or a row with the key and the length
    // of the key.
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
// The owner of each slot: row number + 1, or 0 if the slot is free. After these, if `slot_state`
// needs it, the slot of each row: a shader is only guaranteed eight storage buffers.
@group(0) @binding(3) var<storage, read_write> owners: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> spill: array<u32>;
@group(0) @binding(6) var<storage, read_write> groups: array<Group>;
@group(0) @binding(7) var<storage, read_write> summary: Summary;

const STRIPES: u32 = 16u;
const TILE_ROWS: u32 = 4096u;
const NO_SLOT: u32 = 0xffffffffu;
// Number of attempts for a compare-and-swap, which may fail spuriously.
const ATTEMPTS: u32 = 8u;

// Each workgroup caches the state of the slots that it uses first, so that rows of a common key
// rarely wait for each other at the table. Slot + 1 for each place of the cache, or 0 if it is
// free.
var<workgroup> cached_slots: array<atomic<u32>, 256>;
var<workgroup> first_group: u32;

// Returns the owner of the slot + 1: this row if the slot was free, 0 if all attempts failed.
fn take(slot: u32, row: u32) -> u32 {
    var owner = atomicLoad(&owners[slot]);
    for (var attempt = 0u; attempt < ATTEMPTS && owner == 0u; attempt++) {
        let swapped = atomicCompareExchangeWeak(&owners[slot], 0u, row + 1u);
        owner = select(swapped.old_value, row + 1u, swapped.exchanged);
    }
    return owner;
}

// Returns the slot of the row's key, or `NO_SLOT`.
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

// Returns whether this place of the cache belongs to the slot, after an attempt to take it.
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
