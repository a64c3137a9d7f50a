//! Tests of the shaders against the oracle, on every adapter. CI requires at least one adapter.
#![forbid(unsafe_code)]

mod auto;
mod binding;
mod count;
mod faults;
mod frame;
mod group_by;
mod hash_partition;
mod jobs;
mod passed_over;
mod reduce_by_key;
mod reduce_by_key_bytes;
mod tokenize;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keymill_shaders::{Shader, Stage};

use super::pipelines::permutation_of;
use super::{FoundAdapter, Gpu, adapters};
use crate::device::recording::{Extent, Recording};
use crate::device::{Device, Fault, self_test};
use crate::plan::ShaderVariant;

/// Opens a device for each shader variant on each adapter, the base first. If no adapter passes its
/// self-test, the tests are skipped, unless `KEYMILL_REQUIRE_GPU=1`. `scripts/test` lists the
/// adapters that were tested.
fn opened() -> &'static [Arc<dyn Device>] {
    static DEVICES: OnceLock<Vec<Arc<dyn Device>>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let found = adapters().unwrap();
        let devices: Vec<Arc<dyn Device>> = found.iter().flat_map(variants_on).collect();
        assert!(
            !is_required() || !devices.is_empty(),
            "KEYMILL_REQUIRE_GPU=1, and no adapter passes its self-test: {found:?}"
        );
        devices
    })
}

/// Returns one device on each adapter, with the base shaders.
pub(super) fn devices() -> Vec<&'static Arc<dyn Device>> {
    let is_base = |device: &&Arc<dyn Device>| device.variant() == ShaderVariant::BASE;
    opened().iter().filter(is_base).collect()
}

/// Returns a device on each adapter for each distinct shader of a stage, checked and unchecked.
pub(super) fn devices_of(stage: Stage) -> Vec<&'static Arc<dyn Device>> {
    let mut seen = HashSet::new();
    let is_new = |device: &&Arc<dyn Device>| {
        let variant = device.variant();
        let shader = Shader::compose_for(stage, permutation_of(variant));
        seen.insert((
            device.name().to_owned(),
            variant.is_unchecked,
            shader.wgsl().to_owned(),
        ))
    };
    opened().iter().filter(is_new).collect()
}

/// Returns one of these devices for each adapter, another one for each `turn`. It is for tests that
/// would take too long on all.
pub(super) fn rotated(stage: Stage, turn: usize) -> Vec<&'static Arc<dyn Device>> {
    let all = devices_of(stage);
    let of = |name: &str| -> Vec<_> { all.iter().filter(|it| it.name() == name).collect() };
    let names = devices().into_iter().map(|device| of(device.name()));
    names.map(|of| *of[turn % of.len()]).collect()
}

/// How long an injected hang lasts.
pub(super) const HANG: Duration = Duration::from_secs(6);

/// The time limit of devices with a short timeout.
const SHORT_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns a software adapter, which tests may destroy.
pub(super) fn software() -> Option<FoundAdapter> {
    opened();
    let software = adapters().unwrap().into_iter().find(|it| it.is_software);
    assert!(
        software.is_some() || !is_required(),
        "KEYMILL_REQUIRE_GPU=1, and these tests need software Vulkan"
    );
    software
}

fn is_required() -> bool {
    std::env::var_os("KEYMILL_REQUIRE_GPU").is_some_and(|it| it == "1")
}

/// Opens a device for each variant, if the base passes the self-test on the adapter.
fn variants_on(found: &FoundAdapter) -> Vec<Arc<dyn Device>> {
    let base = match Gpu::open(found, ShaderVariant::BASE).and_then(crate::device::self_tested) {
        Ok(device) => device,
        Err(fault) => {
            eprintln!("{} is not tested: {fault}", found.name);
            return Vec::new();
        }
    };
    let all = ShaderVariant::all_of(found.offers).into_iter();
    let others = all.filter(|variant| *variant != ShaderVariant::BASE);
    let open = |variant| Arc::new(Gpu::open(found, variant).unwrap()) as Arc<dyn Device>;
    [base].into_iter().chain(others.map(open)).collect()
}

#[test]
fn devices_with_every_variant_pass_the_self_test() {
    for device in opened() {
        let (name, variant) = (device.name(), device.variant());
        assert_eq!(self_test::run(device), Ok(()), "{name}: {variant}");
        println!("keymill: {name}: shaders: {variant}");
        let has_its_features = device.described().contains(&variant.to_string());
        assert!(has_its_features || variant == ShaderVariant::BASE);
    }
    let mut identities: Vec<String> = opened().iter().map(|it| it.identity()).collect();
    identities.sort_unstable();
    identities.dedup();
    assert_eq!(identities.len(), opened().len());
}

#[test]
fn a_refusal_is_a_fault_and_the_next_run_works() {
    for device in devices() {
        let mut wrong = Recording::default();
        let params = wrong.upload("params", vec![0; 16]);
        // Parameters are not a storage buffer: the device refuses this binding.
        let buffers = [params, params, params];
        wrong.run(Stage::SelfTest, "self_test", &buffers, 1);
        wrong.download(params, Extent::Bytes(16));
        assert!(matches!(device.run(&wrong), Err(Fault::Refused(_))));
        assert_eq!(self_test::run(device), Ok(()));
    }
}

#[test]
fn software_adapters_are_recognized() {
    for found in adapters().unwrap() {
        let is_llvmpipe = found.name.contains("llvmpipe") || found.name.contains("SwiftShader");
        assert!(!is_llvmpipe || found.is_software, "{found:?}");
    }
}
