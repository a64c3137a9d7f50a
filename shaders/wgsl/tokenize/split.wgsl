// Writes the spans of the parts of lines, in order. Each separator starts a new part.
// @use separators

fn edges_of(here: Here) -> Edges {
    if !has_text(here) {
        return no_edges();
    }
    return edges_of_parts(place_of(here));
}

@compute @workgroup_size(256)
fn count_edges(here: Here) {
    count(here, edges_of(here));
}

@compute @workgroup_size(256)
fn write_spans(here: Here) {
    write(here, edges_of(here));
}
