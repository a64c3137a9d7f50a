// A tile is what one workgroup takes: 16 bytes a lane. `keymill_shaders::TILE_BYTES` mirrors it.

const LANES: u32 = 256u;
const LANE_BYTES: u32 = 16u;

// Where an invocation stands.
struct Here {
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// The tile of a workgroup; a grid has two dimensions where one does not reach.
fn tile_of(here: Here) -> u32 {
    return here.group.y * here.grid.x + here.group.x;
}
