//! Tests that shaders which fail the self-test are reported.

use std::sync::Arc;

use super::software;
use crate::device::gpu::Gpu;
use crate::device::gpu::fault_injection::{FaultInjection, InjectedFault};
use crate::device::open::open_first_that_passes;
use crate::device::{Device, Fault, SharedDevice, self_tested};
use crate::plan::ShaderVariant;
use crate::{DeviceChoice, Engine, Shaders, TokenRule};

/// Returns a shared device that returns zeros, unless it runs the base shaders.
fn shared_device() -> Option<SharedDevice> {
    let found = software()?;
    // Unchecked shaders are tried on any adapter, with or without optional features.
    let variants = Shaders::Unchecked.to_try(found.offers);
    Some(SharedDevice::new(Box::new(move || {
        open_first_that_passes(variants.clone(), |variant, passed_over| {
            let device = Gpu::open(&found, variant)?.with_passed_over(passed_over);
            if variant != ShaderVariant::BASE {
                device.inject(InjectedFault::after(0, FaultInjection::Zeros))?;
            }
            self_tested(device)
        })
    })))
}

#[test]
fn devices_and_jobs_report_the_shaders_that_failed() {
    let Some(shared_device) = shared_device() else {
        return;
    };
    let builder = Engine::builder().threads(1).device(DeviceChoice::Gpu);
    let engine = builder
        .build()
        .unwrap()
        .with_shared_device(shared_device.clone());
    let job = engine.read_bytes("to be or not to be");
    let counts = job.tokenize(TokenRule::Whitespace).count_by_key();
    let counts = counts.collect().unwrap();
    assert_eq!(counts.get(b"be"), Some(2));
    let device: Arc<dyn Device> = shared_device.try_device().unwrap();
    assert_eq!(device.variant(), ShaderVariant::BASE);
    let why = device.passed_over().unwrap();
    assert!(why.contains("unchecked failed the self-test: "), "{why}");
    for said in [
        device.described(),
        engine.explain_device(),
        counts.metrics().decisions.concat(),
        counts.metrics().to_string(),
    ] {
        assert!(said.contains(&format!("shaders: base, as {why}")), "{said}");
    }
}

#[test]
fn if_all_shaders_fail_the_fault_of_the_base_is_returned() {
    let Some(found) = software() else { return };
    let variants = Shaders::Unchecked.to_try(found.offers);
    let opened = open_first_that_passes(variants, |variant, _| {
        let device = Gpu::open(&found, variant)?;
        device.inject(InjectedFault::after(0, FaultInjection::Zeros))?;
        self_tested(device)
    });
    assert!(matches!(opened.err(), Some(Fault::NotConserved(_))));
}
