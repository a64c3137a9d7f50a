// A tile is what one workgroup takes: 16 bytes a lane. `keymill_shaders::TILE_BYTES` mirrors it.

const LANES: u32 = 256u;
const LANE_BYTES: u32 = 16u;

// The tile of a workgroup; a grid has two dimensions where one does not reach.
fn tile_of(group: vec3<u32>, grid: vec3<u32>) -> u32 {
    return group.y * grid.x + group.x;
}
