// Returns what this lane must add to a word to which all lanes of the workgroup add a value: its
// own value.
//
// All lanes of the workgroup must call this.
fn joined(mine: u32) -> u32 {
    return mine;
}
