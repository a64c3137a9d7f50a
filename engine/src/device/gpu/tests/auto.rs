//! Tests of jobs with `auto`: devices that join, and devices that do not.

use std::sync::Arc;

use super::software;
use crate::device::calibrate::{calibrate, job_kind};
use crate::device::gpu::Gpu;
use crate::device::join_policy::{Cost, MIN_INPUT_BYTES};
use crate::device::{CostCache, Device, SharedDevice};
use crate::{Cancel, Counts, DeviceChoice, Engine, TokenRule};

const RULE: TokenRule = TokenRule::Whitespace;

/// Creates an engine whose device has a known cost per byte. The device is software, which `auto`
/// itself would never open.
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
        jobs_skipped: 0,
    };
    engine
        .costs()
        .set(&device.identity(), job_kind(&RULE), cost);
    Some((engine, device))
}

fn repeated(lines: String, bytes: u64) -> Vec<u8> {
    let mut text = lines.repeat((bytes as usize).div_ceil(lines.len()));
    text.truncate(bytes as usize);
    text.into_bytes()
}

fn count(engine: &Engine, bytes: u64) -> Counts {
    let lines = (0..7919).map(|i| format!("to be or not to be word-{} site-{i}\n", i % 997));
    let text = repeated(lines.collect(), bytes);
    let job = engine.read_bytes(text).tokenize(RULE);
    job.count_by_key().collect().unwrap()
}

#[test]
fn a_fast_device_joins() {
    let Some((engine, _)) = engine(1e-12) else {
        return;
    };
    let counts = count(&engine, 2 * MIN_INPUT_BYTES);
    let metrics = counts.metrics();
    let decided = metrics.decisions.join("\n");
    for part in ["it joins", " measured in ", "predicted 0.000 s"] {
        assert!(decided.contains(part), "{part} in {decided}");
    }
    let alone = Engine::builder().threads(1).device(DeviceChoice::Cpu);
    let alone = count(&alone.build().unwrap(), 2 * MIN_INPUT_BYTES);
    assert!(counts.iter().eq(alone.iter()));
    assert!(
        metrics.gpu_chunks > 0 && metrics.cpu_chunks > 0,
        "{metrics}"
    );
}

#[test]
fn a_slow_device_does_not_join() {
    let Some((engine, device)) = engine(1e-3) else {
        return;
    };
    let counts = count(&engine, MIN_INPUT_BYTES);
    let metrics = counts.metrics();
    let decided = metrics.decisions.join("\n");
    assert!(decided.contains("is not faster"), "{decided}");
    assert_eq!(metrics.gpu_chunks, 0);
    let known = engine
        .costs()
        .get(&device.identity(), job_kind(&RULE))
        .unwrap();
    assert_eq!(known.jobs_skipped, 1);
    // A smaller input does not use any device.
    let counts = count(&engine, 1 << 20);
    let decided = counts.metrics().decisions.join("\n");
    assert!(decided.contains("is below"), "{decided}");
}

/// A file of a few hundred kilobytes, whose decompressed size is above the smallest input for a
/// GPU.
#[cfg(feature = "gzip")]
#[test]
fn compressed_input_is_measured_by_its_decompressed_size() {
    use std::io::Write;

    let Some((engine, _)) = engine(1e-12) else {
        return;
    };
    let packed = |bytes: u64| {
        let lines = (0..997).map(|i| format!("to be or not to be word-{i}\n"));
        let text = repeated(lines.collect(), bytes);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&text).unwrap();
        let packed = packer.finish().unwrap();
        assert!((packed.len() as u64) < MIN_INPUT_BYTES / 4);
        packed
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.gz");
    let count = |bytes: u64| {
        std::fs::write(&path, packed(bytes)).unwrap();
        let job = engine.read_text(&path).tokenize(RULE).count_by_key();
        job.collect().unwrap().metrics().clone()
    };
    let metrics = count(3 * MIN_INPUT_BYTES);
    let decided = metrics.decisions.join("\n");
    assert!(decided.contains("it joins"), "{decided}");
    assert!(metrics.gpu_chunks > 0, "{metrics}");
    let metrics = count(MIN_INPUT_BYTES / 4);
    let decided = metrics.decisions.join("\n");
    assert!(decided.contains("is below"), "{decided}");
}

#[test]
fn a_device_without_a_known_cost_is_measured_first() {
    let Some((engine, device)) = engine(1e-12) else {
        return;
    };
    // As after a driver update: the cached costs are of another device.
    let other = engine.with_costs(CostCache::new(None));
    let counts = count(&other, 4 * MIN_INPUT_BYTES);
    let decided = counts.metrics().decisions.join("\n");
    let known = other.costs().get(&device.identity(), job_kind(&RULE));
    let was_judged = decided.contains("predicted");
    assert!(
        was_judged == known.is_some() || decided.contains("done before"),
        "{decided}"
    );
}

#[test]
fn calibrate_returns_a_plausible_cost() {
    let Some((_, device)) = engine(0.0) else {
        return;
    };
    let cost = calibrate(&device, &RULE).unwrap();
    assert!(cost.per_byte > 0.0 && cost.per_byte < 1e-5, "{cost:?}");
    assert!(cost.launch >= 0.0 && cost.launch < 60.0, "{cost:?}");
}

#[test]
fn a_chosen_device_reports_its_time_for_any_input() {
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
