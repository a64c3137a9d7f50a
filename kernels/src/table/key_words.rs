//! Keys of up to 16 bytes as two words.
#![forbid(unsafe_code)]

/// Marks a key that has no form as words; no short key has these words.
pub(super) const LONG: [u64; 2] = [0, 1];

/// Returns a key of up to 16 bytes as two words, which are different for different keys.
///
/// ```text
/// up to 15 bytes   the bytes, then zeros, and the length as the last byte
/// 16 bytes         the bytes, if the last one is at least 16, so that it is no length
/// other keys       LONG
/// ```
#[inline(always)]
pub(super) fn words_of(key: &[u8]) -> [u64; 2] {
    let length = key.len();
    if length > 16 {
        return LONG;
    }
    if let (Some(first), Some(last)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        let last = u64::from_le_bytes(*last).unbounded_shr(8 * (16 - length as u32));
        return tagged([u64::from_le_bytes(*first), last], length);
    }
    if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4));
        return tagged([u64::from(u32::from_le_bytes(*first)) | last, 0], length);
    }
    let bytes = key.iter().rev();
    let word = bytes.fold(0, |word, &byte| word << 8 | u64::from(byte));
    tagged([word, 0], length)
}

/// Returns [`words_of`] the first `length` of 16 bytes, without a branch.
#[inline(always)]
pub(super) fn words_in(bytes: &[u8; 16], length: usize) -> [u64; 2] {
    let whole = u128::from_le_bytes(*bytes);
    let length = length.min(MOST_BYTES + 1);
    let is_tag = (length == MOST_BYTES) & (whole >> 120 < MOST_BYTES as u128);
    let form = &FORMS[length + usize::from(is_tag)];
    let words = (whole & form.used) | form.tag;
    [words as u64, (words >> 64) as u64]
}

/// Maximum bytes of a key that has a form as words.
const MOST_BYTES: usize = 16;

/// The bytes of a key that are used, and what is added to them.
struct Words {
    used: u128,
    tag: u128,
}

/// By length; the last form is that of keys without one.
static FORMS: [Words; MOST_BYTES + 2] = {
    let mut forms = [const {
        Words {
            used: 0,
            tag: 1 << 64,
        }
    }; MOST_BYTES + 2];
    let mut length = 0;
    while length < MOST_BYTES {
        forms[length] = Words {
            used: (1 << (8 * length)) - 1,
            tag: (length as u128) << 120,
        };
        length += 1;
    }
    forms[MOST_BYTES] = Words {
        used: u128::MAX,
        tag: 0,
    };
    forms
};

#[inline(always)]
fn tagged([first, second]: [u64; 2], length: usize) -> [u64; 2] {
    let tag = if length < 16 {
        (length as u64) << 56
    } else {
        0
    };
    let is_short = length < 16 || length == 16 && second >> 56 >= 16;
    if is_short {
        [first, second | tag]
    } else {
        LONG
    }
}
