//! Whole jobs on unusual input: the result must be that of the CPU.

use std::sync::Arc;

use keymill_shaders::Stage;

use super::{rotated, software};
use crate::device::gpu::Gpu;
use crate::device::{Device, SharedDevice, tokenize};
use crate::{Counts, DeviceChoice, Engine, TokenRule};

/// The length of the longest token in bytes.
const LONG: usize = 100_000_000;

const RULE: TokenRule = TokenRule::Whitespace;

fn engine(choice: DeviceChoice) -> Option<Engine> {
    let found = software()?;
    let shared_device = SharedDevice::new(Box::new(move || {
        Gpu::open(&found, found.offers).map(|device| Arc::new(device) as Arc<dyn Device>)
    }));
    let builder = Engine::builder().threads(1).device(choice);
    Some(builder.build().unwrap().with_shared_device(shared_device))
}

fn count(engine: &Engine, text: &Arc<Vec<u8>>) -> Counts {
    let job = engine.read_bytes(Shared(Arc::clone(text))).tokenize(RULE);
    job.count_by_key().collect().unwrap()
}

/// Text that several jobs share.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn agrees(text: Vec<u8>) {
    let text = Arc::new(text);
    let alone = Engine::builder().threads(1).device(DeviceChoice::Cpu);
    let alone = count(&alone.build().unwrap(), &text);
    for choice in [DeviceChoice::Gpu, DeviceChoice::Hybrid] {
        let Some(engine) = engine(choice.clone()) else {
            return;
        };
        let counts = count(&engine, &text);
        assert!(counts.iter().eq(alone.iter()), "{choice}");
        assert_eq!(counts.total(), alone.total(), "{choice}");
    }
}

#[test]
fn a_token_of_a_hundred_megabytes_among_short_ones() {
    let mut text = b"to be or ".to_vec();
    text.resize(LONG, b'x');
    text.extend_from_slice(b" not to be\n");
    agrees(text);
}

#[test]
fn only_separators_and_random_bytes() {
    agrees(vec![b' '; 40 << 20]);
    let noise = (0..20u32 << 20).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 23) as u8);
    agrees(noise.collect());
}

/// Tests the stage alone, on the longest token that the device supports.
#[test]
fn a_token_across_thousands_of_tiles() {
    for device in rotated(Stage::Tokenize, 1) {
        let limit = tokenize::max_bytes(&RULE, device.binding_bytes(), false).min(LONG);
        let mut text = vec![b'x'; limit];
        text[0] = b' ';
        let spans = tokenize::run(&**device, &RULE, &text, None).unwrap().spans;
        let found: Vec<(u32, u32)> = spans.iter().map(|span| (span.start, span.end)).collect();
        assert_eq!(found, [(1, limit as u32)]);
    }
}
