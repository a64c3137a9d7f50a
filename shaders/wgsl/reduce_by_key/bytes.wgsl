// Keys that are bytes of a text, and values of 64 bits, to a record for each key: count, sum,
// smallest and largest value. `reduce_table` does it, and this says what a key is.
//
// A key is a span of the text, as the tokenizer writes them, of any bytes and also of none. A record
// says which row has its key, so that no bytes come back. Keys of more bytes than `longest` are
// neither hashed nor compared: their rows are spilled.
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

// A row that has taken a slot has no key beyond the longest, which bounds the rounds.
fn is_key(key: Key, row: u32) -> bool {
    return is_same_key(key, key_of(row));
}

fn named(key: Key, row: u32) -> vec2<u32> {
    return vec2<u32>(row, key.length);
}
