// Finds the lines of a text and writes their spans, in order. A line ends with LF, with CRLF, or
// where its record ends. The token rule `lines` runs this shader too.
// @use lines

fn edges_of(here: Here) -> Edges {
    if !has_text(here) {
        return no_edges();
    }
    let at = place_of(here);
    var ahead = ahead_of(at);
    return edges_of_lines(&ahead, at);
}

@compute @workgroup_size(256)
fn count_edges(here: Here) {
    count(here, edges_of(here));
}

@compute @workgroup_size(256)
fn write_spans(here: Here) {
    write(here, edges_of(here));
}
