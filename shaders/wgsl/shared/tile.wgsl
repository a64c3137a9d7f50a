// A tile is what one workgroup processes: 16 bytes per lane. `keymill_shaders::TILE_BYTES` has the
// same value.

const LANES: u32 = 256u;
const LANE_BYTES: u32 = 16u;

// The position of an invocation.
struct Here {
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// Returns the tile of a workgroup. The grid has two dimensions if one is too short.
fn tile_of(here: Here) -> u32 {
    return here.group.y * here.grid.x + here.group.x;
}
