// Reduces rows with integer keys and values of 64 bits to one record per key: count, sum, smallest
// and largest value. `reduce_table` has the algorithm; this file defines the key.
// @use reduce_table

@group(0) @binding(1) var<storage, read> keys: array<vec2<u32>>;

alias Key = vec2<u32>;

fn key_of(row: u32) -> Key {
    return keys[row];
}

fn is_beyond(key: Key) -> bool {
    return false;
}

fn hash_of(key: Key) -> u32 {
    var hash = (key.x ^ params.secret_1) * params.secret_0;
    hash = ((hash ^ (hash >> 15u)) + key.y) * params.secret_1;
    hash = (hash ^ (hash >> 13u)) * params.secret_2;
    return (hash ^ (hash >> 16u)) & params.hash_mask;
}

fn is_key(key: Key, row: u32) -> bool {
    return all(keys[row] == key);
}

fn named(key: Key, row: u32) -> vec2<u32> {
    return key;
}
