// What this lane has to add to a word to which every lane of its workgroup adds something: its own.
//
// Every lane of the workgroup has to come here.
fn joined(mine: u32) -> u32 {
    return mine;
}
