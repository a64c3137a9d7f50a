//! Devices that join a job, or stay out of it.

use std::sync::Arc;

use super::software;
use crate::device::calibrate::{calibrate, kind_of};
use crate::device::choose::{Cost, SMALLEST};
use crate::device::gpu::Gpu;
use crate::device::{Device, Seat};
use crate::{Counts, DeviceChoice, Engine, TokenRule};

const RULE: TokenRule = TokenRule::Whitespace;

/// An engine whose device is known to take so long for a byte. It is software, which `auto` itself
/// would never open.
fn engine(per_byte: f64) -> Option<(Engine, Arc<dyn Device>)> {
    let found = software()?;
    let seat = Seat::new(Box::new(move || {
        Gpu::open(&found).map(|device| Arc::new(device) as Arc<dyn Device>)
    }));
    let device = seat.device().unwrap();
    let builder = Engine::builder().threads(1).device(DeviceChoice::Auto);
    let engine = builder.build().unwrap().with_seat(seat);
    let cost = Cost {
        launch: 0.0,
        per_byte,
        skipped: 0,
    };
    engine.costs().set(&device.identity(), kind_of(&RULE), cost);
    Some((engine, device))
}

fn count(engine: &Engine, bytes: u64) -> Counts {
    let line = b"to be or not to be that is the question whether\n";
    let text: Vec<u8> = line.iter().copied().cycle().take(bytes as usize).collect();
    let job = engine.read_bytes(text).tokenize(RULE);
    job.count_by_key().collect().unwrap()
}

#[test]
fn a_device_joins_that_is_known_to_be_fast() {
    let Some((engine, device)) = engine(1e-12) else {
        return;
    };
    let counts = count(&engine, 2 * SMALLEST);
    let metrics = counts.metrics();
    let decided = metrics.decisions.join("\n");
    assert!(decided.contains("it joins"), "{decided}");
    assert_eq!(counts.total(), counts.metrics().tokens);
    assert_eq!(counts.len(), 9);
    assert!(
        metrics.gpu_chunks > 0 && metrics.cpu_chunks > 0,
        "{metrics}"
    );
    let learned = engine
        .costs()
        .get(&device.identity(), kind_of(&RULE))
        .unwrap();
    assert!(
        learned.per_byte > 1e-12 || !decided.contains("measured"),
        "{learned:?}"
    );
}

#[test]
fn a_device_stays_out_that_is_known_to_be_slow() {
    let Some((engine, device)) = engine(1e-3) else {
        return;
    };
    let counts = count(&engine, SMALLEST);
    let metrics = counts.metrics();
    let decided = metrics.decisions.join("\n");
    assert!(decided.contains("does not pay"), "{decided}");
    assert_eq!(metrics.gpu_chunks, 0);
    let known = engine
        .costs()
        .get(&device.identity(), kind_of(&RULE))
        .unwrap();
    assert_eq!(known.skipped, 1);
    // Less input is no matter for any device.
    let counts = count(&engine, 1 << 20);
    let decided = counts.metrics().decisions.join("\n");
    assert!(decided.contains("is below"), "{decided}");
}

#[test]
fn a_device_is_measured_before_anything_is_known_of_it() {
    let Some((_, device)) = engine(0.0) else {
        return;
    };
    let cost = calibrate(&device, &RULE).unwrap();
    assert!(cost.per_byte > 0.0 && cost.per_byte < 1e-5, "{cost:?}");
    assert!(cost.launch >= 0.0 && cost.launch < 60.0, "{cost:?}");
}
