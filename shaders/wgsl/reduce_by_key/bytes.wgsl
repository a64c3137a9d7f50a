// Reduces rows whose keys are bytes of a text, with values of 64 bits, to one record per key:
// count, sum, smallest and largest value. `reduce_table` has the algorithm; this file defines the
// key.
//
// A key is a span of the text, as the tokenizer writes it: any bytes, or none. A record has the
// number of a row with its key, so no key bytes are read back. Keys longer than `longest` are
// neither hashed nor compared: their rows are spilled to the host.
// @use reduce_table
// @use table_key

@group(0) @binding(1) var<storage, read> text: array<u32>;
// Start and end of each row's key.
@group(0) @binding(8) var<storage, read> spans: array<vec2<u32>>;

alias Key = Span;

fn key_of(row: u32) -> Key {
    let span = spans[row];
    return Span(span.x, span.y - span.x);
}

fn is_beyond(key: Key) -> bool {
    return key.length > params.longest;
}

fn hash_of(key: Key) -> u32 {
    return key_hash(key);
}

// The owner of a slot never has a key longer than `longest`, so the comparison is bounded.
fn is_key(key: Key, row: u32) -> bool {
    return is_same_key(key, key_of(row));
}

fn named(key: Key, row: u32) -> vec2<u32> {
    return vec2<u32>(row, key.length);
}
