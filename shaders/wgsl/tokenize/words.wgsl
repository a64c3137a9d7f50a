// Finds words, runs of letters and digits, and writes their spans, in order. The text must be
// ASCII: the host refuses other texts, and the CPU does the work.
// @use records
// @use runs
// @use swar

fn ascii_words(words: ptr<function, array<u32, 6>>) -> u32 {
    var mask = 0u;
    for (var i = 0u; i < WINDOW_WORDS; i++) {
        let word = (*words)[i];
        // This bit makes upper-case letters lower case, and no other byte becomes a letter.
        let letters = bytes_between(word | 0x20202020u, 0x61u, 0x7au);
        mask |= gather(letters | bytes_between(word, 0x30u, 0x39u)) << (i * 4u);
    }
    return mask;
}

fn edges_of(here: Here) -> Edges {
    if !has_text(here) {
        return no_edges();
    }
    let at = place_of(here);
    var words = window_at(at);
    return edges_of_runs(at, within_text(at) & ascii_words(&words), record_starts(at));
}

@compute @workgroup_size(256)
fn count_edges(here: Here) {
    count(here, edges_of(here));
}

@compute @workgroup_size(256)
fn write_spans(here: Here) {
    write(here, edges_of(here));
}
