// Sums of up to 96 bits in three words, to which many invocations add.
//
// A signed 64-bit value is added as its distance from the smallest value, -2^63. So nothing is
// negative, and the sum of fewer than 2^31 values stays below 2^95. The reader of the sum subtracts
// the count times 2^63.

// Returns the high word of a value with its sign bit inverted, so that unsigned order is right.
fn biased(high: u32) -> u32 {
    return high ^ 0x80000000u;
}

// Returns 1 if `old + word` overflowed.
fn carry_of(old: u32, word: u32) -> u32 {
    return select(0u, 1u, old + word < old);
}

struct Upper {
    // Is added to the middle word.
    middle: u32,
    // Is added to the third word directly: the carry may overflow what is added to the middle word.
    third: u32,
}

fn upper_with(middle: u32, carry: u32) -> Upper {
    return Upper(middle + carry, carry_of(middle, carry));
}
