//! Devices that join a job, or stay out of it.

use std::sync::Arc;

use super::software;
use crate::device::calibrate::{calibrate, kind_of};
use crate::device::gpu::Gpu;
use crate::device::join_policy::{Cost, SMALLEST};
use crate::device::{CostCache, Device, SharedDevice};
use crate::{Cancel, Counts, DeviceChoice, Engine, TokenRule};

const RULE: TokenRule = TokenRule::Whitespace;

/// An engine whose device is known to take so long for a byte. It is software, which `auto` itself
/// would never open.
fn engine(per_byte: f64) -> Option<(Engine, Arc<dyn Device>)> {
    let found = software()?;
    let shared_device = SharedDevice::new(Box::new(move || {
        Gpu::open(&found, found.offers).map(|device| Arc::new(device) as Arc<dyn Device>)
    }));
    let device = shared_device.device(&Cancel::default()).unwrap();
    let builder = Engine::builder().threads(1).device(DeviceChoice::Auto);
    let engine = builder.build().unwrap().with_shared_device(shared_device);
    let cost = Cost {
        launch: 0.0,
        per_byte,
        skipped: 0,
    };
    engine.costs().set(&device.identity(), kind_of(&RULE), cost);
    Some((engine, device))
}

fn count(engine: &Engine, bytes: u64) -> Counts {
    let lines = (0..).map(|i| format!("to be or not to be word-{} site-{}\n", i % 997, i % 7919));
    let text: Vec<u8> = lines
        .flat_map(String::into_bytes)
        .take(bytes as usize)
        .collect();
    let job = engine.read_bytes(text).tokenize(RULE);
    job.count_by_key().collect().unwrap()
}

#[test]
fn a_device_joins_that_is_known_to_be_fast() {
    let Some((engine, _)) = engine(1e-12) else {
        return;
    };
    let counts = count(&engine, 2 * SMALLEST);
    let metrics = counts.metrics();
    let decided = metrics.decisions.join("\n");
    for part in ["it joins", " measured in ", "predicted 0.000 s"] {
        assert!(decided.contains(part), "{part} in {decided}");
    }
    let alone = Engine::builder().threads(1).device(DeviceChoice::Cpu);
    let alone = count(&alone.build().unwrap(), 2 * SMALLEST);
    assert!(counts.iter().eq(alone.iter()));
    assert!(
        metrics.gpu_chunks > 0 && metrics.cpu_chunks > 0,
        "{metrics}"
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

/// A file of a few hundred kilobytes that decompresses to more than the smallest input for devices.
#[cfg(feature = "gzip")]
#[test]
fn compressed_input_is_judged_by_what_it_holds() {
    use std::io::Write;

    let Some((engine, _)) = engine(1e-12) else {
        return;
    };
    let packed = |bytes: u64| {
        let lines = (0..).map(|i| format!("to be or not to be word-{}\n", i % 997));
        let text = lines.flat_map(String::into_bytes).take(bytes as usize);
        let text: Vec<u8> = text.collect();
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&text).unwrap();
        let packed = packer.finish().unwrap();
        assert!((packed.len() as u64) < SMALLEST / 4);
        packed
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.gz");
    let count = |bytes: u64| {
        std::fs::write(&path, packed(bytes)).unwrap();
        let job = engine.read_text(&path).tokenize(RULE).count_by_key();
        job.collect().unwrap().metrics().clone()
    };
    let metrics = count(3 * SMALLEST);
    let decided = metrics.decisions.join("\n");
    assert!(decided.contains("it joins"), "{decided}");
    assert!(metrics.gpu_chunks > 0, "{metrics}");
    let metrics = count(SMALLEST / 4);
    let decided = metrics.decisions.join("\n");
    assert!(decided.contains("is below"), "{decided}");
}

#[test]
fn a_device_of_which_nothing_is_known_is_measured_first() {
    let Some((engine, device)) = engine(1e-12) else {
        return;
    };
    // As after a new driver: what is known is another one's.
    let other = engine.with_costs(CostCache::new(None));
    let counts = count(&other, 4 * SMALLEST);
    let decided = counts.metrics().decisions.join("\n");
    let known = other.costs().get(&device.identity(), kind_of(&RULE));
    let was_judged = decided.contains("predicted");
    assert!(
        was_judged == known.is_some() || decided.contains("done before"),
        "{decided}"
    );
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

#[test]
fn a_device_that_was_asked_for_says_what_it_took_however_little() {
    let Some(found) = software() else { return };
    let shared_device = SharedDevice::new(Box::new(move || {
        Gpu::open(&found, found.offers).map(|device| Arc::new(device) as Arc<dyn Device>)
    }));
    let builder = Engine::builder().threads(1).device(DeviceChoice::Gpu);
    let engine = builder.build().unwrap().with_shared_device(shared_device);
    let counts = count(&engine, 10_000);
    let decided = counts.metrics().decisions.join("\n");
    for part in ["as requested", "0.01 MB measured in ", "no prediction"] {
        assert!(decided.contains(part), "{part} in {decided}");
    }
}
