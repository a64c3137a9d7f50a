//! Whole jobs on devices with a small binding limit, so that chunks are split at every edge.

use std::sync::Arc;

use super::rotated;
use crate::api::Counts;
use crate::device::recording::{PersistentId, Recording};
use crate::device::{Device, DeviceCounter, Pending, SharedDevice};
use crate::plan::DeviceChoice;
use crate::plan::ShaderVariant;
use crate::{Engine, TokenRule, Tuning};
use keymill_shaders::Stage;

/// A device with a smaller binding limit than its adapter.
struct SmallBinding {
    device: Arc<dyn Device>,
    binding_bytes: u64,
}

impl Device for SmallBinding {
    fn begin(&self, recording: Recording) -> Pending {
        for buffer in recording.buffers() {
            let (name, bytes) = (buffer.name, buffer.bytes);
            assert!(bytes <= self.binding_bytes, "{bytes} bytes of {name}");
        }
        self.device.begin(recording)
    }

    fn free(&self, buffers: &[PersistentId]) {
        self.device.free(buffers);
    }

    fn binding_bytes(&self) -> u64 {
        self.binding_bytes
    }

    fn name(&self) -> &str {
        self.device.name()
    }

    fn variant(&self) -> ShaderVariant {
        self.device.variant()
    }

    fn identity(&self) -> String {
        self.device.identity()
    }

    fn is_software(&self) -> bool {
        self.device.is_software()
    }
}

fn count(engine: &Engine, rule: &TokenRule, text: &[u8]) -> Counts {
    let job = engine.read_bytes(text.to_vec()).tokenize(rule.clone());
    job.count_by_key().collect().unwrap()
}

fn on_cpu() -> Engine {
    let builder = Engine::builder().threads(2).device(DeviceChoice::Cpu);
    builder.build().unwrap()
}

fn on_device(device: Arc<dyn Device>) -> Engine {
    let shared_device = SharedDevice::new(Box::new(move || Ok(Arc::clone(&device))));
    let builder = Engine::builder().threads(1).device(DeviceChoice::Gpu);
    builder.build().unwrap().with_shared_device(shared_device)
}

fn assert_same(one: &Counts, other: &Counts, context: std::fmt::Arguments<'_>) {
    assert!(one.iter().eq(other.iter()), "{context}");
}

/// Generates words of many lengths, each a few times.
fn text(bytes: usize) -> Vec<u8> {
    let lines = (0u32..).flat_map(|i| {
        let many = "m".repeat(i as usize % 61);
        format!("to be or-not-{} {many}{}, {i}\n", i % 50, i % 7).into_bytes()
    });
    lines.take(bytes).collect()
}

#[test]
fn texts_longer_than_the_binding_limit_are_split() {
    let rules = [
        TokenRule::Whitespace,
        TokenRule::Lines,
        TokenRule::Split(b", ".as_slice().into()),
    ];
    let mut turn = 0;
    for binding_bytes in [8 << 10, 40_000, 256 << 10] {
        for rule in &rules {
            // Each time with another variant of the shaders.
            turn += 1;
            for device in rotated(Stage::Count, turn) {
                let device = Arc::new(SmallBinding {
                    device: Arc::clone(device),
                    binding_bytes,
                });
                let limits = Tuning::DEFAULT;
                let counter = DeviceCounter::new(device.clone(), rule, &limits, 1);
                let limit = counter.max_bytes();
                assert!(limit < binding_bytes as usize, "{limit}");
                let engine = on_device(device.clone());
                for bytes in [0, 1, limit - 1, limit, limit + 1, 2 * limit, 9 * limit + 77] {
                    let text = text(bytes);
                    let counts = count(&engine, rule, &text);
                    let context = format_args!("{rule:?}, {bytes} bytes, {binding_bytes} bound");
                    assert_same(&counts, &count(&on_cpu(), rule, &text), context);
                    let chunks = counts.metrics().gpu_chunks;
                    assert!(chunks >= (bytes / limit) as u64, "{chunks}: {context}");
                }
            }
        }
    }
}
