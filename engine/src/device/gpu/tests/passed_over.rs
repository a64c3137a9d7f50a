//! Shaders that fail the self-test are not passed over in silence.

use std::sync::Arc;

use super::software;
use crate::device::gpu::Gpu;
use crate::device::gpu::fault_injection::{FaultInjection, Injuries};
use crate::device::open::first_sound;
use crate::device::{Device, Fault, SharedDevice, sound};
use crate::probe::ShaderVariant;
use crate::{DeviceChoice, Engine, Shaders, TokenRule};

/// A seat whose device answers with zeros unless it runs the base.
fn shared_device() -> Option<SharedDevice> {
    let found = software()?;
    // Shaders without checks are tried on any adapter, whatever it offers.
    let variants = Shaders::Unchecked.to_try(found.offers);
    Some(SharedDevice::new(Box::new(move || {
        first_sound(variants.clone(), |variant, passed_over| {
            let device = Gpu::open(&found, variant)?.instead_of(passed_over);
            if variant != ShaderVariant::BASE {
                device.injure(Injuries::after(0, FaultInjection::Zeros))?;
            }
            sound(device)
        })
    })))
}

#[test]
fn a_device_says_which_shaders_failed_and_so_do_the_jobs_on_it() {
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
    let device: Arc<dyn Device> = shared_device.device_now().unwrap();
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
fn a_device_on_which_no_shaders_are_sound_says_what_the_base_got_wrong() {
    let Some(found) = software() else { return };
    let variants = Shaders::Unchecked.to_try(found.offers);
    let opened = first_sound(variants, |variant, _| {
        let device = Gpu::open(&found, variant)?;
        device.injure(Injuries::after(0, FaultInjection::Zeros))?;
        sound(device)
    });
    assert!(matches!(opened.err(), Some(Fault::NotConserved(_))));
}
