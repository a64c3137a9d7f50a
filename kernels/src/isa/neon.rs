//! NEON primitives: a block is four registers of 16 bytes.

use core::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vcgeq_u8, vcleq_u8, vdupq_n_u8, vgetq_lane_u64, vld1q_u8,
    vmaxvq_u8, vminq_u8, vorrq_u8, vpaddq_u8, vqtbl1q_u8, vreinterpretq_u64_u8,
};

use super::{BLOCK, Isa, Kernel};
use crate::Level;

/// Proof that NEON is available: only [`enter`] makes one.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

/// Compiles and runs `kernel` with NEON.
///
/// # Safety
///
/// The processor must have NEON, as every aarch64 processor in use does.
#[target_feature(enable = "neon")]
pub(super) unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
    kernel.run(Neon(()))
}

/// A different bit for each of eight bytes.
static BIT_OF_BYTE: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

/// The white-space byte with each low nibble; see `avx2.rs`.
static SPACE_BY_NIBBLE: [u8; 16] = [0x20, 0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 13, 0, 0];

impl Isa for Neon {
    const LEVEL: Level = Level::Neon;
    type Block = [uint8x16_t; 4];
    /// The smallest byte seen at each position.
    type Zeros = [uint8x16_t; 4];

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> [uint8x16_t; 4] {
        let (quarters, _) = bytes.as_chunks::<16>();
        // SAFETY: each quarter holds 16 readable bytes; `self` proves NEON.
        core::array::from_fn(|i| unsafe { vld1q_u8(quarters[i].as_ptr()) })
    }

    #[inline(always)]
    fn equal(self, block: [uint8x16_t; 4], byte: u8) -> u64 {
        // SAFETY: `self` proves NEON.
        unsafe {
            let wanted = vdupq_n_u8(byte);
            mask(block.map(|quarter| vceqq_u8(quarter, wanted)))
        }
    }

    #[inline(always)]
    fn in_range(self, block: [uint8x16_t; 4], low: u8, high: u8) -> u64 {
        // SAFETY: `self` proves NEON.
        unsafe {
            let (low, high) = (vdupq_n_u8(low), vdupq_n_u8(high));
            mask(block.map(|quarter| vandq_u8(vcgeq_u8(quarter, low), vcleq_u8(quarter, high))))
        }
    }

    #[inline(always)]
    fn ascii_space(self, block: [uint8x16_t; 4]) -> u64 {
        // SAFETY: `self` proves NEON; the table holds 16 readable bytes.
        unsafe {
            let rows = vld1q_u8(SPACE_BY_NIBBLE.as_ptr());
            let nibble = vdupq_n_u8(0x8f);
            // Bit 7 is kept, so that bytes above 0x7f are outside the table and give 0.
            mask(
                block.map(|quarter| vceqq_u8(vqtbl1q_u8(rows, vandq_u8(quarter, nibble)), quarter)),
            )
        }
    }

    #[inline(always)]
    fn has_non_ascii(self, block: [uint8x16_t; 4]) -> bool {
        // SAFETY: `self` proves NEON.
        unsafe {
            let all = vorrq_u8(vorrq_u8(block[0], block[1]), vorrq_u8(block[2], block[3]));
            vmaxvq_u8(all) >= 0x80
        }
    }

    #[inline(always)]
    fn or(self, a: [uint8x16_t; 4], b: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
        // SAFETY: `self` proves NEON.
        core::array::from_fn(|i| unsafe { vorrq_u8(a[i], b[i]) })
    }

    #[inline(always)]
    fn no_zeros(self) -> [uint8x16_t; 4] {
        self.load(&[0xff; BLOCK])
    }

    #[inline(always)]
    fn any_zeros(self, seen: [uint8x16_t; 4]) -> bool {
        self.equal(seen, 0) != 0
    }

    #[inline(always)]
    fn note_zeros(self, a: [uint8x16_t; 4], b: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
        // SAFETY: `self` proves NEON.
        core::array::from_fn(|i| unsafe { vminq_u8(a[i], b[i]) })
    }
}

/// Returns one bit per byte from four registers of all-ones and all-zero bytes.
#[inline(always)]
fn mask(quarters: [uint8x16_t; 4]) -> u64 {
    // SAFETY: only called with registers that a `Neon` made, so NEON is available; the table
    // holds 16 readable bytes.
    unsafe {
        let bits = vld1q_u8(BIT_OF_BYTE.as_ptr());
        let [a, b, c, d] = quarters.map(|quarter| vandq_u8(quarter, bits));
        // Three rounds of pairwise addition pack eight bits from separate bytes into one byte.
        let packed = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
        let packed = vpaddq_u8(packed, packed);
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(packed))
    }
}
