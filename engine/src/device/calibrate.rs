//! Measures the cost of counting on a device: the same words in two sizes.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_buffer::Buffer;

use super::join_policy::Cost;
use super::{Device, DeviceCounter, Fault};
use crate::{TokenRule, Tuning};

const SMALL: usize = 1 << 20;
const LARGE: usize = 8 << 20;

/// Returns the kind of a counting job. Costs are stored by kind.
pub(crate) fn job_kind(rule: &TokenRule) -> &'static str {
    match rule {
        TokenRule::Whitespace => "count whitespace",
        TokenRule::Split(_) => "count split",
        TokenRule::Words => "count words",
        TokenRule::Lines => "count lines",
        TokenRule::Field { .. } => "count field",
    }
}

/// Measures the cost of counting on a device.
pub(crate) fn calibrate(device: &Arc<dyn Device>, rule: &TokenRule) -> Result<Cost, Fault> {
    let text = words(LARGE);
    // The first run compiles the shaders.
    count(device, rule, &text[..SMALL])?;
    let small = count(device, rule, &text[..SMALL])?;
    let large = count(device, rule, &text)?;
    Ok(Cost::fit((SMALL as u64, small), (LARGE as u64, large)))
}

fn count(device: &Arc<dyn Device>, rule: &TokenRule, text: &[u8]) -> Result<Duration, Fault> {
    let mut counter = DeviceCounter::new(Arc::clone(device), rule, &Tuning::DEFAULT, 0x6b65_796d);
    let chunks: Vec<Buffer> = text
        .chunks(counter.max_bytes().min(LARGE / 4))
        .map(Buffer::from)
        .collect();
    let started = Instant::now();
    for chunk in chunks {
        if !counter.has_room(chunk.len()) {
            counter.drain(&mut |_, _| {})?;
        }
        counter.push(chunk)?;
    }
    counter.drain(&mut |_, _| {})?;
    Ok(started.elapsed())
}

/// Generates lines of words. A few words are frequent.
fn words(bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + 16);
    let mut state = 1u32;
    while text.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The product of two uniform numbers is small more often than large.
        let word = (state >> 24) * (state >> 16 & 0xff);
        text.extend_from_slice(format!("w{word:x}").as_bytes());
        text.push(if state >> 28 == 0 { b'\n' } else { b' ' });
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_many_words_and_some_are_frequent() {
        let text = words(100_000);
        assert_eq!(text.len(), 100_000);
        let counts = keymill_kernels::oracle::count(&TokenRule::Whitespace, &text);
        let highest = counts.values().copied().max().unwrap_or(0);
        assert!(
            counts.len() > 1000 && highest > 50,
            "{} {highest}",
            counts.len()
        );
    }
}
