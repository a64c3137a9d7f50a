//! Whole jobs whose texts are nothing like texts: as the processor counts them.

use std::sync::Arc;

use keymill_shaders::Stage;

use super::{in_turn, software};
use crate::device::gpu::Gpu;
use crate::device::{Device, SharedDevice, tokenize};
use crate::{Counts, DeviceChoice, Engine, TokenRule};

/// Bytes of the longest token.
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

/// Text that several jobs read.
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
fn nothing_but_separators_and_bytes_that_are_no_text() {
    agrees(vec![b' '; 40 << 20]);
    let noise = (0..20u32 << 20).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 23) as u8);
    agrees(noise.collect());
}

/// The stage itself, on as long a token as the device takes at once.
#[test]
fn a_token_across_thousands_of_tiles() {
    for device in in_turn(Stage::Tokenize, 1) {
        let most = tokenize::most_bytes(&RULE, device.binding_bytes(), false).min(LONG);
        let mut text = vec![b'x'; most];
        text[0] = b' ';
        let spans = tokenize::run(&**device, &RULE, &text, None).unwrap().spans;
        let found: Vec<(u32, u32)> = spans.iter().map(|span| (span.start, span.end)).collect();
        assert_eq!(found, [(1, most as u32)]);
    }
}
